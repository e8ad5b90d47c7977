//! Both ways with OpenSSL on the command line: what it encrypts opens here, what the fake makes
//! opens there.

#![allow(clippy::print_stderr)]

use std::process::Command;

use ade_client::MaidToken;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::*;

const MESSAGE: &str = "-----BEGIN MESSAGE-----\n{\"consumer_key\":\"CK_1\",\"consumer_secret\":\"CS_1\",\"access_token\":\"AT_1\",\"access_secret\":\"AS_1\"}\n-----END MESSAGE-----\n";

fn openssl(folder: &std::path::Path, arguments: &str) -> Vec<u8> {
    let output = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(folder)
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments}: {complaint}");
    output.stdout
}

/// Whether the program is there; where it is not, says so and fails if peers are required.
fn missing() -> bool {
    let missing = Command::new("openssl").arg("version").output().is_err();
    if missing {
        eprintln!("skipped: ade-client tokens: the openssl program is missing");
        assert!(
            std::env::var_os("REQUIRE_PEERS").is_none_or(|value| value != "1"),
            "the openssl program is missing"
        );
    }
    missing
}

#[test]
fn a_token_that_openssl_encrypts_opens_here() {
    if missing() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let pair = TokenKeyPair::generate("mdm.example.com", Utc::now()).unwrap();
    std::fs::write(folder.path().join("cert.pem"), pair.certificate_pem()).unwrap();
    std::fs::write(folder.path().join("message"), MESSAGE).unwrap();
    for cipher in ["-aes128", "-aes192", "-aes256", "-des3"] {
        for form in [
            "-outform SMIME",
            "-outform DER",
            "-outform PEM",
            "-stream -outform SMIME",
            "-stream -outform DER",
        ] {
            let file = openssl(
                folder.path(),
                &format!("cms -encrypt {cipher} -binary -in message {form} cert.pem"),
            );
            let token = pair
                .open(&file)
                .unwrap_or_else(|e| panic!("{cipher} {form}: {e}"));
            assert_eq!(token.consumer_key, "CK_1");
        }
    }
}

#[test]
fn a_maid_token_is_verified_by_openssl_with_the_uploaded_certificate() {
    if missing() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let pair = TokenKeyPair::generate("mdm.example.com", Utc::now()).unwrap();
    let token = MaidToken::new("677CAB70FE18E2D0B2F1A3C4D5E6F708", Utc::now()).unwrap();
    let jwt = token.sign(pair.private_key()).unwrap();
    let (signed, signature) = jwt.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    std::fs::write(folder.path().join("cert.pem"), pair.certificate_pem()).unwrap();
    std::fs::write(folder.path().join("signed"), signed).unwrap();
    std::fs::write(folder.path().join("signature"), signature).unwrap();
    let key = openssl(folder.path(), "x509 -in cert.pem -noout -pubkey");
    std::fs::write(folder.path().join("key.pem"), key).unwrap();
    let verdict = openssl(
        folder.path(),
        "dgst -sha256 -verify key.pem -signature signature signed",
    );
    assert_eq!(verdict, b"Verified OK\n");
}

#[tokio::test]
async fn a_token_of_the_fake_opens_with_openssl() {
    if missing() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::new(Config::default()).await;
    let key = scene.pair.private_key_pem().unwrap();
    std::fs::write(folder.path().join("key.pem"), key.as_bytes()).unwrap();
    let certificate = scene.pair.certificate_pem();
    let file = scene
        .apple
        .new_server_token(certificate.as_bytes())
        .unwrap();
    std::fs::write(folder.path().join("token.p7m"), file).unwrap();
    let message = openssl(
        folder.path(),
        "cms -decrypt -inform SMIME -in token.p7m -inkey key.pem",
    );
    let text = String::from_utf8(message).unwrap();
    assert!(
        text.contains("-----BEGIN MESSAGE-----") && text.contains("CK_"),
        "{text}"
    );
}
