//! Payloads encrypted to devices, and read again in every packing.

use std::{fmt, sync::Arc};

use mdm_pki::{
    Certificate, Decrypter, Identity, KeyError, KeySpec, KeyTransport, PublicKey,
    cms::{ContentCipher, DecryptPolicy, EnvelopedDataBuilder},
};
use mdm_plist::{Dictionary, Value};
use mdm_profiles::{
    Error, Profile,
    encrypt::{Encryption, decrypt, decrypt_with, encrypt},
    sign::sign,
    verify::{Opened, Rejected, Require, Trust, open, open_with_key},
};

use crate::{
    given::{payload, profile_with},
    packed::{ber, packings},
    peers::{OpenSsl, device, now, rsa_device, signer},
};

/// A profile with keys of its own, known and unknown, before and after its payloads.
fn profile() -> Profile {
    let wifi = payload(
        "com.apple.wifi.managed",
        "wifi",
        1,
        "<key>Password</key><string>hunter2 &lt;&amp;&gt;</string><key>SSID_STR</key><string>Office</string>",
    );
    let own = payload(
        "com.example.agent",
        "agent",
        2,
        "<key>b</key><real>1.5</real><key>a</key><data>AAEC</data>",
    );
    profile_with(
        "<key>Zebra</key><array><integer>18446744073709551615</integer></array>
         <key>PayloadDisplayName</key><string>Office</string><key>Apple</key><true/>",
        &[wifi, own],
    )
}

fn sealed(devices: &[&Identity]) -> Profile {
    let devices: Vec<Certificate> = devices.iter().map(|d| d.certificate.clone()).collect();
    encrypt(&profile(), &devices, &Encryption::default()).unwrap()
}

/// An encrypted profile whose envelope holds these bytes.
fn holding(content: &[u8]) -> Profile {
    let envelope = EnvelopedDataBuilder::new(content)
        .recipient(&rsa_device().certificate)
        .encrypt();
    with_envelope(envelope.unwrap())
}

fn with_envelope(envelope: Vec<u8>) -> Profile {
    let mut sealed = sealed(&[rsa_device()]);
    let value = Value::Data(envelope);
    sealed
        .keys_mut()
        .insert("EncryptedPayloadContent".to_owned(), value);
    sealed
}

fn envelope(profile: &Profile) -> &[u8] {
    profile.keys()["EncryptedPayloadContent"].as_data().unwrap()
}

fn opened(profile: &Profile) -> Result<Profile, Error> {
    decrypt(profile, &rsa_device().key, &DecryptPolicy::default())
}

fn trusting(roots: &[Certificate]) -> Trust<'_> {
    Trust::new(roots, now())
}

#[test]
fn nothing_but_the_payloads_goes_and_all_comes_back_in_its_order() {
    let encrypted = sealed(&[rsa_device()]);
    assert!(encrypted.is_encrypted());
    assert_eq!(encrypted.payloads().count(), 0);
    assert_eq!(encrypted.findings(), profile().findings());
    let names: Vec<_> = encrypted.keys().keys().map(String::as_str).collect();
    let mut wanted: Vec<_> = profile().keys().keys().cloned().collect();
    for key in &mut wanted {
        if key == "PayloadContent" {
            *key = "EncryptedPayloadContent".to_owned();
        }
    }
    wanted.push("IsEncrypted".to_owned());
    assert_eq!(names, wanted);
    let shown = encrypted.to_xml().unwrap();
    assert!(!String::from_utf8_lossy(&shown).contains("hunter2"));
    let back = opened(&encrypted).unwrap();
    assert_eq!(back.to_xml().unwrap(), profile().to_xml().unwrap());

    // A flag of false is none.
    let mut flagged = profile();
    flagged
        .keys_mut()
        .insert("IsEncrypted".to_owned(), false.into());
    let device = [rsa_device().certificate.clone()];
    let again = encrypt(&flagged, &device, &Encryption::default()).unwrap();
    assert_eq!(opened(&again).unwrap(), profile());
}

#[test]
fn a_profile_is_for_each_of_several_devices_whatever_their_keys() {
    let curves = [KeySpec::P256, KeySpec::P384, KeySpec::P521].map(device);
    let mut devices: Vec<&Identity> = curves.iter().collect();
    devices.push(rsa_device());
    let encrypted = sealed(&devices);
    for device in devices {
        let back = decrypt(&encrypted, &device.key, &DecryptPolicy::default());
        assert_eq!(back.unwrap(), profile());
    }
    for stranger in [device(KeySpec::Rsa2048), device(KeySpec::P256)] {
        let refused = decrypt(&encrypted, &stranger.key, &DecryptPolicy::default());
        assert!(matches!(refused, Err(Error::Decrypt)));
    }
}

#[test]
fn one_call_reads_whatever_there_is() {
    let (root, identity) = signer();
    let roots = [root.clone()];
    let read = |bytes: &[u8]| -> Opened {
        open_with_key(bytes, &trusting(&roots), &rsa_device().key)
            .unwrap_or_else(|error| panic!("{error}: {}", bytes[..20].escape_ascii()))
    };
    for plain in [profile(), sealed(&[rsa_device()])] {
        let xml = plain.to_xml().unwrap();
        let binary = mdm_plist::to_binary(&plain.to_dictionary()).unwrap();
        for bytes in [&xml[..], &binary] {
            let opened = read(bytes);
            assert_eq!(opened.profile, profile());
            let refused = opened.accept(Require::default());
            assert_eq!(refused.unwrap_err(), Rejected::Unsigned);
        }
        let signed = sign(&plain, identity, now()).unwrap();
        for bytes in packings(&signed) {
            let opened = read(&bytes);
            assert_eq!(opened.content, xml);
            assert_eq!(opened.accept(Require::default()).unwrap(), profile());
        }
        // Without the key the envelope is what there is to see.
        let unread = open(&signed, &trusting(&roots)).unwrap();
        assert_eq!(unread.profile, plain);
    }
}

#[test]
fn an_envelope_in_ber_is_read() {
    let encrypted = sealed(&[rsa_device()]);
    let ber = ber(envelope(&encrypted));
    assert!(ber.starts_with(b"\x30\x80"));
    assert_eq!(opened(&with_envelope(ber)).unwrap(), profile());
}

#[test]
fn what_contradicts_itself_is_refused_by_name() {
    let devices = [rsa_device().certificate.clone()];
    let refused = |profile: &Profile| match encrypt(profile, &devices, &Encryption::default()) {
        Err(Error::Invalid { key, .. }) => key,
        other => panic!("{other:?}"),
    };
    let encrypted = sealed(&[rsa_device()]);
    assert_eq!(refused(&encrypted), "EncryptedPayloadContent");
    let mut service = profile();
    service
        .keys_mut()
        .insert("PayloadContent".to_owned(), Dictionary::new().into());
    assert_eq!(refused(&service), "PayloadContent");

    let refused = |change: &dyn Fn(&mut Dictionary)| {
        let mut changed = encrypted.clone();
        change(changed.keys_mut());
        match opened(&changed) {
            Err(Error::Invalid { key, problem }) => (key, problem),
            other => panic!("{other:?}"),
        }
    };
    let sealed = "EncryptedPayloadContent";
    assert_eq!(
        refused(&|keys| {
            keys.insert("PayloadContent".to_owned(), Value::Array(Vec::new()));
        }),
        ("PayloadContent", "stands beside its encrypted form")
    );
    assert_eq!(
        refused(&|keys| {
            keys.remove(sealed);
        }),
        (sealed, "is missing")
    );
    assert_eq!(
        refused(&|keys| {
            keys.insert(sealed.to_owned(), "MIA=".into());
        }),
        (sealed, "is not data")
    );
    // What is not encrypted is none of decryption's business.
    assert_eq!(opened(&profile()).unwrap(), profile());
}

#[test]
fn what_would_be_no_profile_in_the_open_is_not_decrypted() {
    let device = rsa_device();
    let recipients = [device.certificate.clone()];
    let mut nameless = encrypt(&profile(), &recipients, &Encryption::default()).unwrap();
    let sealed = |key: &String| key == "EncryptedPayloadContent" || key == "IsEncrypted";
    nameless.keys_mut().retain(|key, _| sealed(key));
    assert!(Profile::decode(&nameless.to_xml().unwrap()).is_ok());
    let refused = decrypt(&nameless, &device.key, &DecryptPolicy::default());
    assert!(matches!(refused, Err(Error::NotAProfile)), "{refused:?}");
}

#[test]
fn nobody_des_and_strange_keys_are_no_recipients() {
    let nobody = encrypt(&profile(), &[], &Encryption::default());
    assert!(matches!(nobody, Err(Error::Crypto(_))));
    let devices = [rsa_device().certificate.clone()];
    for cipher in [ContentCipher::TripleDesCbc, ContentCipher::DesCbc] {
        let weak = Encryption::default().with(|encryption| encryption.cipher = cipher);
        let refused = encrypt(&profile(), &devices, &weak);
        assert!(matches!(
            refused,
            Err(Error::Crypto(mdm_pki::Error::NotAllowed(_)))
        ));
    }
    let oaep = Encryption::default().with(|encryption| {
        encryption.key_transport = KeyTransport::RsaOaepSha256;
        encryption.cipher = ContentCipher::Aes128Cbc;
    });
    let encrypted = encrypt(&profile(), &devices, &oaep).unwrap();
    assert_eq!(opened(&encrypted).unwrap(), profile());
}

#[test]
fn whatever_is_wrong_inside_is_one_error() {
    let deep = ["<array>".repeat(63), "</array>".repeat(63)].concat();
    let deeper = ["<array>".repeat(64), "</array>".repeat(64)].concat();
    for (content, reads) in [
        ("<array/>", true),
        ("bplist00", false),
        ("", false),
        ("hello", false),
        ("<dict/>", false),
        ("<string>text</string>", false),
        ("<array><dict></array>", false),
        (&deep, true),
        (&deeper, false),
    ] {
        let content = content.as_bytes();
        match opened(&holding(content)) {
            Ok(_) if reads => {}
            Err(Error::Decrypt) if !reads => {}
            other => panic!(
                "{}: {other:?}",
                content[..content.len().min(20)].escape_ascii()
            ),
        }
    }
    // As deep as it may be, it is still written and read again.
    let back = opened(&holding(deep.as_bytes())).unwrap();
    assert_eq!(Profile::decode(&back.to_xml().unwrap()).unwrap(), back);
    // Twice encrypted is not a list of payloads either.
    let twice = holding(&sealed(&[rsa_device()]).to_xml().unwrap());
    assert!(matches!(opened(&twice), Err(Error::Decrypt)));
}

#[test]
fn what_is_altered_on_the_way_tells_an_attacker_nothing() {
    let encrypted = sealed(&[rsa_device()]);
    let whole = envelope(&encrypted).to_vec();
    let content = (mdm_plist::to_xml(&profile().keys()["PayloadContent"])
        .unwrap()
        .len()
        / 16
        + 1)
        * 16;
    for at in whole.len() - content..whole.len() {
        let mut altered = whole.clone();
        altered[at] ^= 1;
        match opened(&with_envelope(altered)) {
            Err(Error::Decrypt) => {}
            // A bit of a text may be another one: the envelope does not vouch for what it holds.
            Ok(found) => assert_ne!(found, profile()),
            Err(error) => panic!("{at}: {error}"),
        }
    }
    // The wrapped key: the same answer for every byte of it.
    let head = b"\x04\x82\x01\x00";
    let key = whole.windows(4).position(|at| at == head).unwrap() + 4;
    for at in (key..key + 256).step_by(5) {
        let mut altered = whole.clone();
        altered[at] ^= 1;
        let found = opened(&with_envelope(altered));
        assert!(matches!(found, Err(Error::Decrypt)), "{at}: {found:?}");
    }
}

#[test]
fn broken_envelopes_are_refused_and_never_more() {
    let whole = envelope(&sealed(&[rsa_device()])).to_vec();
    let content = whole.len() - 700;
    for at in (0..content).chain([whole.len() - 1]) {
        assert!(
            opened(&with_envelope(whole[..at].to_vec())).is_err(),
            "{at}"
        );
        let mut altered = whole.clone();
        altered[at] ^= 0x81;
        // The recipient's name may be anything where there is only one.
        let _ = opened(&with_envelope(altered));
    }
    let nested = [&[0x30, 0x80].repeat(100_000)[..], &[0, 0].repeat(100_000)].concat();
    let not_addressed = with_envelope(nested);
    assert!(matches!(opened(&not_addressed), Err(Error::Crypto(_))));
    let many: Vec<Identity> = (0..9).map(|_| device(KeySpec::Rsa1024)).collect();
    let encrypted = sealed(&many.iter().collect::<Vec<_>>());
    let found = decrypt(&encrypted, &many[8].key, &DecryptPolicy::default());
    assert!(matches!(
        found,
        Err(Error::Crypto(mdm_pki::Error::TooMany { .. }))
    ));
    let named = DecryptPolicy::default()
        .with(|policy| policy.recipient = Some(many[8].certificate.clone()));
    assert_eq!(
        decrypt(&encrypted, &many[8].key, &named).unwrap(),
        profile()
    );
}

#[test]
fn a_large_profile_is_encrypted_and_read() {
    let icon = "A".repeat(4 << 20);
    let clip = payload(
        "com.apple.webClip.managed",
        "clip",
        3,
        &format!("<key>Icon</key><data>{icon}</data>"),
    );
    let large = profile_with("", &[clip]);
    let devices = [rsa_device().certificate.clone()];
    let encrypted = encrypt(&large, &devices, &Encryption::default()).unwrap();
    let read = Profile::decode(&encrypted.to_xml().unwrap()).unwrap();
    assert_eq!(opened(&read).unwrap(), large);
}

/// A key in a KMS.
#[derive(Debug)]
struct Elsewhere(Option<KeyError>);

#[async_trait::async_trait]
impl Decrypter for Elsewhere {
    fn public_key(&self) -> &PublicKey {
        rsa_device().key.public_key()
    }

    async fn unwrap_key(
        &self,
        algorithm: KeyTransport,
        wrapped: &[u8],
    ) -> Result<zeroize::Zeroizing<Vec<u8>>, KeyError> {
        match &self.0 {
            Some(error) => Err(error.clone()),
            None => Decrypter::unwrap_key(&rsa_device().key, algorithm, wrapped).await,
        }
    }
}

#[test]
fn a_key_that_lies_elsewhere_decrypts_and_its_refusal_does_not_surface() {
    let encrypted = sealed(&[rsa_device()]);
    let policy = DecryptPolicy::default();
    let with = |error| crate::signed::ready(decrypt_with(&encrypted, &Elsewhere(error), &policy));
    assert_eq!(with(None).unwrap(), profile());
    assert!(matches!(
        with(Some(KeyError::Rejected)),
        Err(Error::Decrypt)
    ));
    let down = KeyError::Unavailable(Arc::new(fmt::Error));
    assert!(matches!(
        with(Some(down)),
        Err(Error::Crypto(mdm_pki::Error::Key(_)))
    ));
}

#[test]
fn openssl_decrypts_what_we_encrypt() {
    let Some(openssl) = OpenSsl::find() else {
        return;
    };
    let payloads = profile().keys()["PayloadContent"].clone();
    for (name, device) in [("rsa", rsa_device()), ("ec", &device(KeySpec::P256))] {
        openssl.write_identity(name, device);
        let signed = sign(&sealed(&[device]), &signer().1, now()).unwrap();
        // The way a device goes: the signature, the profile, its envelope, the list of payloads.
        openssl.write("signed", signed);
        openssl.write("root.crt", signer().0.to_pem());
        openssl.run(
            "cms -verify -binary -inform DER -in signed -CAfile root.crt -purpose any -out profile",
        );
        let read = Profile::decode(&openssl.read("profile")).unwrap();
        openssl.write("envelope", envelope(&read));
        openssl.run(&format!(
            "cms -decrypt -binary -inform DER -in envelope -recip {name}.crt -inkey {name}.key -out content"
        ));
        let content: Value = mdm_plist::from_slice(&openssl.read("content")).unwrap();
        assert_eq!(content, payloads);
    }
}

#[test]
fn we_decrypt_what_openssl_encrypts() {
    let Some(openssl) = OpenSsl::find() else {
        return;
    };
    let payloads = profile().keys()["PayloadContent"].clone();
    let on_curve = device(KeySpec::P256);
    openssl.write_identity("rsa", rsa_device());
    openssl.write_identity("ec", &on_curve);
    openssl.write("xml", mdm_plist::to_xml(&payloads).unwrap());
    openssl.write("binary", mdm_plist::to_binary(&payloads).unwrap());
    let made = |line: &str| {
        openssl.run(&format!(
            "cms -encrypt -binary -outform DER -out envelope {line}"
        ));
        with_envelope(openssl.read("envelope"))
    };
    for (line, device) in [
        ("-aes256 -in xml rsa.crt", rsa_device()),
        ("-aes128 -in binary rsa.crt", rsa_device()),
        ("-aes256 -stream -indef -in xml rsa.crt", rsa_device()),
        ("-des3 -in xml rsa.crt", rsa_device()),
        ("-aes256 -in xml ec.crt rsa.crt", rsa_device()),
        ("-aes256 -in xml ec.crt rsa.crt", &on_curve),
        ("-aes256 -in xml ec.crt", &on_curve),
    ] {
        let back = decrypt(&made(line), &device.key, &DecryptPolicy::default());
        assert_eq!(back.unwrap(), profile(), "{line}");
    }
    let strict = DecryptPolicy::default().with(|policy| policy.triple_des = false);
    let old = decrypt(&made("-des3 -in xml rsa.crt"), &rsa_device().key, &strict);
    assert!(matches!(
        old,
        Err(Error::Crypto(mdm_pki::Error::NotAllowed("triple DES")))
    ));
    let sealed = opened(&made("-aes-256-gcm -in xml rsa.crt"));
    assert!(matches!(
        sealed,
        Err(Error::Crypto(mdm_pki::Error::Unsupported { .. }))
    ));
}
