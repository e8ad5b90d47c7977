//! Device certificates under authorities that expired long ago (Q2): taken where the authority is pinned, nowhere else.

use chrono::{DateTime, TimeDelta, Utc};
use mdm_pki::{
    Certificate, CertificateBuilder, DigestAlgorithm, Identity, KeySpec, KeyUsage, Name,
    PrivateKey, SignatureAlgorithm, cms::SignedDataBuilder,
};
use mdm_plist::{Dictionary, Value};
use mdm_profiles::{
    Error,
    verify::{Rejected, Require, Trust, open, open_answer},
};

use crate::{given::profile, packed::packings, peers::now};

/// RSA with 1024 bits and SHA-1, valid for a hundred days eleven years ago.
fn old(name: &str, authority: bool, issuer: Option<&Identity>) -> Identity {
    let (key, from) = (PrivateKey::generate(KeySpec::Rsa1024), long_ago());
    let key = key.unwrap();
    let mut builder = CertificateBuilder::new(Name::from_common_name(name), key.public_key())
        .validity(from, from + TimeDelta::days(100))
        .signature_algorithm(SignatureAlgorithm::RsaPkcs1Sha1);
    if authority {
        builder = builder.ca(None).key_usage(KeyUsage::KEY_CERT_SIGN);
    }
    let certificate = match issuer {
        None => builder.self_signed(&key),
        Some(issuer) => builder.sign(&issuer.certificate, &issuer.key),
    };
    Identity::new(certificate.unwrap(), Vec::new(), key).unwrap()
}

fn long_ago() -> DateTime<Utc> {
    now() - TimeDelta::days(4000)
}

/// As Apple's: a root, the authority of devices, another one, and a device.
struct Factory {
    root: Identity,
    authority: Identity,
    other: Identity,
    device: Identity,
}

impl Factory {
    fn new() -> Self {
        let root = old("Example Root CA", true, None);
        let authority = old("Example Device CA", true, Some(&root));
        let other = old("Example Developer CA", true, Some(&root));
        let device = old("00008030-000000000000", false, Some(&authority));
        Self {
            root,
            authority,
            other,
            device,
        }
    }

    /// What a device answers over the air, with everything above it.
    fn answer(&self, signer: &Identity) -> Vec<u8> {
        let attributes: Dictionary = [("UDID", "00008030"), ("CHALLENGE", "hunter2")]
            .map(|(key, value)| (key.to_owned(), Value::from(value)))
            .into_iter()
            .collect();
        let content = mdm_plist::to_xml(&attributes).unwrap();
        self.signed(&content, signer)
    }

    fn signed(&self, content: &[u8], signer: &Identity) -> Vec<u8> {
        let above = [&self.authority, &self.other, &self.root].map(|it| it.certificate.clone());
        SignedDataBuilder::new(content)
            .signer(&signer.certificate, DigestAlgorithm::Sha1)
            .chain(&above)
            .sign(&signer.key)
            .unwrap()
    }
}

fn answered(bytes: &[u8], trust: &Trust<'_>) -> Result<Dictionary, Rejected> {
    open_answer(bytes, trust)
        .unwrap()
        .accept(Require::default())
}

#[test]
fn an_expired_device_chain_counts_where_its_authority_is_pinned_and_nowhere_else() {
    let factory = Factory::new();
    let answer = factory.answer(&factory.device);
    let [root, authority, other] =
        [&factory.root, &factory.authority, &factory.other].map(|it| [it.certificate.clone()]);
    let pinning = |pinned| Trust::new(&[], now()).with(|trust| trust.pinned = pinned);
    for bytes in packings(&answer) {
        let attributes = answered(&bytes, &pinning(&authority)).unwrap();
        assert_eq!(attributes["UDID"].as_string(), Some("00008030"));
    }
    // The layers stay what they are: only what they are asked for changes.
    let opened = open_answer(&answer, &pinning(&authority)).unwrap();
    let [signer] = opened.signers.as_slice() else {
        panic!("one signer");
    };
    assert!(signer.signature.is_ok() && signer.pinned);
    assert!(signer.chain.is_err() && signer.validity.is_err());
    assert!(!format!("{opened:?}").contains("hunter2"));

    // Neither a root that expired, nor a pinned root, nor another authority of that root.
    let rooted = Trust::new(&root, now());
    assert_eq!(answered(&answer, &rooted), Err(Rejected::Validity));
    let direct = Trust::new(&authority, now());
    assert_eq!(answered(&answer, &direct), Err(Rejected::Validity));
    assert_eq!(answered(&answer, &pinning(&root)), Err(Rejected::Chain));
    assert_eq!(answered(&answer, &pinning(&other)), Err(Rejected::Chain));
    assert_eq!(answered(&answer, &pinning(&[])), Err(Rejected::Chain));
    let both = rooted.with(|trust| trust.pinned = &other);
    assert_eq!(answered(&answer, &both), Err(Rejected::Validity));
    // At the time it was valid, the root was enough.
    let then = Trust::new(&root, long_ago() + TimeDelta::days(1));
    assert!(answered(&answer, &then).is_ok());
}

#[test]
fn pinning_takes_nothing_else_along() {
    let factory = Factory::new();
    let authority = [factory.authority.certificate.clone()];
    let trust = Trust::new(&[], now()).with(|trust| trust.pinned = &authority);

    // A certificate that another authority issued, one of its own making, and one of the same name.
    let developer = old("00008030-000000000000", false, Some(&factory.other));
    let own = old("00008030-000000000000", false, None);
    let forged = old("Example Device CA", true, None);
    let forged = old("00008030-000000000000", false, Some(&forged));
    for stranger in [developer, own, forged] {
        let answer = factory.answer(&stranger);
        assert_eq!(answered(&answer, &trust), Err(Rejected::Chain));
    }
    // A device is no authority, though the pinned one has issued its certificate.
    let below = old("00008030-111111111111", false, Some(&factory.device));
    assert_eq!(
        answered(&factory.answer(&below), &trust),
        Err(Rejected::Chain)
    );
    // The signature has to hold, and the signer to be one who may sign.
    let mut altered = factory.answer(&factory.device);
    let at = altered.windows(8).position(|w| w == b"00008030").unwrap();
    altered[at] = b'1';
    assert_eq!(answered(&altered, &trust), Err(Rejected::Signature));
    let nobody = |_: &Certificate| false;
    let answer = factory.answer(&factory.device);
    let trust = trust.with(|trust| trust.allowed = &nobody);
    assert_eq!(answered(&answer, &trust), Err(Rejected::Signer));
    // What is pinned must be an authority.
    let device = [factory.device.certificate.clone()];
    let wrong = Trust::new(&[], now()).with(|trust| trust.pinned = &device);
    assert!(matches!(
        open_answer(&answer, &wrong),
        Err(Error::NotAnAuthority)
    ));
}

#[test]
fn an_answer_that_nobody_signed_does_not_count() {
    let trust = Trust::new(&[], now());
    let answer = b"<dict><key>UDID</key><string>00008030</string></dict>";
    assert_eq!(answered(answer, &trust), Err(Rejected::Unsigned));
    assert!(matches!(
        open_answer(b"hello", &trust),
        Err(Error::Plist(_))
    ));
}

#[test]
fn a_profile_too_is_opened_under_a_pinned_authority() {
    let factory = Factory::new();
    let authority = [factory.authority.certificate.clone()];
    let trust = Trust::new(&[], now()).with(|trust| trust.pinned = &authority);
    let signed = factory.signed(&profile(&[]).to_xml().unwrap(), &factory.device);
    let opened = open(&signed, &trust).unwrap();
    assert_eq!(opened.accept(Require::default()).unwrap(), profile(&[]));
}
