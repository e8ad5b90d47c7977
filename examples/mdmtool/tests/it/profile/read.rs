//! `show` and `fmt`.

use super::Folder;

#[test]
fn a_profile_is_shown_without_its_secrets() {
    let folder = Folder::new();
    folder.wifi("wifi", "--name Büro");
    let told = folder.run("show wifi");
    told.succeeded();
    told.holds_none_of(&["correct horse", "\u{1b}"]);
    let words = [
        "Büro com.example.office",
        "[0] Wi-Fi com.apple.wifi.managed",
        "com.example.office.wifi",
        "Password        [secret]",
        "SSID_STR        \"Office\"",
        "1 payload",
    ];
    for word in words {
        assert!(told.stdout.contains(word), "{word}: {}", told.stdout);
    }
    let told = folder.run("show wifi --secrets");
    assert!(told.stdout.contains("correct horse"));
    let short = folder.run("show wifi --short");
    assert!(!short.stdout.contains("SSID_STR"));

    let document = folder.json("show wifi");
    assert_eq!(document["file"], "wifi");
    assert_eq!(document["packing"], "xml");
    assert_eq!(
        document["profile"]["PayloadContent"][0]["Password"],
        "[secret]"
    );
}

#[test]
fn colour_is_for_terminals_and_for_those_who_ask() {
    let folder = Folder::new();
    folder.wifi("wifi", "");
    let told = folder.run("show wifi --color always");
    assert!(told.stdout.contains("\u{1b}[1m"), "{}", told.stdout);
    for line in ["show wifi", "show wifi --color never"] {
        assert!(!folder.run(line).stdout.contains('\u{1b}'));
    }
    // What a profile says is never obeyed by a terminal.
    let xml = String::from_utf8(folder.0.read("wifi")).unwrap();
    let mut keys: mdm_plist::Dictionary = mdm_plist::from_slice(xml.as_bytes()).unwrap();
    keys.insert("PayloadDisplayName".into(), "\u{9b}31m\u{85}".into());
    keys.insert("Nov\u{9b}el".into(), "\u{9b}2J".into());
    folder.0.write("odd", mdm_plist::to_binary(&keys).unwrap());
    for line in ["show odd", "lint odd", "diff wifi odd", "predict wifi odd"] {
        let told = folder.run(line);
        assert!(!told.stdout.contains('\u{9b}'), "{line}: {}", told.stdout);
    }
}

#[test]
fn certificates_are_shown_by_their_subject() {
    let folder = Folder::new();
    folder.identity("root", None);
    let line = "new certificates root.pem --identifier com.example --out certificates";
    folder.run(line).succeeded();
    let told = folder.run("show certificates");
    assert!(
        told.stdout.contains("certificate of CN=root, until "),
        "{}",
        told.stdout
    );
}

#[test]
fn what_is_no_profile_is_told_with_its_name() {
    let folder = Folder::new();
    folder.0.write("empty", "");
    folder.0.write("text", "hello");
    folder.0.write("list", "<plist><array/></plist>");
    for command in ["show", "lint", "fmt", "verify"] {
        for file in ["empty", "text", "list", "nowhere"] {
            folder.run(&format!("{command} {file}")).failed(2, &[file]);
        }
    }
    folder.run("show text --json").error(2, "input");
    let told = folder.run("diff - -");
    told.failed(2, &["standard input"]);
}

#[test]
fn a_profile_is_written_anew_without_loss() {
    let folder = Folder::new();
    folder.0.write(
        "odd",
        "<plist><dict><key>PayloadVersion</key><integer>1</integer><key>PayloadType</key>
         <string>Configuration</string><key>Novel</key><array><real>1.5</real><date>2026-11-05T09:00:00Z</date>
         <integer>18446744073709551615</integer><data>AAEC</data></array><key>PayloadContent</key><array/></dict></plist>",
    );
    let keys = |bytes: &[u8]| -> mdm_plist::Dictionary { mdm_plist::from_slice(bytes).unwrap() };
    let written = keys(&folder.0.read("odd"));
    let told = folder.run("fmt odd");
    told.succeeded();
    assert_eq!(keys(told.stdout.as_bytes()), written);
    let order = |keys: &mdm_plist::Dictionary| keys.keys().cloned().collect::<Vec<_>>();
    assert_eq!(order(&keys(told.stdout.as_bytes())), order(&written));

    folder.run("fmt odd --check").failed_quietly();
    folder.run("fmt odd --in-place").succeeded();
    assert_eq!(folder.0.read("odd"), told.stdout.as_bytes());
    folder.run("fmt odd --check").succeeded();
    folder.run("fmt odd --to binary --out binary").succeeded();
    let binary = folder.0.read("binary");
    assert!(binary.starts_with(b"bplist00"));
    assert_eq!(keys(&binary), written);
    folder.run("fmt binary --out back").succeeded();
    assert_eq!(folder.0.read("back"), folder.0.read("odd"));
    let sorted = folder.run("fmt odd --sort");
    let names = order(&keys(sorted.stdout.as_bytes()));
    assert!(names.is_sorted(), "{names:?}");
    let document = folder.json("fmt odd --check --to binary");
    assert_eq!(document["formatted"], false);
}
