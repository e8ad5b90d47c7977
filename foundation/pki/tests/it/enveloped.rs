//! Enveloped data: written, read and opened, with the `openssl` program on the other side.

use async_trait::async_trait;
use mdm_pki::{
    Decrypter, Error, KeyError, KeyTransport, PublicKey,
    cms::{ContentCipher, DecryptPolicy, EnvelopedData, EnvelopedDataBuilder, Limits},
};
use zeroize::Zeroizing;

use crate::support::{Openssl, Pki, device, skip};

const CONTENT: &[u8] = b"{\"consumer_key\":\"CK_\"}\n";

const TRANSPORTS: [KeyTransport; 6] = [
    KeyTransport::RsaPkcs1v15,
    KeyTransport::RsaOaepSha1,
    KeyTransport::RsaOaepSha256,
    KeyTransport::RsaOaepSha256Mgf1Sha1,
    KeyTransport::RsaOaepSha384,
    KeyTransport::RsaOaepSha512,
];
const CIPHERS: [ContentCipher; 3] = [
    ContentCipher::Aes128Cbc,
    ContentCipher::Aes192Cbc,
    ContentCipher::Aes256Cbc,
];

fn parse(message: &[u8]) -> EnvelopedData {
    EnvelopedData::parse(message, &Limits::default()).unwrap()
}

fn builder(content: &[u8]) -> EnvelopedDataBuilder<'_> {
    EnvelopedDataBuilder::new(content).recipient(&Pki::get().rsa_device().certificate)
}

fn open(message: &[u8], policy: &DecryptPolicy) -> Result<Vec<u8>, Error> {
    parse(message)
        .decrypt(&Pki::get().rsa_device().key, policy)
        .map(|content| content.to_vec())
}

/// A key in a KMS, as far as a test needs one.
#[derive(Debug)]
struct Elsewhere(Result<Vec<u8>, KeyError>);

#[async_trait]
impl Decrypter for Elsewhere {
    fn public_key(&self) -> &PublicKey {
        Pki::get().rsa_device().key.public_key()
    }

    async fn unwrap_key(&self, _: KeyTransport, _: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        self.0.clone().map(Zeroizing::new)
    }
}

#[tokio::test]
async fn every_cipher_and_key_transport_survives_a_round_trip() {
    let policy = DecryptPolicy::default();
    for transport in TRANSPORTS {
        for cipher in CIPHERS {
            for content in [&b""[..], CONTENT, &[7; 1000]] {
                let message = builder(content)
                    .cipher(cipher)
                    .key_transport(transport)
                    .encrypt()
                    .unwrap();
                assert_eq!(open(&message, &policy).unwrap(), content);
                let message = parse(&message);
                assert_eq!(message.cipher().unwrap(), cipher);
                assert_eq!(message.recipients()[0].key_transport(), Some(transport));
                let key: &dyn Decrypter = &Pki::get().rsa_device().key;
                assert_eq!(*message.decrypt_with(key, &policy).await.unwrap(), content);
            }
        }
    }
}

#[test]
fn des_is_never_written() {
    for cipher in [ContentCipher::TripleDesCbc, ContentCipher::DesCbc] {
        assert!(matches!(
            builder(CONTENT).cipher(cipher).encrypt(),
            Err(Error::NotAllowed(_))
        ));
    }
    let nobody = EnvelopedDataBuilder::new(CONTENT);
    assert!(matches!(
        nobody.encrypt(),
        Err(Error::Incomplete("a recipient"))
    ));
    let ec = EnvelopedDataBuilder::new(CONTENT).recipient(&Pki::get().ec_device().certificate);
    assert!(matches!(ec.encrypt(), Err(Error::Unsupported { .. })));
}

#[test]
fn a_recipient_is_found_by_issuer_and_serial_or_by_key() {
    let pki = Pki::get();
    let other = device("other", mdm_pki::KeySpec::Rsa2048, &pki.root);
    for by_key in [false, true] {
        let mut builder = builder(CONTENT).recipient(&other.certificate);
        if by_key {
            builder = builder.by_key_id();
        }
        let message = builder.encrypt().unwrap();
        let policy = DecryptPolicy::default().with(|policy| {
            policy.recipient = Some(pki.rsa_device().certificate.clone());
        });
        assert_eq!(open(&message, &policy).unwrap(), CONTENT);
        // Named by the key, it is found without a trial.
        let untried = DecryptPolicy::default().with(|policy| policy.tried_recipients = 0);
        let without = open(&message, &untried);
        match by_key {
            true => assert_eq!(without.unwrap(), CONTENT),
            false => assert!(matches!(without, Err(Error::NoRecipient))),
        }
    }
}

#[tokio::test]
async fn one_of_several_recipients_opens_the_message_by_its_key_alone() {
    let pki = Pki::get();
    let other = device("other", mdm_pki::KeySpec::Rsa2048, &pki.root);
    let (ours, other) = (&pki.rsa_device().certificate, &other.certificate);
    let policy = DecryptPolicy::default();
    for transport in [KeyTransport::RsaPkcs1v15, KeyTransport::RsaOaepSha256] {
        for recipients in [[ours, other], [other, ours]] {
            let mut builder = EnvelopedDataBuilder::new(CONTENT).key_transport(transport);
            for recipient in recipients {
                builder = builder.recipient(recipient);
            }
            let message = builder.encrypt().unwrap();
            assert_eq!(open(&message, &policy).unwrap(), CONTENT);
            let key: &dyn Decrypter = &pki.rsa_device().key;
            let opened = parse(&message).decrypt_with(key, &policy).await;
            assert_eq!(*opened.unwrap(), CONTENT);
        }
    }
}

#[test]
fn no_recipient_is_tried_when_the_certificate_is_given_and_none_over_the_bound() {
    let pki = Pki::get();
    let other = device("other", mdm_pki::KeySpec::Rsa2048, &pki.root);
    let third = device("third", mdm_pki::KeySpec::Rsa2048, &pki.root);
    let message = builder(CONTENT)
        .recipient(&other.certificate)
        .encrypt()
        .unwrap();
    let named =
        DecryptPolicy::default().with(|policy| policy.recipient = Some(third.certificate.clone()));
    assert!(matches!(open(&message, &named), Err(Error::NoRecipient)));
    let tight = DecryptPolicy::default().with(|policy| policy.tried_recipients = 1);
    assert!(matches!(
        open(&message, &tight),
        Err(Error::TooMany { limit: 1, .. })
    ));
    // Whoever is no recipient learns no more than with a lone one, by far the most often this:
    let nothing = parse(&message).decrypt(&third.key, &DecryptPolicy::default());
    assert!(
        matches!(nothing, Err(Error::Decrypt)) || nothing.is_ok_and(|content| *content != CONTENT)
    );
}

#[test]
fn we_open_what_the_openssl_program_encrypts_for_two() {
    let Some(openssl) = Openssl::find("openssl cms -encrypt for two") else {
        return;
    };
    let pki = Pki::get();
    let other = device("other", mdm_pki::KeySpec::Rsa3072, &pki.root);
    openssl.write_identity("a", pki.rsa_device());
    openssl.write_identity("b", &other);
    openssl.write("content", CONTENT);
    for recipients in ["-recip a.crt -recip b.crt", "-recip b.crt -recip a.crt"] {
        openssl.ok(&format!(
            "cms -encrypt -binary -aes128 -in content -outform DER -out m.der {recipients}"
        ));
        let message = parse(&openssl.read("m.der"));
        for identity in [pki.rsa_device(), &other] {
            let opened = message.decrypt(&identity.key, &DecryptPolicy::default());
            assert_eq!(*opened.unwrap(), CONTENT, "{recipients}");
        }
    }
}

/// Apple's own sample of a server token names a recipient whose serial number is not that of any certificate.
#[test]
fn a_lone_recipient_is_taken_whatever_it_is_named() {
    let pki = Pki::get();
    let policy = DecryptPolicy::default().with(|policy| {
        policy.recipient = Some(pki.root.certificate.clone());
    });
    assert_eq!(
        open(&builder(CONTENT).encrypt().unwrap(), &policy).unwrap(),
        CONTENT
    );
}

#[test]
fn a_wrong_key_is_the_same_error_as_broken_content() {
    let pki = Pki::get();
    let other = device("other", mdm_pki::KeySpec::Rsa2048, &pki.root);
    for transport in TRANSPORTS {
        let message = builder(CONTENT).key_transport(transport).encrypt().unwrap();
        let mut refused = 0;
        for _ in 0..8 {
            match parse(&message).decrypt(&other.key, &DecryptPolicy::default()) {
                Err(Error::Decrypt) => refused += 1,
                // A random key now and then leaves something that looks like padding.
                Ok(content) => assert_ne!(*content, CONTENT),
                Err(error) => panic!("{error}"),
            }
        }
        assert!(refused > 0);
    }
    let mut broken = builder(CONTENT).encrypt().unwrap();
    let last = broken.len() - 20;
    broken[last] ^= 1;
    assert!(!open(&broken, &DecryptPolicy::default()).is_ok_and(|content| content == CONTENT));
    assert!(matches!(
        parse(&broken).decrypt(&pki.ec_device().key, &DecryptPolicy::default()),
        Err(Error::Key(KeyError::UnsupportedAlgorithm))
    ));
}

#[tokio::test]
async fn a_rejected_content_key_does_not_surface_and_an_unavailable_key_does() {
    let message = parse(&builder(&[7; 100]).encrypt().unwrap());
    let policy = DecryptPolicy::default();
    for outcome in [
        Err(KeyError::Rejected),
        Ok(vec![]),
        Ok(vec![1; 16]),
        Ok(vec![1; 33]),
    ] {
        let found = message.decrypt_with(&Elsewhere(outcome), &policy).await;
        assert!(
            matches!(found, Err(Error::Decrypt)) || found.is_ok_and(|content| *content != [7; 100])
        );
    }
    let down = Elsewhere(Err(KeyError::unavailable("the KMS is down")));
    assert!(matches!(
        message.decrypt_with(&down, &policy).await,
        Err(Error::Key(KeyError::Unavailable(_)))
    ));
}

#[tokio::test]
async fn a_local_key_yields_random_bytes_for_what_it_refuses() {
    let key: &dyn Decrypter = &Pki::get().rsa_device().key;
    for transport in TRANSPORTS {
        for wrapped in [&[][..], &[7; 256], &[0xff; 256], &[1; 257]] {
            let mut unwrap = Vec::new();
            for _ in 0..2 {
                let found = key.unwrap_content_key(transport, wrapped, 24).await;
                unwrap.push(found.unwrap());
            }
            assert_eq!(unwrap[0].len(), 24);
            assert_ne!(unwrap[0], unwrap[1]);
        }
    }
}

#[test]
fn the_openssl_program_opens_what_we_encrypt() {
    let Some(openssl) = Openssl::find("openssl cms -decrypt") else {
        return;
    };
    openssl.write_identity("device", Pki::get().rsa_device());
    for transport in TRANSPORTS {
        for cipher in CIPHERS {
            for by_key in [false, true] {
                let mut builder = builder(CONTENT).cipher(cipher).key_transport(transport);
                if by_key {
                    builder = builder.by_key_id();
                }
                openssl.write("m.der", builder.encrypt().unwrap());
                openssl.ok("cms -decrypt -binary -inform DER -in m.der -recip device.crt -inkey device.key -out out");
                assert_eq!(openssl.read("out"), CONTENT, "{transport:?} {cipher:?}");
            }
        }
    }
}

#[test]
fn we_open_what_the_openssl_program_encrypts() {
    let Some(openssl) = Openssl::find("openssl cms -encrypt") else {
        return;
    };
    openssl.write_identity("device", Pki::get().rsa_device());
    // Long enough that -stream writes several chunks.
    let content = CONTENT.repeat(2000);
    openssl.write("content", &content);
    for cipher in ["aes128", "aes-192-cbc", "aes256", "des3"] {
        for how in [
            "",
            "-stream -indef",
            "-keyid",
            "-keyopt rsa_padding_mode:oaep",
            "-keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha256",
            "-keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha256 -keyopt rsa_mgf1_md:sha1 -stream -indef",
        ] {
            openssl.ok(&format!(
                "cms -encrypt -binary -{cipher} -in content -outform DER -out m.der -recip device.crt {how}"
            ));
            let opened = open(&openssl.read("m.der"), &DecryptPolicy::default());
            assert_eq!(opened.unwrap(), content, "{cipher} {how}");
        }
        openssl.ok(&format!(
            "cms -encrypt -binary -{cipher} -in content -outform PEM -out m.pem device.crt"
        ));
        let opened = open(&openssl.read("m.pem"), &DecryptPolicy::default());
        assert_eq!(opened.unwrap(), content);
    }
    openssl.ok("cms -encrypt -binary -des3 -in content -outform DER -out m.der device.crt");
    let strict = DecryptPolicy::default().with(|policy| policy.triple_des = false);
    assert!(matches!(
        open(&openssl.read("m.der"), &strict),
        Err(Error::NotAllowed("triple DES"))
    ));
    openssl.ok("cms -encrypt -binary -camellia128 -in content -outform DER -out m.der device.crt");
    assert!(matches!(
        open(&openssl.read("m.der"), &strict),
        Err(Error::Unsupported { .. })
    ));
}

#[test]
fn single_des_is_read_only_where_the_policy_allows_it() {
    let Some(openssl) = Openssl::find("single DES") else {
        return;
    };
    if !openssl.has_legacy() {
        return skip("single DES", "the legacy provider is missing");
    }
    openssl.write_identity("device", Pki::get().rsa_device());
    openssl.write("content", CONTENT);
    openssl.ok("cms -encrypt -binary -des -provider legacy -provider default -in content -outform DER -out m.der device.crt");
    let message = openssl.read("m.der");
    assert!(matches!(
        open(&message, &DecryptPolicy::default()),
        Err(Error::NotAllowed("single DES"))
    ));
    let single_des = DecryptPolicy::default().with(|policy| policy.single_des = true);
    assert_eq!(open(&message, &single_des).unwrap(), CONTENT);
    // The default provider still works.
    assert_eq!(
        open(
            &builder(CONTENT).encrypt().unwrap(),
            &DecryptPolicy::default()
        )
        .unwrap(),
        CONTENT
    );
}
