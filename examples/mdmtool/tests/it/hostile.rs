//! Files that are broken, endless, or lies: one line, exit 1, no crash.

use std::{
    fs::File,
    io::Write,
    process::{Command, Stdio},
};

use mdmtool::{MAX_UNKNOWN_BYTES, Options, decode as decode_here};

use crate::{
    fixtures::{PROFILE, TOKEN, identity, indefinite, plist, sealed, signed, token_file},
    refusal,
};

#[test]
fn garbage_is_refused() {
    let noise: Vec<u8> = (0..4096_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let cases: [&[u8]; 16] = [
        b"",
        b" \r\n",
        b"hello",
        b"MIIB",
        b"{",
        b"{}",
        b"[]",
        b"42",
        b"<html></html>",
        b"<plist><array/></plist>",
        b"bplist00",
        b"\x30\x80",
        b"\x30\x82\xFF\xFF",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
        b"Content-Type: application/pkcs7-mime\r\n\r\n!!!",
        &noise,
    ];
    for case in cases {
        refusal(&["decode", "-"], case);
    }
    refusal(
        &["decode", "-"],
        &plist("<key>Unheard\u{7f}of</key><true/>"),
    );
}

#[test]
fn every_truncation_of_every_form_is_refused_or_read_and_never_crashes() {
    let (_, certificate) = identity("token");
    let tree: mdm_plist::Dictionary = mdm_plist::from_slice(&plist(PROFILE)).unwrap();
    let der = signed(&plist(PROFILE));
    let documents = [
        plist(PROFILE),
        mdm_plist::to_binary(&tree).unwrap(),
        indefinite(&der),
        der,
        sealed(TOKEN.as_bytes(), &certificate),
        token_file(&certificate),
        TOKEN.as_bytes().to_vec(),
    ];
    for document in documents {
        let options = Options::default();
        assert!(decode_here(&document, &options).is_ok());
        for end in 0..document.len() - 8 {
            let _ = decode_here(&document[..end], &options);
            let mut flipped = document.clone();
            flipped[end] ^= 0x55;
            let _ = decode_here(&flipped, &options);
        }
        refusal(&["decode", "-"], &document[..document.len() / 2]);
    }
}

#[test]
fn deep_nesting_is_refused() {
    let deep = |open: &str, times| open.repeat(times).into_bytes();
    let line = refusal(
        &["decode", "-"],
        &plist(&format!("<key>a</key>{}", "<array>".repeat(1_000_000))),
    );
    assert!(line.contains("nested deeper"), "{line}");
    refusal(&["decode", "-"], &deep("<array>", 1_000_000));
    refusal(&["decode", "-"], &deep("[", 1_000_000));
    refusal(&["decode", "-"], &deep("{\"a\":", 1_000_000));
    refusal(&["decode", "-"], &b"\x30\x80".repeat(1_000_000));
    let head = b"\x30\x80\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x07\x02\xA0\x80";
    refusal(
        &["decode", "-"],
        &[&head[..], &b"\x24\x80".repeat(1_000_000)].concat(),
    );
}

#[test]
fn a_claim_of_a_hundred_megabytes_is_not_believed() {
    let claim = 100_000_000_u32.to_be_bytes();
    let cms = [
        b"\x30\x84",
        &claim[..],
        b"\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x07\x02",
    ]
    .concat();
    refusal(&["decode", "-"], &cms);
    // A binary property list whose only object says that it is 100 MB of data.
    let mut binary = b"bplist00\x4F\x12".to_vec();
    binary.extend(claim);
    binary.extend([8, 0, 0, 0, 0, 0, 0, 1, 1]);
    binary.extend(1_u64.to_be_bytes());
    binary.extend(0_u64.to_be_bytes());
    binary.extend(14_u64.to_be_bytes());
    refusal(&["decode", "-"], &binary);
}

#[test]
fn a_file_over_the_limit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().join("large");
    File::create(&name).unwrap().set_len(100_000_000).unwrap();
    let name = name.to_str().unwrap();
    let line = refusal(&["decode", name], b"");
    assert!(line.contains("67108864 bytes"), "{line}");
    let document = plist(PROFILE);
    let fits = document.len().to_string();
    assert!(
        crate::run(&["decode", "-", "--max-bytes", &fits], &document)
            .status
            .success()
    );
    let over = (document.len() - 1).to_string();
    refusal(&["decode", "-", "--max-bytes", &over], &document);
    let options = Options::default().with(|options| options.limit = 3);
    assert!(decode_here(&document, &options).is_err());
}

#[test]
fn what_is_no_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    refusal(&["decode", folder.path().to_str().unwrap()], b"");
    let missing = folder.path().join("missing\nfile");
    let line = refusal(&["decode", missing.to_str().unwrap()], b"");
    assert!(line.contains("cannot read"), "{line}");
}

#[test]
fn a_key_of_control_characters_does_not_reach_the_terminal() {
    let mut document = Vec::new();
    document.write_all(b"{\"\\u001b[31m\": 1}").unwrap();
    let line = refusal(&["decode", "-"], &document);
    assert!(!line.contains('\u{1b}'), "{line:?}");
}

#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mdmtool"))
        .args(["decode", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&plist(PROFILE)).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(output.stderr.is_empty());
}

#[test]
fn unknown_keys_are_listed_up_to_a_bound() {
    let keys: String = (0..20_000)
        .map(|number| format!("<key>{number:0100}</key><true/>"))
        .collect();
    let report = plist(&format!(
        "<key>Status</key><string>Acknowledged</string><key>CommandUUID</key><string>c</string>
        <key>QueryResponses</key><dict><key>OSVersion</key><string>27.0</string>{keys}</dict>"
    ));
    let told = decode_here(&report, &Options::default()).unwrap();
    let bytes: usize = told.unknown_keys.iter().map(String::len).sum();
    assert!((1 << 19..=MAX_UNKNOWN_BYTES).contains(&bytes), "{bytes}");
    let findings = told.findings.iter();
    let cut = findings.filter(|finding| finding.message.contains("more keys are unknown"));
    assert_eq!(cut.count(), 1);
}

#[test]
fn long_keys_do_not_make_paths_as_large_as_the_square_of_the_document() {
    let long = "k".repeat(1 << 20);
    let many: String = (0..40_000).map(|n| format!("\"{n}\":{{}},")).collect();
    let documents = [
        format!("{{\"Type\":\"com.apple.management.properties\",\"Identifier\":\"I\",\"ServerToken\":\"S\",
            \"Payload\":{{\"{long}\":{{{many}\"z\":null}}}}}}"),
        format!("{{\"StatusItems\":{{\"{long}\":{{{many}\"z\":null}}}},\"Errors\":[]}}"),
    ];
    for document in documents {
        let told = mdmtool::roundtrip(document.as_bytes(), &Options::default()).unwrap();
        let bytes: usize = told.findings.iter().map(|finding| finding.path.len()).sum();
        assert!(bytes < 4 << 20, "{bytes}");
    }
    let payloads: String = (0..4_000)
        .map(|n| format!("<dict><key>PayloadType</key><string>t{n}</string></dict>"))
        .collect();
    let wrapped = PROFILE.replace("<array/>", &format!("<array>{payloads}</array>"));
    let wrapped = plist(&format!("<key>{long}</key><dict>{wrapped}</dict>"));
    let _ = mdmtool::typed(&wrapped, &Options::default()).unwrap();
}
