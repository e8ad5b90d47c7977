//! Recipients with a key on a curve, the `openssl` program on the other side.

use mdm_pki::{
    Error, Identity, KeySpec, PrivateKey,
    cms::{ContentCipher, DecryptPolicy, EnvelopedData, EnvelopedDataBuilder, Limits},
};

use crate::support::{Openssl, Pki, device};

const CONTENT: &[u8] = b"<plist version=\"1.0\"><array/></plist>\n";

const CURVES: [KeySpec; 3] = [KeySpec::P256, KeySpec::P384, KeySpec::P521];

fn holder(spec: KeySpec) -> Identity {
    device("holder", spec, &Pki::get().root)
}

fn open(message: &[u8], key: &PrivateKey, policy: &DecryptPolicy) -> Result<Vec<u8>, Error> {
    let message = EnvelopedData::parse(message, &Limits::default())?;
    message.decrypt(key, policy).map(|content| content.to_vec())
}

#[test]
fn a_message_opens_with_the_key_of_each_recipient_whatever_its_kind() {
    let pki = Pki::get();
    let rsa = pki.rsa_device();
    let holders = CURVES.map(holder);
    for by_key in [false, true] {
        let mut builder = EnvelopedDataBuilder::new(CONTENT).recipient(&rsa.certificate);
        for holder in &holders {
            builder = builder.agreed_recipient(&holder.certificate);
        }
        if by_key {
            builder = builder.by_key_id();
        }
        let message = builder.encrypt().unwrap();
        for key in holders.iter().chain([rsa]) {
            let policy = DecryptPolicy::default();
            assert_eq!(open(&message, &key.key, &policy).unwrap(), CONTENT);
            let named = policy.with(|policy| policy.recipient = Some(key.certificate.clone()));
            assert_eq!(open(&message, &key.key, &named).unwrap(), CONTENT);
        }
    }
}

#[test]
fn a_stranger_and_an_altered_message_end_in_one_error() {
    let (ours, stranger) = (holder(KeySpec::P256), holder(KeySpec::P256));
    let policy = DecryptPolicy::default();
    let message = EnvelopedDataBuilder::new(CONTENT)
        .agreed_recipient(&ours.certificate)
        .encrypt()
        .unwrap();
    let refused = |message: &[u8], key: &PrivateKey| match open(message, key, &policy) {
        Err(Error::Decrypt | Error::Malformed { .. } | Error::Ber(_)) => {}
        // What an identifier says in it is altered: neither is there such a way, or such a recipient.
        Err(Error::Unsupported { .. } | Error::NoRecipient | Error::Key(_)) => {}
        // A random key now and then leaves something that looks like padding.
        Ok(content) => assert_ne!(content, CONTENT),
        Err(error) => panic!("{error}"),
    };
    refused(&message, &stranger.key);
    refused(&message, &holder(KeySpec::P384).key);
    let other = EnvelopedDataBuilder::new(CONTENT)
        .agreed_recipient(&ours.certificate)
        .agreed_recipient(&stranger.certificate)
        .encrypt()
        .unwrap();
    let named = DecryptPolicy::default()
        .with(|policy| policy.recipient = Some(holder(KeySpec::P256).certificate));
    assert!(matches!(
        open(&other, &ours.key, &named),
        Err(Error::NoRecipient)
    ));
    for at in 0..message.len() {
        let mut altered = message.clone();
        altered[at] ^= 0x20;
        match open(&altered, &ours.key, &policy) {
            // The version, the recipient's name and some tags decide nothing for a lone recipient.
            Ok(content) if content == CONTENT => {}
            _ => refused(&altered, &ours.key),
        }
        let _ = open(&message[..at], &ours.key, &policy);
    }
}

#[test]
fn a_key_of_another_kind_is_refused_when_it_is_added() {
    let rsa = &Pki::get().rsa_device().certificate;
    let wrong = EnvelopedDataBuilder::new(CONTENT).agreed_recipient(rsa);
    assert!(matches!(wrong.encrypt(), Err(Error::Unsupported { .. })));
    let ec = holder(KeySpec::P256);
    let wrong = EnvelopedDataBuilder::new(CONTENT).recipient(&ec.certificate);
    assert!(matches!(wrong.encrypt(), Err(Error::Unsupported { .. })));
}

#[test]
fn the_openssl_program_opens_what_we_encrypt_to_a_curve() {
    let Some(openssl) = Openssl::find("openssl cms -decrypt with EC") else {
        return;
    };
    for spec in CURVES {
        let holder = holder(spec);
        openssl.write_identity("holder", &holder);
        for cipher in [ContentCipher::Aes128Cbc, ContentCipher::Aes256Cbc] {
            for by_key in [false, true] {
                let mut builder = EnvelopedDataBuilder::new(CONTENT)
                    .cipher(cipher)
                    .agreed_recipient(&holder.certificate)
                    .recipient(&Pki::get().rsa_device().certificate);
                if by_key {
                    builder = builder.by_key_id();
                }
                openssl.write("m.der", builder.encrypt().unwrap());
                openssl.ok("cms -decrypt -binary -inform DER -in m.der -recip holder.crt -inkey holder.key -out out");
                assert_eq!(openssl.read("out"), CONTENT, "{spec:?} {cipher:?}");
            }
        }
        let shown = openssl.ok("cms -cmsout -print -noout -inform DER -in m.der");
        let shown = String::from_utf8_lossy(&shown);
        assert!(shown.contains("id-aes256-wrap"), "{shown}");
        assert!(!shown.contains("sha1kdf"), "{shown}");
    }
}

#[test]
fn we_open_what_the_openssl_program_encrypts_to_a_curve() {
    let Some(openssl) = Openssl::find("openssl cms -encrypt with EC") else {
        return;
    };
    openssl.write("content", CONTENT);
    for spec in CURVES {
        let holder = holder(spec);
        openssl.write_identity("holder", &holder);
        for how in [
            "-aes256",
            "-aes-192-cbc",
            "-aes128 -keyid",
            "-aes256 -keyopt ecdh_kdf_md:sha256",
            "-aes256 -keyopt ecdh_kdf_md:sha384 -stream -indef",
            "-aes128 -keyopt ecdh_kdf_md:sha512",
        ] {
            openssl.ok(&format!(
                "cms -encrypt -binary -in content -outform DER -out m.der -recip holder.crt {how}"
            ));
            let opened = open(
                &openssl.read("m.der"),
                &holder.key,
                &DecryptPolicy::default(),
            );
            assert_eq!(opened.unwrap(), CONTENT, "{spec:?} {how}");
        }
    }
    // Its key wrap for triple DES is not spoken here.
    let holder = holder(KeySpec::P256);
    openssl.write_identity("holder", &holder);
    openssl.ok("cms -encrypt -binary -des3 -in content -outform DER -out m.der -recip holder.crt");
    assert!(matches!(
        open(
            &openssl.read("m.der"),
            &holder.key,
            &DecryptPolicy::default()
        ),
        Err(Error::Unsupported { .. })
    ));
}

#[test]
fn authenticated_encryption_is_told_by_name() {
    let Some(openssl) = Openssl::find("openssl cms -encrypt with AES-GCM") else {
        return;
    };
    let rsa = Pki::get().rsa_device();
    openssl.write("content", CONTENT);
    openssl.write_identity("device", rsa);
    openssl.ok("cms -encrypt -binary -aes-256-gcm -in content -outform DER -out m.der device.crt");
    let Err(Error::Unsupported { detail, .. }) =
        open(&openssl.read("m.der"), &rsa.key, &DecryptPolicy::default())
    else {
        panic!("read, or refused otherwise");
    };
    assert_eq!(detail, "authEnvelopedData");
}
