//! Attestations against chains that the fake Apple makes: what is wrong with one is named, and what is right is read.

mod hostile;
mod incidents;
mod posture;

use std::sync::OnceLock;

use mdm_fake_apple::attestation::{AttestationAuthority, Leaf};
use mdm_pki::{
    Certificate, KeySpec, PrivateKey,
    attestation::{Answer, Attestation, AttestationError, Freshness, Limits, Statement, Verifier},
};

use crate::support::now;

const TOKEN: &str = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ";

fn apple() -> &'static AttestationAuthority {
    static APPLE: OnceLock<AttestationAuthority> = OnceLock::new();
    APPLE.get_or_init(|| AttestationAuthority::new(now()).unwrap())
}

fn root() -> Certificate {
    Certificate::from_der(apple().root()).unwrap()
}

fn verifier() -> Verifier {
    Verifier::new(&[root()]).unwrap()
}

/// The key in the device.
fn key() -> &'static PrivateKey {
    static KEY: OnceLock<PrivateKey> = OnceLock::new();
    KEY.get_or_init(|| PrivateKey::generate(KeySpec::P384).unwrap())
}

/// A Mac that is as it should be and answers [`TOKEN`].
fn mac() -> Leaf<'static> {
    apple().leaf(key().public_key()).acme(TOKEN).healthy_mac()
}

fn read(att_obj: &[u8]) -> Result<Option<Statement>, AttestationError> {
    Ok(match Answer::from_cbor(att_obj, &Limits::default())? {
        Answer::Attested(statement) => Some(statement),
        Answer::Unattested => None,
    })
}

fn statement(leaf: &Leaf<'_>) -> Statement {
    read(&leaf.cbor().unwrap()).unwrap().unwrap()
}

/// As a server does with the answer to [`TOKEN`].
fn verify(leaf: &Leaf<'_>) -> Result<Attestation, AttestationError> {
    verifier().verify(&statement(leaf), &Freshness::acme(TOKEN), now())
}
