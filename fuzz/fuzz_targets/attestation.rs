//! Any bytes as an answer of a device: as CBOR, as a chain of certificates, and as the values of a genuine attestation,
//! which is believed exactly where its freshness is the one asked for.
#![no_main]

use std::sync::OnceLock;

use chrono::{DateTime, TimeDelta, Utc};
use libfuzzer_sys::fuzz_target;
use mdm_pki::{
    Certificate, CertificateBuilder, KeySpec, KeyUsage, Name, Oid, PrivateKey,
    attestation::{Answer, Freshness, Limits, Statement, Verdict, Verifier},
};

const TOKEN: &str = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ";
const NONCE: [u8; 4] = *b"once";
/// The extensions of the table, and one beside them.
const OIDS: [Oid; 11] = [
    Oid::constant("1.2.840.113635.100.8.11.1"),
    Oid::constant("1.2.840.113635.100.8.9.1"),
    Oid::constant("1.2.840.113635.100.8.9.2"),
    Oid::constant("1.2.840.113635.100.8.9.4"),
    Oid::constant("1.2.840.113635.100.8.10.1"),
    Oid::constant("1.2.840.113635.100.8.10.2"),
    Oid::constant("1.2.840.113635.100.8.10.3"),
    Oid::constant("1.2.840.113635.100.8.13.1"),
    Oid::constant("1.2.840.113635.100.8.13.2"),
    Oid::constant("1.2.840.113635.100.8.13.3"),
    Oid::constant("1.2.840.113635.100.8.9.3"),
];

struct World {
    now: DateTime<Utc>,
    key: PrivateKey,
    root: Certificate,
    device: PrivateKey,
    verifier: Verifier,
}

fuzz_target!(|data: &[u8]| {
    let world = world();
    let Some((mode, data)) = data.split_first() else {
        return;
    };
    match mode % 3 {
        0 => cbor(world, data),
        1 => chain(world, data),
        _ => values(world, data),
    }
});

fn cbor(world: &World, data: &[u8]) {
    if let Ok(Answer::Attested(statement)) = Answer::from_cbor(data, &Limits::default()) {
        never(world, &statement);
    }
}

/// Certificates behind their lengths, one byte or two.
fn chain(world: &World, data: &[u8]) {
    let chain: Vec<_> = parts(data).collect();
    if let Ok(Answer::Attested(statement)) = Answer::from_chain(&chain, &Limits::default()) {
        never(world, &statement);
    }
}

/// Each part is the value of the extension in its place; the root vouches for all of them.
fn values(world: &World, data: &[u8]) {
    let mut leaf = CertificateBuilder::new(Name::from_common_name("d"), world.device.public_key())
        .validity(world.now, world.now + TimeDelta::days(1));
    let mut fresh = false;
    for (at, (oid, value)) in OIDS.into_iter().zip(parts(data)).enumerate() {
        leaf = leaf.extension(oid, false, value);
        fresh |= at == 0 && value == NONCE;
    }
    let leaf = leaf.sign(&world.root, &world.key).expect("it is signed");
    let answer = Answer::from_chain(&[leaf.to_der()], &Limits::default());
    let Ok(Answer::Attested(statement)) = answer else {
        panic!("a chain that was just made is not read: {answer:?}");
    };
    let freshness = Freshness::nonce(NONCE);
    let outcome = world.verifier.verify(&statement, &freshness, world.now);
    assert_eq!(outcome.is_ok(), fresh, "{outcome:?}");
    if let Ok(attestation) = outcome {
        let posture = attestation.posture();
        let good = [
            (posture.sip.known().is_some(), posture.sip_enabled()),
            (
                posture.secure_boot.known().is_some(),
                posture.full_security(),
            ),
            (
                posture.third_party_kexts.known().is_some(),
                posture.no_third_party_kexts(),
            ),
        ];
        assert!(
            good.iter()
                .all(|(known, verdict)| *known != (*verdict == Verdict::Unknown))
        );
        let serial = posture.serial_number.known();
        assert!(serial.is_none_or(|serial| !serial.as_str().trim().is_empty()));
        assert!(attestation.key().matches(world.device.public_key()));
    }
}

/// Nobody can make an attestation without the key.
fn never(world: &World, statement: &Statement) {
    let _ = statement.unverified_posture();
    let freshness = Freshness::acme(TOKEN);
    assert!(
        world
            .verifier
            .verify(statement, &freshness, world.now)
            .is_err()
    );
}

fn parts(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = data.split_first()?;
        let (length, rest) = match length {
            0xff => rest
                .split_first_chunk()
                .map(|(length, rest)| (usize::from(u16::from_be_bytes(*length)), rest))?,
            short => (usize::from(*short), rest),
        };
        let (part, rest) = rest.split_at(length.min(rest.len()));
        data = rest;
        Some(part)
    })
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let now = DateTime::from_timestamp(1_780_000_000, 0).expect("a time");
        let key = PrivateKey::generate(KeySpec::P256).expect("a key");
        let root = CertificateBuilder::new(Name::from_common_name("root"), key.public_key())
            .validity(now - TimeDelta::days(1), now + TimeDelta::days(1))
            .ca(None)
            .key_usage(KeyUsage::KEY_CERT_SIGN)
            .self_signed(&key)
            .expect("a root");
        World {
            now,
            device: PrivateKey::generate(KeySpec::P256).expect("a key"),
            verifier: Verifier::new(std::slice::from_ref(&root)).expect("a verifier"),
            key,
            root,
        }
    })
}
