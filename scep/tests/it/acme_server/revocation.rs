//! Revocation: by whom, for which reasons; and when to renew (RFC 9773).

use mdm_core::Clock as _;
use mdm_pki::{Certificate, CertificateBuilder, Name, PrivateKey, RevocationReason};
use mdm_scep::{
    CertificateAuthority as _,
    acme::{Limits, ari::CertId},
};
use serde_json::{Value, json};

use super::{
    raw::{Answer, Raw, b64, jwk, unb64},
    world::{World, csr, device_identifiers, download, ec, enrol, finalize, ready_order, start},
};

async fn revoke(client: &Raw, certificate: &Certificate, reason: Option<u8>) -> Answer {
    let mut payload = json!({"certificate": b64(certificate.to_der())});
    if let Some(reason) = reason {
        payload["reason"] = json!(reason);
    }
    client.post(&client.url("revokeCert"), payload).await
}

/// Whoever has this key and no account.
async fn holder(world: &World, key: &PrivateKey) -> Raw {
    let mut raw = Raw::new(&world.server).await;
    raw.key = key.clone();
    raw
}

async fn revoked(world: &World, certificate: &Certificate) -> Option<RevocationReason> {
    let record = world.ca.find(certificate.serial()).await.unwrap().unwrap();
    record.revoked.map(|revocation| revocation.reason)
}

#[tokio::test]
async fn the_account_of_the_order_revokes_once() {
    let world = World::new();
    let (client, _, certificate) = enrol(&world, &ec()).await;
    let answer = revoke(&client, &certificate, Some(4)).await.ok(200);
    assert!(answer.body.is_empty());
    assert_eq!(
        revoked(&world, &certificate).await,
        Some(RevocationReason::Superseded)
    );
    revoke(&client, &certificate, None)
        .await
        .problem(400, "alreadyRevoked");
    world.heard.has("revoked: Superseded");
}

#[tokio::test]
async fn the_key_of_the_certificate_revokes() {
    let world = World::new();
    let key = ec();
    let (_, _, certificate) = enrol(&world, &key).await;
    let holder = holder(&world, &key).await;
    revoke(&holder, &certificate, Some(1)).await.ok(200);
    assert_eq!(
        revoked(&world, &certificate).await,
        Some(RevocationReason::KeyCompromise)
    );
}

#[tokio::test]
async fn an_account_that_has_proven_all_names_revokes() {
    let world = World::with(|builder| {
        builder.limits(Limits::default().with(|limits| limits.open_orders = 1000))
    });
    let (_, _, certificate) = enrol(&world, &ec()).await;
    let other = world.client().await;
    revoke(&other, &certificate, None)
        .await
        .problem(403, "unauthorized");
    ready_order(&other, &ec()).await;
    // Further orders stand before the one that proves it.
    for _ in 0..150 {
        other.order(device_identifiers()).await.ok(201);
    }
    revoke(&other, &certificate, None).await.ok(200);
    // Proof that has ended is none.
    let (_, _, certificate) = enrol(&world, &ec()).await;
    let late = world.client().await;
    ready_order(&late, &ec()).await;
    world.pass(7 * 24 * 3600);
    revoke(&late, &certificate, None)
        .await
        .problem(403, "unauthorized");
}

#[tokio::test]
async fn a_forged_revocation_revokes_nothing() {
    let world = World::new();
    let key = ec();
    let (client, _, certificate) = enrol(&world, &key).await;
    let mut told = std::collections::BTreeSet::new();
    let mut refused = |answer: Answer| {
        told.insert(answer.problem(403, "unauthorized").body);
    };
    // By a stranger, by another key, by the key of another certificate.
    let stranger = world.client().await;
    refused(revoke(&stranger, &certificate, None).await);
    refused(revoke(&holder(&world, &ec()).await, &certificate, None).await);
    let other_key = ec();
    enrol(&world, &other_key).await;
    refused(revoke(&holder(&world, &other_key).await, &certificate, None).await);
    // With a certificate of one's own key and the victim's serial number.
    let own = ec();
    let forged = CertificateBuilder::new(Name::from_common_name("x"), own.public_key())
        .serial(certificate.serial())
        .validity(start(), start() + chrono::TimeDelta::days(1))
        .self_signed(&own)
        .unwrap();
    refused(revoke(&holder(&world, &own).await, &forged, None).await);
    // And one that the authority has never issued.
    refused(revoke(&client, &world.root, None).await);
    assert_eq!(told.len(), 1, "all in the same words");

    // The key of the certificate in the header, and the signature of another.
    let url = client.url("revokeCert");
    let mut thief = holder(&world, &ec()).await;
    let mut header = thief.header(&url).await;
    header["jwk"] = jwk(&key);
    let payload = json!({"certificate": b64(certificate.to_der())});
    let payload = serde_json::to_vec(&payload).unwrap();
    thief
        .post_header(&url, &header, &payload)
        .await
        .problem(400, "malformed");
    // The victim's account in the header.
    thief.kid.clone_from(&client.kid);
    let header = thief.header(&url).await;
    thief
        .post_header(&url, &header, &payload)
        .await
        .problem(400, "malformed");
    assert_eq!(revoked(&world, &certificate).await, None);
}

#[tokio::test]
async fn the_reason_is_one_that_a_client_can_have() {
    let world = World::new();
    let (client, _, certificate) = enrol(&world, &ec()).await;
    for reason in [2, 6, 7, 8, 10, 11, 255] {
        revoke(&client, &certificate, Some(reason))
            .await
            .problem(400, "badRevocationReason");
    }
    for payload in [
        json!({}),
        json!({"certificate": ""}),
        json!({"certificate": b64("garbage")}),
        json!({"certificate": certificate.to_pem()}),
        json!({"certificate": b64(certificate.to_der()), "reason": "1"}),
    ] {
        client
            .post(&client.url("revokeCert"), payload)
            .await
            .problem(400, "malformed");
    }
    assert_eq!(revoked(&world, &certificate).await, None);
    for reason in [None, Some(0), Some(1), Some(3), Some(4), Some(5), Some(9)] {
        let (client, _, certificate) = enrol(&world, &ec()).await;
        revoke(&client, &certificate, reason).await.ok(200);
    }
}

/// RFC 9773 section 4.1, by hand.
fn cert_id(certificate: &Certificate) -> String {
    let key = certificate.authority_key_id().unwrap();
    format!("{}.{}", b64(key), b64(certificate.serial()))
}

#[tokio::test]
async fn renewal_is_advised_in_the_last_third_and_at_once_for_what_is_revoked() {
    let world = World::new();
    let (client, _, certificate) = enrol(&world, &ec()).await;
    let base = client.url("renewalInfo");
    let url = format!("{base}/{}", cert_id(&certificate));
    let answer = client.get(&url).await.ok(200);
    assert_eq!(answer.header("retry-after"), "21600");
    let window = &answer.json()["suggestedWindow"];
    let time = |name: &str| -> chrono::DateTime<chrono::Utc> {
        window[name].as_str().unwrap().parse().unwrap()
    };
    let lifetime = certificate.not_after() - certificate.not_before();
    assert_eq!(time("start"), certificate.not_after() - lifetime / 3);
    assert_eq!(time("end"), certificate.not_after() - lifetime / 6);

    world.pass(60);
    revoke(&client, &certificate, None).await.ok(200);
    let window = client.get(&url).await.ok(200).json()["suggestedWindow"].clone();
    assert_eq!(window["start"], "2026-03-01T12:01:00Z");

    let root_key = world.root.subject_key_id().unwrap();
    for (name, status) in [
        (format!("{}.{}", b64(root_key), b64([1; 16])), 404),
        (
            format!("{}.{}", b64([1; 20]), b64(certificate.serial())),
            404,
        ),
        ("x".to_owned(), 400),
        ("AA.AA=".to_owned(), 400),
    ] {
        let answer = client.get(&format!("{base}/{name}")).await;
        answer.problem(status, "malformed");
    }
}

async fn replace(client: &Raw, identifiers: Value, certificate: &Certificate) -> Answer {
    let payload = json!({"identifiers": identifiers, "replaces": cert_id(certificate)});
    client.post(&client.url("newOrder"), payload).await
}

#[tokio::test]
async fn a_certificate_that_has_just_ended_can_still_be_replaced() {
    for (days, status) in [(0, 201), (6, 201), (8, 400)] {
        let world = World::new();
        let (client, _, certificate) = enrol(&world, &ec()).await;
        let left = certificate.not_after() - world.clock.now();
        world.pass(left.num_seconds() + days * 24 * 3600);
        world.server.forget_old().await.unwrap();
        let replaced = replace(&client, device_identifiers(), &certificate).await;
        assert_eq!(replaced.status, status, "after {days} days: {replaced:?}");
    }
}

#[tokio::test]
async fn a_certificate_is_replaced_by_one_order_of_its_account() {
    let world = World::new();
    let key = ec();
    let (client, _, certificate) = enrol(&world, &key).await;
    let name: CertId = cert_id(&certificate).parse().unwrap();
    assert_eq!(unb64(&b64(name.serial())), certificate.serial());
    let stranger = world.client().await;
    replace(&stranger, device_identifiers(), &certificate)
        .await
        .problem(400, "malformed");
    world.expected.add("client-8", None, super::world::mac());
    let other = json!([{"type": "permanent-identifier", "value": "client-8"}]);
    replace(&client, other, &certificate)
        .await
        .problem(400, "malformed");
    for broken in ["x", "AA.AA", &format!("{}x", cert_id(&certificate))] {
        let payload = json!({"identifiers": device_identifiers(), "replaces": broken});
        let answer = client.post(&client.url("newOrder"), payload).await;
        assert_eq!(answer.status, 400, "{broken}");
    }

    let first = replace(&client, device_identifiers(), &certificate).await;
    let first = first.ok(201);
    assert_eq!(first.json()["replaces"], cert_id(&certificate));
    replace(&client, device_identifiers(), &certificate)
        .await
        .problem(409, "alreadyReplaced");
    // One that failed does not stand in the way.
    let authorization = first.json()["authorizations"][0].clone();
    let given_up = json!({"status": "deactivated"});
    client
        .post(authorization.as_str().unwrap(), given_up)
        .await
        .ok(200);
    replace(&client, device_identifiers(), &certificate)
        .await
        .ok(201);
    // Renewal with another key is an order like any other.
    let key = ec();
    let order = ready_order(&client, &key).await;
    let done = finalize(&client, &order, csr(&key, Name::default())).await;
    let renewed = download(&client, &done.ok(200).json()).await;
    assert_ne!(renewed, certificate);
}
