//! Every byte of a valid request is changed in turn: a certificate comes out only where the bytes
//! still mean the very request.

use std::{collections::BTreeSet, sync::Arc};

use mdm_core::Secret;
use mdm_scep::{FailInfo, PkiMessage, PkiStatus, challenge::Verdict, store::Grant};

use crate::world::{Fixed, Setup, World};

/// The places that nothing signs and nobody reads: the versions of SignedData and SignerInfo, the list
/// of digests in front, and the NULL beside `rsaEncryption`.
fn meaningless(message: &[u8]) -> Vec<usize> {
    const FRONT: &[u8] = b"\x02\x01\x01\x31\x0d\x30\x0b\x06\x09";
    const SIGNER: &[u8] = b"\x02\x01\x01\x30";
    const RSA_NULL: &[u8] = b"\xf7\x0d\x01\x01\x01\x05\x00\x04\x82\x01\x00";
    let first = |pattern: &[u8]| {
        message
            .windows(pattern.len())
            .position(|at| at == pattern)
            .unwrap()
    };
    let last = |pattern: &[u8]| {
        message
            .windows(pattern.len())
            .rposition(|at| at == pattern)
            .unwrap()
    };
    let front = first(FRONT) + 2;
    let null = last(RSA_NULL) + 5;
    (front..front + 18)
        .chain([last(SIGNER) + 2, null, null + 1])
        .collect()
}

/// A world whose verifier accepts every request that is proven: no spent challenge hides a mistake.
fn generous() -> World {
    World::with(Setup {
        verifier: Some(Arc::new(Fixed(Ok(Verdict::Granted(Grant::elsewhere("x")))))),
        ..Setup::default()
    })
}

#[tokio::test]
async fn no_changed_byte_of_a_message_yields_a_certificate_unless_it_means_nothing() {
    let world = generous();
    let message = world.request(&Secret::new("c".to_owned())).build();
    let meaningless = meaningless(&message);
    let mut taken = 0;
    for place in 0..message.len() {
        let mut changed = message.clone();
        changed[place] ^= 1 << (place % 8);
        let response = world.post(changed).await;
        let status = match response.status().as_u16() {
            400 => None,
            200 => {
                let reply = PkiMessage::parse(response.body(), 1 << 20).unwrap();
                reply.verify().unwrap();
                reply.attributes.status
            }
            other => panic!("byte {place}: status {other}"),
        };
        if status == Some(PkiStatus::Success) {
            assert!(
                meaningless.contains(&place),
                "byte {place} was changed and taken"
            );
            taken += 1;
        }
        assert_eq!(world.store.issued(), taken, "byte {place}");
    }
}

#[tokio::test]
async fn no_changed_byte_of_a_csr_yields_a_certificate() {
    let world = generous();
    let good = world.request(&Secret::new("c".to_owned()));
    for place in 0..good.content.len() {
        let raw = good
            .clone()
            .with(|raw| raw.content[place] ^= 1 << (place % 8));
        world.refused(&raw, FailInfo::BadMessageCheck).await;
    }
    assert_eq!(world.store.issued(), 0);
    world.ask(good.build()).await.certificates(&good.key);
}

#[tokio::test]
async fn no_changed_byte_of_an_envelope_yields_a_certificate_or_another_refusal() {
    let world = generous();
    let good = world.request(&Secret::new("c".to_owned()));
    let sealed = good.seal();
    let mut reasons = BTreeSet::new();
    for place in 0..sealed.len() {
        let mut envelope = sealed.clone();
        envelope[place] ^= 1 << (place % 8);
        let raw = good.clone().with(|raw| raw.envelope = Some(envelope));
        let attributes = world.ask(raw.build()).await.message.attributes;
        if attributes.status == Some(PkiStatus::Failure) {
            reasons.insert(attributes.fail_info.map(FailInfo::number));
            continue;
        }
        // Whom a lone recipient names, and versions, are not looked at; what is inside is.
        let recipient = sealed.windows(4).position(|at| at == RSA_2048).unwrap();
        assert!(place < recipient, "byte {place} was changed and taken");
    }
    // badAlg where the cipher's own name changed, which everybody can read; else one and the same.
    assert_eq!(reasons, BTreeSet::from([Some(0), Some(1)]));
}

/// The header of an OCTET STRING of 256 bytes: the wrapped key.
const RSA_2048: &[u8] = &[0x04, 0x82, 0x01, 0x00];
