//! The `ade` commands: key pairs and server tokens here, the rest against a fake Apple.

mod changing;
mod codes;
mod reading;
mod sync;
mod trouble;
mod world;

use std::fs;

use mdm_pki::{Certificate, PrivateKey};
use serde_json::Value;

use crate::{
    fixtures::{TOKEN, identity, token_file},
    run,
};

/// The line on standard error about something that cannot be used.
fn refusal(arguments: &[&str], input: &[u8]) -> String {
    let output = run(arguments, input);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(output.stdout.is_empty());
    let line = String::from_utf8(output.stderr).unwrap();
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(line.starts_with("mdmtool: ") && line.len() > 15, "{line}");
    line
}

#[test]
fn a_key_pair_opens_the_token_that_was_made_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let made = run(
        &[
            "ade",
            "keygen",
            "--out",
            out,
            "--name",
            "mdm.example.com",
            "--json",
        ],
        b"",
    );
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let shown = String::from_utf8(made.stdout).unwrap();
    assert!(!shown.contains("PRIVATE KEY"), "{shown}");
    let paths: Value = serde_json::from_str(&shown).unwrap();
    let key = paths["key"].as_str().unwrap();
    let pem = fs::read(paths["certificate"].as_str().unwrap()).unwrap();
    let certificate = Certificate::from_pem(&pem).unwrap();
    assert_eq!(
        certificate.subject().common_name().as_deref(),
        Some("mdm.example.com")
    );
    assert!(PrivateKey::from_pem(&fs::read(key).unwrap(), None).is_ok());

    let file = folder.path().join("named as you like.txt");
    fs::write(&file, token_file(&certificate)).unwrap();
    let arguments = ["ade", "token", file.to_str().unwrap(), "--key", key];
    let output = run(&[&arguments[..], &["--redact=false"]].concat(), b"");
    let token: Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected: Value = serde_json::from_str(TOKEN).unwrap();
    assert_eq!(token, expected);

    for redacted in [&[][..], &["--redact"], &["--redact=true"], &["--json"]] {
        let output = run(&[&arguments[..], redacted].concat(), b"");
        let token: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(token["consumer_key"], expected["consumer_key"]);
        assert_eq!(
            token["access_token_expiry"],
            expected["access_token_expiry"]
        );
        for secret in ["consumer_secret", "access_token", "access_secret"] {
            assert_eq!(token[secret], "[redacted]");
        }
    }
    let output = run(
        &["ade", "token", "-", "--key", key],
        &token_file(&certificate),
    );
    assert!(output.status.success());
}

#[test]
fn a_key_is_never_written_over_another_and_is_its_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("k");
    let cert = folder.path().join("c");
    let arguments = [
        "ade",
        "keygen",
        "--key",
        key.to_str().unwrap(),
        "--cert",
        cert.to_str().unwrap(),
    ];
    let made = run(&arguments, b"");
    assert!(made.status.success());
    let shown = String::from_utf8(made.stdout).unwrap();
    assert!(shown.contains("Upload the certificate") && !shown.contains("PRIVATE KEY"));
    let before = fs::read(&key).unwrap();
    let line = refusal(&arguments, b"");
    assert!(line.contains("cannot write"), "{line}");
    assert_eq!(fs::read(&key).unwrap(), before);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(
            fs::metadata(&key).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    let nowhere = folder.path().join("no").join("where");
    refusal(&["ade", "keygen", "--out", nowhere.to_str().unwrap()], b"");
}

#[test]
fn a_token_for_another_key_or_none_at_all_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (_, certificate) = identity("one");
    let (other, _) = identity("two");
    let key = folder.path().join("key.pem");
    let pem = other.to_pkcs8_pem().unwrap();
    fs::write(&key, pem.as_bytes()).unwrap();
    let key = key.to_str().unwrap();
    let line = refusal(
        &["ade", "token", "-", "--key", key],
        &token_file(&certificate),
    );
    assert!(line.contains("key"), "{line}");
    for file in [&b""[..], b"hello", b"{}", br#"{"consumer_key":"CK_1"}"#] {
        refusal(&["ade", "token", "-", "--key", key], file);
    }
    let line = refusal(&["ade", "token", "-"], &token_file(&certificate));
    assert!(line.contains("--key"), "{line}");
    refusal(&["ade", "token", "-", "--key", "/nowhere/key.pem"], b"");
}
