//! Files of other kinds, cut off, huge, contradicting options: one line, exit code 2, no panic.

use super::{TOKEN, World, payload, response};

#[test]
fn whatever_the_file_holds_the_answer_is_one_line() {
    let world = World::new();
    let att_obj = world.mac().cbor().unwrap();
    let chain = world.mac().chain().unwrap();
    let many = response(&vec![chain[0].clone(); 100]);
    let deep = [&b"\xa1\x61a"[..], &[0x81; 50_000]].concat();
    let huge = vec![b'A'; 1024 * 1024 + 1];
    let files: [&[u8]; 22] = [
        b"",
        b" \n",
        b"hello",
        b"\0\x01\x02",
        b"\xff\xfe",
        b"[]x",
        b"{\"attObj\": 7}",
        b"{\"attObj\": \"***\"}",
        b"{\"attObj\": \"AAAA\"}",
        b"{\"payload\": \"\"}",
        b"[1, 2]",
        b"-----BEGIN CERTIFICATE-----",
        b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
        b"<plist version=\"1.0\"><dict/></plist>",
        b"<plist version=\"1.0\"><dict><key>DevicePropertiesAttestation</key><string/></dict></plist>",
        b"bplist00",
        &att_obj[..att_obj.len() / 2],
        &chain[0][..100],
        &payload(&att_obj[..40]),
        &many,
        &deep,
        &huge,
    ];
    for file in files {
        let start = String::from_utf8_lossy(&file[..file.len().min(30)]).into_owned();
        for more in [&[][..], &["--root", "ROOT", "--token", TOKEN]] {
            let told = world.decode(file, more);
            told.failed(2, "");
            assert!(told.stdout.is_empty(), "{start}: {told:?}");
            assert!(!told.stderr.contains("panicked"), "{start}: {told:?}");
        }
        let told = world.decode(file, &["--json"]);
        let error: serde_json::Value = serde_json::from_str(&told.stderr).unwrap();
        assert_eq!(error["error"]["kind"], "input", "{start}");
    }
}

#[test]
fn a_root_that_is_none_and_a_question_that_asks_nothing_are_refused() {
    let world = World::new();
    let att_obj = world.mac().cbor().unwrap();
    for (more, words) in [
        (
            &["--root", "missing.pem", "--token", TOKEN][..],
            "missing.pem",
        ),
        (&["--root", "/dev/null", "--token", TOKEN], "/dev/null"),
        (&["--root", "-", "--token", TOKEN], "standard input"),
        (&["--root", "ROOT", "--token", "short"], "128 bits"),
        (&["--root", "ROOT", "--nonce", ""], "32 bytes"),
        (&["--root", "ROOT", "--nonce", "xyz"], "nonce"),
        (&["--root", "ROOT", "--nonce", "abc"], "nonce"),
        (&["--root", "ROOT", "--nonce-base64", "*"], "nonce"),
    ] {
        world.decode(&att_obj, more).failed(2, words);
    }
    // A root without a question, a question without a root, two questions: the command line's mistakes.
    for more in [
        &["--root", "ROOT"][..],
        &["--token", TOKEN],
        &["--root", "ROOT", "--token", TOKEN, "--nonce", "ab"],
        &["--root", "ROOT", "--token", TOKEN, "--at", "yesterday"],
    ] {
        let told = world.decode(&att_obj, more);
        assert_eq!(told.code, Some(2), "{told:?}");
        let json = [more, &["--json"]].concat();
        let told = world.decode(&att_obj, &json);
        let error: serde_json::Value = serde_json::from_str(&told.stderr).unwrap();
        assert_eq!(error["error"]["kind"], "usage");
    }
}

#[test]
fn what_a_terminal_would_obey_is_not_printed() {
    let world = World::new();
    let leaf = world
        .mac()
        .extension("1.2.840.113635.100.8.9.1", b"\x1b[2J");
    let told = world.decode(&leaf.cbor().unwrap(), &[]);
    assert_eq!(told.code, Some(0));
    assert!(told.stdout.contains("1b5b324a"), "{told:?}");
    assert!(!told.stdout.contains('\u{1b}'), "{told:?}");
}
