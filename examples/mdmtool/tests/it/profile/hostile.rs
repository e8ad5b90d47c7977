//! Files that are broken or lies: one line, an exit code of 2, no crash.

use super::Folder;

#[test]
fn what_is_cut_off_or_altered_is_told_in_one_line_or_read() {
    let folder = Folder::new();
    folder.identity("signer", None);
    folder.wifi("wifi", "");
    let signer = "--cert signer.pem --key signer-key.pem";
    folder
        .run("encrypt wifi --to signer.pem --out sealed")
        .succeeded();
    folder
        .run(&format!("sign sealed {signer} --out signed"))
        .succeeded();
    folder.run("fmt wifi --to binary --out binary").succeeded();
    for file in ["wifi", "sealed", "signed", "binary"] {
        let whole = folder.0.read(file);
        let mut altered = whole.clone();
        for at in (0..altered.len()).step_by(97) {
            altered[at] ^= 0x55;
        }
        let half = whole[..whole.len() / 2].to_vec();
        for (name, bytes) in [("half", half), ("altered", altered)] {
            folder.0.write(name, bytes);
            for command in [
                "show",
                "lint",
                "verify",
                "fmt",
                "decrypt --key signer-key.pem",
            ] {
                let told = folder.run(&format!("{command} {name}"));
                told.holds_none_of(&["correct horse", "panicked"]);
                match told.code {
                    Some(2) => told.failed(2, &[name]),
                    code => assert!(matches!(code, Some(0 | 1)), "{file} {command}: {told:?}"),
                }
            }
        }
    }
}

#[test]
fn certificates_and_keys_that_are_none_are_named() {
    let folder = Folder::new();
    folder.identity("signer", None);
    folder.identity("other", None);
    folder.wifi("wifi", "");
    folder.0.write("text", "hello");
    for (line, words) in [
        (
            "sign wifi --cert text --key signer-key.pem",
            ["text", "certificate"],
        ),
        (
            "sign wifi --cert signer.pem --key other-key.pem",
            ["does not belong", "--key"],
        ),
        ("sign wifi --cert signer.pem", ["signer.pem", "--key"]),
        ("sign wifi --cert signer.p12", ["signer.p12", "passphrase"]),
        ("verify wifi --root text", ["text", "certificate"]),
        (
            "verify wifi --root nowhere",
            ["cannot read nowhere", "nowhere"],
        ),
        ("encrypt wifi --to text", ["text", "certificate"]),
        ("show wifi --key text", ["text", "key"]),
        (
            "sign - --cert - --key signer-key.pem",
            ["standard input", "Name a file"],
        ),
    ] {
        folder.run(line).failed(2, &words);
    }
}
