//! Enveloped data for those who know a password, with the `openssl` program on the other side.

use mdm_pki::{
    Error,
    cms::{ContentCipher, DecryptPolicy, EnvelopedData, EnvelopedDataBuilder, Limits},
};

use crate::support::{Openssl, Pki};

const CONTENT: &[u8] = b"a certificate, say";
const CIPHERS: [(ContentCipher, &str); 3] = [
    (ContentCipher::Aes128Cbc, "-aes-128-cbc"),
    (ContentCipher::Aes192Cbc, "-aes-192-cbc"),
    (ContentCipher::Aes256Cbc, "-aes-256-cbc"),
];

fn seal(password: &[u8], cipher: ContentCipher) -> Vec<u8> {
    EnvelopedDataBuilder::new(CONTENT)
        .cipher(cipher)
        .password(password, 1000)
        .encrypt()
        .unwrap()
}

fn open(message: &[u8], password: &[u8], policy: &DecryptPolicy) -> Result<Vec<u8>, Error> {
    EnvelopedData::parse(message, &Limits::default())?
        .decrypt_with_password(password, policy)
        .map(|content| content.to_vec())
}

#[test]
fn a_message_opens_with_its_password_and_no_other() {
    let policy = DecryptPolicy::default();
    for (cipher, _) in CIPHERS {
        let message = seal(b"secret", cipher);
        assert_eq!(open(&message, b"secret", &policy).unwrap(), CONTENT);
        for wrong in [&b"Secret"[..], b"", b"secret "] {
            let error = open(&message, wrong, &policy).unwrap_err();
            assert!(matches!(error, Error::Decrypt));
        }
        let parsed = EnvelopedData::parse(&message, &Limits::default()).unwrap();
        let key = &Pki::get().rsa_device().key;
        let error = parsed.decrypt(key, &policy).unwrap_err();
        assert!(matches!(error, Error::NoRecipient));
    }
}

#[test]
fn a_certificate_and_passwords_may_stand_side_by_side() {
    let policy = DecryptPolicy::default();
    let device = Pki::get().rsa_device();
    let message = EnvelopedDataBuilder::new(CONTENT)
        .recipient(&device.certificate)
        .password(b"first", 1000)
        .password(b"second", 2000)
        .encrypt()
        .unwrap();
    for password in [b"first".as_slice(), b"second"] {
        assert_eq!(open(&message, password, &policy).unwrap(), CONTENT);
    }
    let parsed = EnvelopedData::parse(&message, &Limits::default()).unwrap();
    assert_eq!(*parsed.decrypt(&device.key, &policy).unwrap(), CONTENT);
}

#[test]
fn the_sender_does_not_say_how_much_work_is_done() {
    let message = EnvelopedDataBuilder::new(CONTENT)
        .password(b"secret", 1500)
        .password(b"secret", 1500)
        .encrypt()
        .unwrap();
    let mut policy = DecryptPolicy::default();
    for (limit, opens) in [(2999, false), (3000, true)] {
        policy.password_iterations = limit;
        let outcome = open(&message, b"secret", &policy);
        assert_eq!(outcome.is_ok(), opens);
        let refused = matches!(outcome, Err(Error::TooMany { limit: 2999, .. }));
        assert_eq!(refused, !opens);
    }
}

#[test]
fn no_changed_byte_opens_to_anything_else() {
    let policy = DecryptPolicy::default();
    let message = seal(b"secret", ContentCipher::Aes128Cbc);
    for place in 0..message.len() {
        let mut changed = message.clone();
        changed[place] ^= 1;
        // Nothing authenticates the content itself: its initialisation vector and its blocks stand last.
        if let Ok(content) = open(&changed, b"secret", &policy) {
            let in_content = place >= message.len() - 52;
            assert!(content == CONTENT || in_content, "{place}");
        }
    }
}

#[test]
fn openssl_opens_with_our_password_and_we_with_its() {
    let Some(openssl) = Openssl::find("passwords") else {
        return;
    };
    openssl.write("content", CONTENT);
    for (cipher, option) in CIPHERS {
        openssl.write("ours", seal(b"secret", cipher));
        let opened = openssl.ok("cms -decrypt -inform DER -in ours -pwri_password secret");
        assert_eq!(opened, CONTENT);
        let wrong = openssl.run("cms -decrypt -inform DER -in ours -pwri_password other");
        assert!(wrong.is_err());
        let theirs = openssl.ok(&format!(
            "cms -encrypt -binary -outform DER {option} -in content -pwri_password secret"
        ));
        let policy = DecryptPolicy::default();
        assert_eq!(open(&theirs, b"secret", &policy).unwrap(), CONTENT);
        assert!(open(&theirs, b"other", &policy).is_err());
    }
}
