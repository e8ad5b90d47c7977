//! No altered byte verifies, and no input panics.

use mdm_pki::{
    DigestAlgorithm, SignatureVerifier,
    cms::{
        DecryptPolicy, EnvelopedData, EnvelopedDataBuilder, Limits, SignedData, SignedDataBuilder,
        Verify,
    },
};
use proptest::prelude::*;

use crate::support::{Pki, now};

const CONTENT: &[u8] = b"the content that was signed";

fn signed() -> Vec<u8> {
    let device = Pki::get().ec_device();
    SignedDataBuilder::new(CONTENT)
        .signer(&device.certificate, DigestAlgorithm::Sha256)
        .chain(&device.chain)
        .signing_time(now())
        .sign(&device.key)
        .unwrap()
}

#[test]
fn no_flipped_byte_of_a_signed_message_verifies_with_other_content() {
    let pki = Pki::get();
    let roots = [pki.root.certificate.clone()];
    let bytes = signed();
    for at in 0..bytes.len() {
        for flip in [0x01, 0xa0] {
            let mut altered = bytes.clone();
            altered[at] ^= flip;
            let Ok(message) = SignedData::parse(&altered, &Limits::default()) else {
                continue;
            };
            let signer = message.signers().first();
            if signer.is_none_or(|signer| message.verify_signature(signer, None).is_err()) {
                continue;
            }
            let Ok(found) = message.verify_one(&Verify::new(&roots, now())) else {
                continue;
            };
            if found.trusted().is_ok() {
                assert_eq!(message.content(), Some(CONTENT), "byte {at}");
                assert_eq!(
                    found.signer.as_ref(),
                    Some(&pki.ec_device().certificate),
                    "byte {at}"
                );
            }
        }
    }
}

#[test]
fn no_flipped_byte_of_a_detached_signature_names_another_signer() {
    let pki = Pki::get();
    let device = pki.rsa_device();
    let bytes = SignedDataBuilder::new(CONTENT)
        .detached()
        .signer(&device.certificate, DigestAlgorithm::Sha256)
        .sign(&device.key)
        .unwrap();
    let verifier = SignatureVerifier::new(vec![pki.root.certificate.clone()]).unwrap();
    let mut accepted = 0;
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 0x01;
        if let Ok(signer) = verifier.verify(&altered, CONTENT, now()) {
            assert_eq!(signer, device.certificate, "byte {at}");
            accepted += 1;
        }
        assert!(verifier.verify(&altered, b"other", now()).is_err());
    }
    // Versions, the list of digests and the parameters of algorithms are not covered by the signature.
    assert!(accepted < 40, "{accepted}");
}

#[test]
fn truncations_are_errors() {
    let bytes = signed();
    let envelope = EnvelopedDataBuilder::new(CONTENT)
        .recipient(&Pki::get().rsa_device().certificate)
        .encrypt()
        .unwrap();
    for cut in 0..bytes.len() {
        assert!(SignedData::parse(&bytes[..cut], &Limits::default()).is_err());
    }
    for cut in 0..envelope.len() {
        assert!(EnvelopedData::parse(&envelope[..cut], &Limits::default()).is_err());
    }
}

#[test]
fn no_flipped_byte_of_an_envelope_panics() {
    let device = Pki::get().rsa_device();
    let envelope = EnvelopedDataBuilder::new(CONTENT)
        .recipient(&device.certificate)
        .encrypt()
        .unwrap();
    let policy = DecryptPolicy::default().with(|policy| policy.single_des = true);
    for at in 0..envelope.len() {
        let mut altered = envelope.clone();
        altered[at] ^= 0x21;
        if let Ok(message) = EnvelopedData::parse(&altered, &Limits::default()) {
            let _ = message.decrypt(&device.key, &policy);
        }
    }
}

proptest! {
    #[test]
    fn no_input_panics(input in prop::collection::vec(any::<u8>(), 0..400)) {
        let limits = Limits::default();
        let _ = SignedData::parse(&input, &limits);
        let _ = EnvelopedData::parse(&input, &limits);
        let _ = mdm_pki::Certificate::from_der(&input);
        let _ = mdm_pki::CertificateRequest::from_der(&input);
        let _ = mdm_pki::Name::from_der(&input);
        let _ = mdm_pki::PublicKey::from_spki_der(&input);
        let _ = mdm_pki::GeneralName::list_from_der(&input);
        let _ = mdm_pki::pem::decode(&input);
        let _ = mdm_pki::pem::decode_base64(&input);
    }

    #[test]
    fn splicing_a_message_never_panics(at in 0_usize..1500, with in prop::collection::vec(any::<u8>(), 0..20), drop in 0_usize..40) {
        let mut bytes = signed();
        let at = at.min(bytes.len());
        let end = (at + drop).min(bytes.len());
        bytes.splice(at..end, with);
        if let Ok(message) = SignedData::parse(&bytes, &Limits::default()) {
            let roots = [Pki::get().root.certificate.clone()];
            if let Ok(found) = message.verify_one(&Verify::new(&roots, now())) {
                prop_assert!(found.trusted().is_err() || message.content() == Some(CONTENT));
            }
        }
    }
}
