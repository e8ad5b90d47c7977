use base64::{Engine, engine::general_purpose::STANDARD};
use mdm_pki::cms::{ContentCipher, EnvelopedDataBuilder};
use proptest::prelude::*;

use super::*;

const JSON: &str = r#"{"consumer_key":"CK_1","consumer_secret":"CS_secret","access_token":"AT_secret","access_secret":"AS_secret","access_token_expiry":"2027-01-01T00:00:00Z"}"#;

fn pair() -> TokenKeyPair {
    TokenKeyPair::generate("mdm.example.com", "2026-01-01T00:00:00Z".parse().unwrap()).unwrap()
}

fn message() -> String {
    format!(
        "Content-Type: text/plain;charset=UTF-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\n\
         -----BEGIN MESSAGE-----\n{JSON}\n-----END MESSAGE-----\n"
    )
}

fn envelope(message: &str, pair: &TokenKeyPair) -> Vec<u8> {
    EnvelopedDataBuilder::new(message.as_bytes())
        .cipher(ContentCipher::Aes128Cbc)
        .recipient(pair.certificate())
        .encrypt()
        .unwrap()
}

fn wrapped(base64: &str, end: &str) -> String {
    base64
        .as_bytes()
        .chunks(76)
        .map(|line| format!("{}{end}", std::str::from_utf8(line).unwrap()))
        .collect()
}

#[test]
fn the_upload_certificate_is_rsa_2048_self_signed_and_for_encryption() {
    let pair = pair();
    let certificate = Certificate::from_pem(pair.certificate_pem().as_bytes()).unwrap();
    assert_eq!(certificate.subject(), certificate.issuer());
    assert_eq!(
        certificate.subject().common_name().as_deref(),
        Some("mdm.example.com")
    );
    let usage = certificate.key_usage().unwrap();
    assert!(usage.contains(KeyUsage::KEY_ENCIPHERMENT | KeyUsage::DIGITAL_SIGNATURE));
    assert_eq!(
        certificate.public_key().unwrap().algorithm(),
        mdm_pki::KeyAlgorithm::Rsa { bits: 2048 }
    );
    assert!(!certificate.is_ca());
}

#[test]
fn a_key_that_is_not_the_certificates_is_refused() {
    let (a, b) = (pair(), pair());
    let key = b.private_key_pem().unwrap();
    assert!(matches!(
        TokenKeyPair::from_pem(a.certificate_pem().as_bytes(), key.as_bytes()),
        Err(TokenError::Key(_))
    ));
}

#[test]
fn the_file_is_read_however_it_arrives() {
    let pair = pair();
    let der = envelope(&message(), &pair);
    let base64 = STANDARD.encode(&der);
    let header = "Content-Type: application/pkcs7-mime; name=\"smime.p7m\"; smime-type=enveloped-data\r\n\
                  Content-Transfer-Encoding: base64\r\n\
                  Content-Disposition: attachment; filename=\"smime.p7m\"\r\n\
                  Content-Description: S/MIME Encrypted Message\r\n";
    let folded = "MIME-Version: 1.0\nContent-Disposition: attachment;\n filename=smime\n\
                  Content-Type: application/x-pkcs7-mime;\n\tsmime-type=enveloped-data;\n\tname=\"smime.p7m\"\n\
                  Content-Transfer-Encoding: base64\n";
    for (name, file) in [
        (
            "as downloaded",
            format!("{header}\r\n{}", wrapped(&base64, "\r\n")),
        ),
        (
            "line feeds only",
            format!("{header}\r\n{}", wrapped(&base64, "\r\n")).replace('\r', ""),
        ),
        (
            "folded header",
            format!("{folded}\n{}", wrapped(&base64, "\n")),
        ),
        (
            "header without the blank line",
            format!("{header}{}", wrapped(&base64, "\r\n")),
        ),
        (
            "folded and without the blank line",
            format!("{folded}{}", wrapped(&base64, "\n")),
        ),
        (
            "blank lines in front",
            format!("\r\n\r\n{header}\r\n{}", wrapped(&base64, "\r\n")),
        ),
        (
            "blank lines behind",
            format!("{header}\r\n{}\r\n\r\n", wrapped(&base64, "\r\n")),
        ),
        (
            "byte order mark",
            format!("\u{feff}{header}\r\n{}", wrapped(&base64, "\r\n")),
        ),
        (
            "pasted into one line",
            format!("  {}", wrapped(&base64, " ")),
        ),
        (
            "carriage returns only",
            format!("{header}\r{}", wrapped(&base64, "\r")).replace('\n', ""),
        ),
        (
            "blank lines between",
            format!("{header}\r\n{}", wrapped(&base64, "\r\n")).replace('\n', "\n\n"),
        ),
        (
            "footer",
            format!(
                "{header}\r\n{}\r\nSent: today\r\n",
                wrapped(&base64, "\r\n")
            ),
        ),
        (
            "part of a message",
            format!(
                "Content-Type: multipart/mixed; boundary=\"b1\"\n\n--b1\n{folded}\n{}\n--b1--\n",
                wrapped(&base64, "\n")
            ),
        ),
        (
            "zeros behind",
            format!("{}\0\0", wrapped(&base64, "\n").trim_end()),
        ),
        ("bare base64 in lines", wrapped(&base64, "\n")),
        ("bare base64 in one line", base64.clone()),
        (
            "the whole file in base64",
            STANDARD.encode(format!("{header}\r\n{}", wrapped(&base64, "\r\n"))),
        ),
        (
            "base64 without padding",
            base64.trim_end_matches('=').to_owned(),
        ),
        (
            "PEM",
            format!(
                "-----BEGIN PKCS7-----\n{}-----END PKCS7-----\n",
                wrapped(&base64, "\n")
            ),
        ),
    ] {
        let token = pair
            .open(file.as_bytes())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(token.consumer_key, "CK_1", "{name}");
    }
    assert_eq!(pair.open(&der).unwrap().consumer_key, "CK_1");
}

#[test]
fn triple_des_of_older_tokens_is_read() {
    // Made with: openssl cms -encrypt -des3 -stream, for the key beside it.
    let key = PrivateKey::from_pem(include_bytes!("testdata/key.pem"), None).unwrap();
    for file in [
        &include_bytes!("testdata/des3-stream.p7m")[..],
        include_bytes!("testdata/aes128-stream.p7m"),
        include_bytes!("testdata/negative-serial.p7m"),
    ] {
        let token = ServerToken::open(file, &key).unwrap();
        assert_eq!(token.access_secret.expose(), "AS_secret");
        assert_eq!(
            token.access_token_expiry,
            "2027-01-01T00:00:00Z".parse().ok()
        );
    }
}

#[test]
fn header_and_markers_inside_may_be_missing_and_lines_may_break_inside_of_strings() {
    let broken: String = JSON
        .as_bytes()
        .chunks(20)
        .map(|line| format!("{}\r\n", std::str::from_utf8(line).unwrap()))
        .collect();
    let pair = pair();
    for message in [
        message(),
        JSON.to_owned(),
        format!("-----BEGIN MESSAGE-----\n{JSON}\n-----END MESSAGE-----"),
        format!("Content-Type: text/plain\r\n\r\n{broken}"),
        format!("Content-Type: text/plain\n\n{JSON}\n"),
    ] {
        let token = pair.open(&envelope(&message, &pair)).unwrap();
        assert_eq!(token.access_secret.expose(), "AS_secret");
    }
}

#[test]
fn an_expiry_may_be_missing_empty_or_odd() {
    for expiry in [
        "",
        r#","access_token_expiry":"""#,
        r#","access_token_expiry":7"#,
    ] {
        let json = format!(
            r#"{{"consumer_key":"a","consumer_secret":"b","access_token":"c","access_secret":"d"{expiry}}}"#
        );
        let token = ServerToken::from_json(json.as_bytes()).unwrap();
        assert_eq!(token.access_token_expiry, None);
        assert!(!token.is_expired(DateTime::<Utc>::MAX_UTC));
    }
    let token = ServerToken::from_json(JSON.as_bytes()).unwrap();
    assert!(!token.is_expired("2026-12-31T23:59:59Z".parse().unwrap()));
    assert!(token.is_expired("2027-01-01T00:00:00Z".parse().unwrap()));
}

#[test]
fn a_file_for_another_key_is_told_from_one_that_is_no_token() {
    let (ours, theirs) = (pair(), pair());
    let file = envelope(&message(), &theirs);
    assert_eq!(ours.open(&file), Err(TokenError::WrongKey));
    for file in [
        &b""[..],
        b"hello, world",
        b"\xff\xfe\x00",
        b"\r\n\r\n",
        b"Subject: hi\r\n\r\n",
    ] {
        assert!(
            matches!(ours.open(file), Err(TokenError::NotAToken(_))),
            "{file:?}"
        );
    }
    let damaged = &file[..file.len() / 2];
    assert!(matches!(theirs.open(damaged), Err(TokenError::Damaged(_))));
    assert!(matches!(
        theirs.open(theirs.certificate().to_der()),
        Err(TokenError::Damaged(_))
    ));
    assert_eq!(
        ours.open(&vec![b'M'; MAX_TOKEN_BYTES + 1]),
        Err(TokenError::TooLarge)
    );
}

#[test]
fn a_token_is_opened_by_the_pair_that_waits_for_it() {
    let (old, staged, abandoned) = (pair(), pair(), pair());
    let pairs = [&abandoned, &old, &staged];
    let file = envelope(&message(), &staged);
    let (opened_by, token) = TokenKeyPair::open_with_any(pairs, &file).unwrap();
    assert_eq!(opened_by.certificate(), staged.certificate());
    assert_eq!(token.consumer_key, "CK_1");
    assert_eq!(
        TokenKeyPair::open_with_any([&old, &abandoned], &file).err(),
        Some(TokenError::WrongKey)
    );
    assert_eq!(
        TokenKeyPair::open_with_any(pairs, &envelope("{}", &old)).err(),
        Some(TokenError::Json)
    );
    assert_eq!(
        TokenKeyPair::open_with_any([], &file).err(),
        Some(TokenError::WrongKey)
    );
}

#[tokio::test]
async fn a_key_that_lives_elsewhere_opens_the_same_file() {
    let (ours, theirs) = (pair(), pair());
    let file = envelope(&message(), &ours);
    let token = ServerToken::open_with(&file, ours.private_key())
        .await
        .unwrap();
    assert_eq!(token, ours.open(&file).unwrap());
    assert_eq!(
        ServerToken::open_with(&file, theirs.private_key()).await,
        Err(TokenError::WrongKey)
    );
}

#[test]
fn a_message_without_all_four_credentials_is_no_token() {
    let pair = pair();
    for message in [
        "",
        "no json",
        "{",
        "{}",
        r#"{"consumer_key":"CK"}"#,
        &JSON.replace("AS_secret", ""),
    ] {
        let opened = pair.open(&envelope(message, &pair));
        assert!(
            matches!(opened, Err(TokenError::Json)),
            "{message}: {opened:?}"
        );
    }
}

#[test]
fn a_token_survives_storing_and_never_shows_its_secrets() {
    let mut token = ServerToken::from_json(JSON.as_bytes()).unwrap();
    token.extra.insert("later".into(), "kept".into());
    let stored = serde_json::to_vec(&token).unwrap();
    assert_eq!(ServerToken::from_json(&stored).unwrap(), token);
    let shown = format!("{token:?} {:?}", pair());
    assert!(
        shown.contains("CK_1") && !shown.contains("secret"),
        "{shown}"
    );
    assert!(!shown.contains("PRIVATE"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_file_makes_the_reader_panic(
        file in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..512),
            "[A-Za-z0-9+/=:;\\- \r\n\t]{0,400}".prop_map(String::into_bytes),
        ],
        cut in 0..2048_usize,
        flip in 0..2048_usize,
    ) {
        let key = PrivateKey::from_pem(include_bytes!("testdata/key.pem"), None).unwrap();
        prop_assert!(ServerToken::open(&file, &key).is_err());
        let mut damaged = include_bytes!("testdata/aes128-stream.p7m").to_vec();
        if let Some(byte) = damaged.get_mut(flip) {
            *byte ^= 0x41;
        }
        let cut = cut.min(damaged.len());
        let _ = ServerToken::open(&damaged[..cut], &key);
        let _ = ServerToken::open(&damaged, &key);
        let _ = file::json(&file);
    }
}
