//! One authority under ACME and SCEP: neither door opens what the other keeps shut, and no name passes either unseen.

use std::sync::Arc;

use mdm_core::Secret;
use mdm_pki::{
    CertificateRequestBuilder, GeneralName, KeyAlgorithm, KeySpec, Name, PrivateKey,
    SignatureAlgorithm,
};
use mdm_scep::{
    Bound, CertificateProfile, FailInfo, MessageType, Store as _, ca::SanRule, store::GrantKind,
};
use serde_json::json;

use super::{
    hosts::{Outside, ordered},
    raw::b64,
    world::{CLIENT, World, answer, csr, download, finalize},
};
use crate::world::{DEVICE_KEY, OTHER_KEY, Setup, World as Scep, csr as scep_csr, rsa_key};

/// A length below 256 in its longer form, which DER does not allow and OpenSSL reads.
fn odd(tag: u8, value: &[u8]) -> Vec<u8> {
    [&[tag, 0x81, value.len() as u8][..], value].concat()
}

fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = value.len();
    let header = match length {
        0..128 => vec![tag, length as u8],
        128..256 => vec![tag, 0x81, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    [&header[..], value].concat()
}

fn common_name(text: &str) -> Vec<u8> {
    let kind = [6, 3, 0x55, 4, 3];
    tlv(0x30, &[&kind[..], &tlv(0x0c, text.as_bytes())].concat())
}

/// Subjects with a name in plain sight or none, and one that a strict reader of DER walks past.
fn with_hidden_names(seen: &str) -> [Vec<u8>; 3] {
    let hidden = odd(0x31, &common_name("admin"));
    let seen = tlv(0x31, &common_name(seen));
    let trailing = [common_name("admin"), vec![5, 0]].concat();
    [
        tlv(0x30, &hidden),
        tlv(0x30, &[&seen[..], &hidden].concat()),
        tlv(0x30, &[seen, tlv(0x31, &odd(0x30, &trailing))].concat()),
    ]
}

fn csr_of(key: &PrivateKey, subject: &[u8], challenge: &str) -> Vec<u8> {
    let kind = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 7];
    let challenge = tlv(0x31, &tlv(0x0c, challenge.as_bytes()));
    let attribute = tlv(0x30, &[&kind[..], &challenge].concat());
    let spki = key.public_key().to_spki_der();
    let inside = [&[2, 1, 0][..], subject, spki, &tlv(0xa0, &attribute)].concat();
    let info = tlv(0x30, &inside);
    let (algorithm, identifier) = match key.public_key().algorithm() {
        KeyAlgorithm::Ec(_) => (
            SignatureAlgorithm::EcdsaSha256,
            &[0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2][..],
        ),
        _ => (
            SignatureAlgorithm::RsaPkcs1Sha256,
            &[
                0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11, 5, 0,
            ][..],
        ),
    };
    let signature = key.sign_message(algorithm, &info).unwrap();
    let signature = tlv(3, &[&[0][..], &signature].concat());
    tlv(0x30, &[&info[..], identifier, &signature].concat())
}

#[tokio::test]
async fn a_subject_that_cannot_be_read_to_its_end_gets_no_certificate() {
    let world = World::new();
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    let (client, order) = world.ready(&key).await;
    for subject in with_hidden_names(CLIENT) {
        let asked = json!({"csr": b64(csr_of(&key, &subject, "x"))});
        let refused = finalize(&client, &order, asked).await;
        refused.problem(400, "badCSR");
    }
    assert_eq!(world.permits.issued(), 0);
    let plain = tlv(0x30, &tlv(0x31, &common_name(CLIENT)));
    let asked = json!({"csr": b64(csr_of(&key, &plain, "x"))});
    finalize(&client, &order, asked).await.ok(200);

    let scep = Scep::new();
    let key = rsa_key(DEVICE_KEY);
    let challenge = scep.challenge_bound(Bound::common_name("device 7")).await;
    for subject in with_hidden_names("device 7") {
        let request = scep.request(&challenge).with(|raw| {
            raw.content = csr_of(&key, &subject, challenge.expose());
        });
        scep.refused(&request, FailInfo::BadMessageCheck).await;
    }
    let plain = tlv(0x30, &tlv(0x31, &common_name("device 7")));
    let request = scep.request(&challenge).with(|raw| {
        raw.content = csr_of(&key, &plain, challenge.expose());
    });
    let reply = scep.ask(request.build()).await;
    assert_eq!(reply.certificates(&key).len(), 1);
}

#[tokio::test]
async fn a_key_that_a_device_attested_gets_no_certificate_for_another_key_by_scep() {
    let scep = Scep::with(Setup {
        ra: true,
        ..Setup::default()
    });
    let (permits, ca) = (scep.store.clone(), scep.ca.clone());
    let acme = World::over(|_| permits, |store| store, |_| ca, |builder| builder);
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    let (client, order) = acme.ready(&key).await;
    let asked = csr(&key, Name::from_common_name(CLIENT));
    let done = finalize(&client, &order, asked).await.ok(200).json();
    let attested = download(&client, &done).await;

    for message_type in [MessageType::RenewalReq, MessageType::PkcsReq] {
        let new = scep_csr(&rsa_key(OTHER_KEY), CLIENT, Some("made up"));
        let request = scep.request(&Secret::new(String::new())).with(|raw| {
            raw.message_type = message_type;
            raw.signer = attested.clone();
            raw.key = key.clone();
            raw.content = new.to_der().to_vec();
        });
        scep.refused(&request, FailInfo::BadRequest).await;
        let told = scep.events.last();
        assert!(told.ends_with("has to attest each key"), "{told}");
    }
}

/// Whose names are copied from requests for renewal, so that nothing but the grant stands in the way.
#[tokio::test]
async fn a_host_name_that_acme_has_proven_gets_no_next_certificate_by_scep_without_new_proof() {
    let scep = Scep::with(Setup {
        profile: CertificateProfile::default()
            .with(|profile| profile.subject_alt_names = SanRule::Copy),
        ..Setup::default()
    });
    let (permits, ca) = (scep.store.clone(), scep.ca.clone());
    let outside = Arc::new(Outside::default());
    let http = outside.validation();
    let acme = World::over(
        |_| permits,
        |store| store,
        |_| ca,
        |builder| builder.http(http),
    );
    let client = acme.client().await;
    let (order, challenges) = ordered(&client, &["www.example.com"], "http-01").await;
    let (host, challenge) = &challenges[0];
    outside.meet(&client, host, challenge);
    answer(&client, challenge, json!({})).await.ok(200);
    let (key, name) = (rsa_key(DEVICE_KEY), Name::from_common_name(host));
    let asked = |key: &PrivateKey| {
        let names = CertificateRequestBuilder::new(name.clone());
        names.san(GeneralName::Dns(host.clone())).sign(key).unwrap()
    };
    let csr = json!({"csr": b64(asked(&key).to_der())});
    let done = finalize(&client, &order, csr).await.ok(200).json();
    let proven = download(&client, &done).await;
    let kept = scep.store.certificate(proven.serial()).await.unwrap();
    assert_eq!(kept.unwrap().granted, Some(GrantKind::Order));

    for message_type in [MessageType::RenewalReq, MessageType::PkcsReq] {
        let request = scep.request(&Secret::new(String::new())).with(|raw| {
            raw.message_type = message_type;
            raw.signer = proven.clone();
            raw.content = asked(&rsa_key(OTHER_KEY)).to_der().to_vec();
        });
        scep.refused(&request, FailInfo::BadRequest).await;
        let told = scep.events.last();
        assert!(told.ends_with("proves its names each time"), "{told}");
    }
    assert_eq!(scep.store.issued(), 1);
}
