//! What others were caught with, one test each: an attestation that a server must not believe.

use mdm_fake_apple::attestation::{AttestationAuthority, Defect};
use mdm_pki::{
    Certificate, CertificateRequestBuilder, Curve, DigestAlgorithm, KeyAlgorithm, KeySpec, Name,
    PrivateKey,
    attestation::{Answer, AttestationError, Freshness, Limits, Property, Verifier},
    cms::VerifyError,
    digest,
};

use super::{TOKEN, apple, key, mac, root, statement, verifier, verify};
use crate::support::{days, now};

fn refusal(defect: Defect) -> AttestationError {
    verify(&mac().defect(defect)).unwrap_err()
}

#[test]
fn an_attestation_without_freshness_is_refused() {
    let error = refusal(Defect::NoFreshness);
    assert!(
        matches!(error, AttestationError::FreshnessMissing),
        "{error}"
    );
}

#[test]
fn an_attestation_for_another_token_is_refused() {
    let error = refusal(Defect::OtherFreshness);
    assert!(
        matches!(error, AttestationError::FreshnessMismatch),
        "{error}"
    );
    let other = mac().acme("another-token-of-the-same-server");
    assert!(matches!(
        verify(&other),
        Err(AttestationError::FreshnessMismatch)
    ));
}

#[test]
fn a_blank_serial_number_is_no_serial_number_and_no_user_enrolment() {
    let attestation = verify(&mac().defect(Defect::BlankSerial)).unwrap();
    let posture = attestation.posture();
    assert_eq!(posture.serial_number, Property::Unknown(Vec::new()));
    assert_eq!(posture.serial_number.known(), None);
    assert!(!posture.withholds_identity());
}

#[test]
fn a_leaf_key_that_is_not_the_keys_of_the_csr_is_told() {
    let attestation = verify(&mac()).unwrap();
    let csr = |key: &PrivateKey| {
        CertificateRequestBuilder::new(Name::from_common_name("device"))
            .sign(key)
            .unwrap()
            .public_key()
            .unwrap()
    };
    assert!(attestation.key().matches(&csr(key())));
    for spec in [
        KeySpec::P256,
        KeySpec::P384,
        KeySpec::P521,
        KeySpec::Rsa2048,
    ] {
        let other = PrivateKey::generate(spec).unwrap();
        assert!(!attestation.key().matches(&csr(&other)), "{spec:?}");
    }
    let other = verify(&mac().defect(Defect::OtherKey)).unwrap();
    assert!(!other.key().matches(&csr(key())));
}

#[test]
fn a_leaf_signed_by_a_leaf_is_refused() {
    let error = refusal(Defect::SignedByLeaf);
    assert!(matches!(error, AttestationError::Untrusted(_)), "{error}");
}

#[test]
fn a_leaf_signed_by_a_leaf_that_is_pinned_is_refused_too() {
    let chain = mac().defect(Defect::SignedByLeaf).chain().unwrap();
    let genuine = Certificate::from_der(&chain[1]).unwrap();
    let verifier = Verifier::new(&[genuine]).unwrap();
    let Answer::Attested(statement) = Answer::from_chain(&chain, &Limits::default()).unwrap()
    else {
        panic!("nothing attested");
    };
    let outcome = verifier.verify(&statement, &Freshness::acme(TOKEN), now());
    assert!(outcome.is_err(), "{outcome:?}");
}

#[test]
fn an_expired_attestation_is_refused() {
    for defect in [Defect::Expired, Defect::SubCaExpired] {
        let error = refusal(defect);
        let expired = matches!(
            error,
            AttestationError::Validity(VerifyError::Expired { .. })
        );
        assert!(expired, "{defect:?}: {error}");
    }
    let error = refusal(Defect::NotYetValid);
    assert!(
        matches!(
            error,
            AttestationError::Validity(VerifyError::NotYetValid { .. })
        ),
        "{error}"
    );
    // What holds today holds no more when the device's certificate is over.
    let late = verifier().verify(
        &statement(&mac()),
        &Freshness::acme(TOKEN),
        now() + days(91),
    );
    assert!(matches!(late, Err(AttestationError::Validity(_))));
}

#[test]
fn a_device_information_chain_is_no_answer_to_acme_nor_the_other_way_round() {
    let nonce = [7; 32];
    let properties = apple().leaf(key().public_key()).nonce(&nonce).healthy_mac();
    let properties = statement(&properties);
    let verifier = verifier();
    let freshness = Freshness::nonce(nonce);
    verifier.verify(&properties, &freshness, now()).unwrap();
    let replayed = verifier.verify(&properties, &Freshness::acme(TOKEN), now());
    assert!(matches!(replayed, Err(AttestationError::FreshnessMismatch)));
    // The token itself as nonce is not the token's hash either.
    let token = Freshness::nonce(TOKEN.as_bytes());
    let replayed = verifier.verify(&statement(&mac()), &token, now());
    assert!(matches!(replayed, Err(AttestationError::FreshnessMismatch)));
}

#[test]
fn freshness_is_never_opened_as_der() {
    let error = refusal(Defect::WrappedFreshness);
    assert!(
        matches!(error, AttestationError::FreshnessMismatch),
        "{error}"
    );
    // 32 bytes that happen to be an OCTET STRING of 30: equal as they stand, and not by what is inside.
    let nonce = [&[0x04, 30][..], &[9; 30]].concat();
    let leaf = apple().leaf(key().public_key()).nonce(&nonce);
    let statement = statement(&leaf);
    let verify = |nonce: &[u8]| verifier().verify(&statement, &Freshness::nonce(nonce), now());
    verify(&nonce).unwrap();
    assert!(matches!(
        verify(&nonce[2..]),
        Err(AttestationError::FreshnessMismatch)
    ));
}

#[test]
fn a_second_freshness_does_not_hide_behind_the_first() {
    let error = refusal(Defect::TwoFreshnesses);
    assert!(matches!(error, AttestationError::Extensions(_)), "{error}");
}

#[test]
fn an_attested_key_is_known_again_by_its_fingerprint() {
    let first = verify(&mac()).unwrap();
    let again = verify(&mac().serial("C02BBBBBBBBB")).unwrap();
    let other = verify(&mac().defect(Defect::OtherKey)).unwrap();
    let fingerprint = first.key().fingerprint();
    assert_eq!(fingerprint, again.key().fingerprint());
    assert_ne!(fingerprint, other.key().fingerprint());
    let spki = key().public_key().to_spki_der();
    let expected = digest(DigestAlgorithm::Sha256, spki).unwrap();
    assert_eq!(fingerprint.as_bytes(), expected.as_slice());
}

#[test]
fn a_chain_to_an_unknown_root_is_refused() {
    let error = refusal(Defect::UnknownRoot);
    assert!(matches!(error, AttestationError::Untrusted(_)), "{error}");
    let foreign = AttestationAuthority::new(now()).unwrap();
    let leaf = foreign.leaf(key().public_key()).acme(TOKEN).with_root();
    // The root that came along is not believed because it came along.
    assert!(matches!(verify(&leaf), Err(AttestationError::Untrusted(_))));
}

#[test]
fn every_defect_of_a_chain_is_refused_by_name() {
    for defect in Defect::ALL {
        let error = match (defect, verify(&mac().defect(defect))) {
            // The key and the serial number are for the caller to compare.
            (Defect::BlankSerial | Defect::OtherKey, outcome) => {
                outcome.unwrap();
                continue;
            }
            (_, outcome) => outcome.unwrap_err(),
        };
        let named = match defect {
            Defect::Expired | Defect::NotYetValid | Defect::SubCaExpired => {
                matches!(error, AttestationError::Validity(_))
            }
            Defect::NoFreshness => matches!(error, AttestationError::FreshnessMissing),
            Defect::OtherFreshness | Defect::WrappedFreshness => {
                matches!(error, AttestationError::FreshnessMismatch)
            }
            Defect::TwoFreshnesses => matches!(error, AttestationError::Extensions(_)),
            Defect::LeafIsAuthority | Defect::Swapped => {
                matches!(error, AttestationError::LeafIsAuthority)
            }
            Defect::Sha1 => matches!(error, AttestationError::WeakSignature { index: 0 }),
            Defect::Stray => matches!(error, AttestationError::Order),
            _ => matches!(error, AttestationError::Untrusted(_)),
        };
        assert!(named, "{defect:?}: {error:?}");
        assert!(!error.is_internal());
    }
}

#[test]
fn a_root_that_comes_along_is_the_root_that_is_trusted() {
    let attestation = verify(&mac().with_root()).unwrap();
    assert_eq!(attestation.chain().len(), 3);
    assert_eq!(attestation.chain().last(), Some(&root()));
    assert_eq!(verify(&mac()).unwrap().chain().len(), 3);
}

#[test]
fn a_root_is_no_attestation_of_itself() {
    let answer = Answer::from_chain(&[apple().root()], &Limits::default()).unwrap();
    let Answer::Attested(statement) = answer else {
        panic!("nothing attested");
    };
    let outcome = verifier().verify(&statement, &Freshness::acme(TOKEN), now());
    assert!(matches!(outcome, Err(AttestationError::LeafIsAuthority)));
}

#[test]
fn only_keys_that_a_secure_enclave_holds_are_attested() {
    for (spec, attested) in [
        (KeySpec::P256, true),
        (KeySpec::P384, true),
        (KeySpec::P521, false),
        (KeySpec::Rsa2048, false),
    ] {
        let key = PrivateKey::generate(spec).unwrap();
        let leaf = apple().leaf(key.public_key()).acme(TOKEN);
        match verify(&leaf) {
            Ok(attestation) => {
                assert!(attested, "{spec:?}");
                assert!(matches!(
                    attestation.key().public_key().algorithm(),
                    KeyAlgorithm::Ec(Curve::P256 | Curve::P384)
                ));
            }
            Err(error) => {
                assert!(matches!(error, AttestationError::Key(_)), "{error}");
                assert!(!attested, "{spec:?}");
            }
        }
    }
}

#[test]
fn an_expectation_that_proves_nothing_is_refused() {
    let statement = statement(&mac());
    for freshness in [
        Freshness::acme(""),
        Freshness::acme("short"),
        Freshness::acme("evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ\n"),
        Freshness::nonce([]),
        Freshness::nonce([0; 33]),
    ] {
        let error = verifier()
            .verify(&statement, &freshness, now())
            .unwrap_err();
        assert!(error.is_internal(), "{error}");
    }
    assert!(Verifier::new(&[]).is_err());
}

#[test]
fn a_device_that_does_not_attest_is_an_answer_of_its_own() {
    let limits = Limits::default();
    for nothing in [&b""[..], b"{}", b" {} \n", b"\xa0", b"\xbf\xff"] {
        let answer = Answer::from_cbor(nothing, &limits).unwrap();
        assert!(matches!(answer, Answer::Unattested), "{nothing:02x?}");
    }
    let no_chain: [&[u8]; 0] = [];
    let answer = Answer::from_chain(&no_chain, &limits).unwrap();
    assert!(matches!(answer, Answer::Unattested));
}
