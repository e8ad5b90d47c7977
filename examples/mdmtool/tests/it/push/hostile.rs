//! Files of other kinds, cut off, huge, from a strange place: one line, exit code 2, no panic.

use super::world::{Folder, TOPIC, push_certificate, vendor};

#[test]
fn whatever_the_files_hold_the_answer_is_one_line() {
    let folder = Folder::new();
    let identity = push_certificate(TOPIC, 200);
    folder.write_identity("push", &identity);
    let [root, middle, vendor] = vendor();
    folder.write_identity("vendor", &vendor);
    let both = [middle.certificate.to_pem(), root.certificate.to_pem()].concat();
    folder.write("apple.pem", both);
    folder
        .run("cert csr --email a@b.c --country DE --key ck --csr csr")
        .succeeded();
    let p12 = identity.to_pkcs12("x").unwrap();
    let pem = identity.certificate.to_pem();
    let huge = vec![b'A'; 1024 * 1024 + 1];
    let files: [&[u8]; 11] = [
        b"",
        b"hello",
        b"\0\x01\x02",
        b"-----BEGIN CERTIFICATE-----",
        b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
        b"<plist version=\"1.0\"><dict/></plist>",
        b"\x30\x82\xff\xff",
        &pem.as_bytes()[..pem.len() / 2],
        &identity.certificate.to_der()[..100],
        &p12[..p12.len() / 2],
        &huge,
    ];
    for bytes in files {
        folder.write("bad", bytes);
        for line in [
            "cert info bad",
            "cert info push.pem --key bad",
            "cert renew-check push.pem bad",
            "cert renew-check bad push.pem",
            "cert sign-csr bad --cert vendor.pem --key vendor-key.pem --authority apple.pem --out out",
            "cert sign-csr csr --cert bad --key vendor-key.pem --authority apple.pem --out out",
            "cert sign-csr csr --cert vendor.pem --key bad --authority apple.pem --out out",
            "cert sign-csr csr --cert vendor.pem --key vendor-key.pem --authority bad --out out",
            "cert mdmcert-request bad --email a@b.c --api-key-file csr",
            "cert mdmcert-decrypt bad --cert vendor.pem --key vendor-key.pem --out out",
            "cert mdmcert-decrypt csr --cert bad --key vendor-key.pem --out out",
        ] {
            let told = folder.run(line);
            told.failed(2, &[]);
            assert!(told.stdout.is_empty(), "{line}: {told:?}");
            assert!(!told.stderr.contains("panicked"), "{line}: {told:?}");
        }
    }
    assert!(!folder.path("out").exists());
}

#[test]
fn a_passphrase_that_is_missing_or_wrong_is_asked_for_and_not_repeated() {
    let folder = Folder::new();
    let identity = push_certificate(TOPIC, 200);
    folder.write(
        "push.p12",
        identity.to_pkcs12("hunter2").unwrap().as_slice(),
    );
    folder.write("push.pem", identity.certificate.to_pem());
    let sealed = identity.key.to_encrypted_pkcs8_pem("hunter2").unwrap();
    folder.write("sealed", &sealed);
    folder.write("wrong", "hunter3");
    folder.write("binary", [0xff, 0xfe]);
    for line in [
        "cert info push.p12",
        "cert info push.p12 --passphrase-file wrong",
        "cert info push.pem --key sealed",
        "cert info push.pem --key sealed --passphrase-file wrong",
    ] {
        let told = folder.run(line);
        told.failed(2, &["passphrase", "MDMTOOL_PASSPHRASE"]);
        told.holds_none_of(&["hunter"]);
    }
    folder
        .run("cert info push.p12 --passphrase-file binary")
        .failed(2, &["is no text"]);
    folder
        .run("cert info - --passphrase-file -")
        .failed(2, &["standard input"]);
    folder
        .run("cert sign-csr - --cert - --key sealed")
        .failed(2, &["standard input"]);
    let told = folder.run_with("cert info push.p12 --passphrase-file -", b"hunter2\n");
    told.succeeded();
}

#[test]
fn a_wrong_command_line_is_answered_in_json_where_json_is_asked_for() {
    let folder = Folder::new();
    let error = folder.run("cert info --json").error(2, "usage");
    assert_eq!(error["next"], "see mdmtool push --help");
    let told = folder.run("cert info");
    assert_eq!(told.code, Some(2));
    assert!(told.stderr.contains("Usage: "), "{told:?}");
    let long = "x".repeat(300);
    let told = folder.run(&format!("cert info p --topic {long}"));
    assert_eq!(told.code, Some(2));
}
