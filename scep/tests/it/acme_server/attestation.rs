//! `device-attest-01`: what has to be attested, by which device, for which question.

use std::sync::Arc;

use mdm_core::{SerialNumber, Udid};
use mdm_fake_apple::attestation::{Defect, Form, Kind, cbor};
use mdm_pki::{
    KeySpec, Name, PrivateKey,
    attestation::{Posture, Verdict},
};
use mdm_scep::acme::{DeviceIdentity, ExpectedDevice, attest::posture_fn};
use serde_json::{Value, json};

use super::{
    raw::{Raw, b64},
    world::{
        CLIENT, SERIAL, UDID, World, answer, apple, attests, csr, device_order, download, ec,
        finalize, mac, ready_order,
    },
};

/// An order of a device that may be expected in another way.
async fn ordered(world: &World, device: ExpectedDevice) -> (Raw, Value, Value) {
    world.expected.add(CLIENT, None, device);
    let client = world.client().await;
    let (order, challenge) = device_order(&client).await;
    (client, order, challenge)
}

/// What was answered is refused, the order with it, and nothing can be had.
#[track_caller]
fn refused(challenge: &Value) {
    assert_eq!(challenge["status"], "invalid", "{challenge}");
    assert_eq!(
        challenge["error"]["type"],
        "urn:ietf:params:acme:error:badAttestationStatement"
    );
}

async fn is_refused(world: &World, client: &Raw, order: &Value, challenge: &Value, payload: Value) {
    let answer = answer(client, challenge, payload).await.ok(200);
    refused(&answer.json());
    let url = order["url"].as_str().unwrap();
    let seen = client.fetch(url).await.ok(200).json();
    assert_eq!(seen["status"], "invalid");
    refused(&json!({"status": "invalid", "error": seen["error"]}));
    finalize(client, order, csr(&ec(), Name::default()))
        .await
        .problem(403, "orderNotReady");
    assert_eq!(world.permits.issued(), 0);
}

#[tokio::test]
async fn a_device_that_attests_gets_its_certificate() {
    let world = World::new();
    let key = PrivateKey::generate(KeySpec::P384).unwrap();
    let client = world.client().await;
    let order = ready_order(&client, &key).await;
    let seen = client.fetch(order["url"].as_str().unwrap()).await.ok(200);
    assert_eq!(seen.json()["status"], "ready");
    let authorization = order["authorizations"][0].as_str().unwrap();
    let authorization = client.fetch(authorization).await.ok(200).json();
    assert_eq!(authorization["status"], "valid");
    assert_eq!(authorization["challenges"][0]["status"], "valid");
    assert_eq!(
        authorization["challenges"][0]["validated"],
        "2026-03-01T12:00:00Z"
    );
    let done = finalize(&client, &order, csr(&key, Name::default()))
        .await
        .ok(200);
    assert_eq!(done.header("location"), order["url"]);
    let done = done.json();
    assert_eq!(done["status"], "valid");
    let certificate = download(&client, &done).await;
    assert!(certificate.public_key().unwrap().same_key(key.public_key()));
    world.heard.has("proven: Ada's Mac, true");
    world.heard.has("issued: Ada's Mac");
}

#[tokio::test]
async fn q06_no_defect_of_an_attestation_passes() {
    let world = World::new();
    for defect in Defect::ALL {
        // It says whose it is otherwise.
        let (client, order, challenge) = ordered(&world, mac()).await;
        let key = ec();
        let token = challenge["token"].as_str().unwrap();
        let leaf = apple().leaf(key.public_key()).acme(token).healthy_mac();
        let leaf = leaf.defect(defect);
        if defect == Defect::OtherKey {
            // The chain itself is good; the key is found to be another when the CSR comes.
            let answer = answer(&client, &challenge, attests(&leaf)).await.ok(200);
            assert_eq!(answer.json()["status"], "valid");
            finalize(&client, &order, csr(&key, Name::default()))
                .await
                .problem(400, "badCSR");
            continue;
        }
        is_refused(&world, &client, &order, &challenge, attests(&leaf)).await;
    }
    assert_eq!(world.permits.issued(), 0);
}

#[tokio::test]
async fn the_answer_to_another_token_is_refused() {
    let world = World::new();
    let (client, order, challenge) = ordered(&world, mac()).await;
    let (_, other) = device_order(&client).await;
    let key = ec();
    let leaf = |token: &str| apple().leaf(key.public_key()).acme(token).healthy_mac();
    let replayed = attests(&leaf(other["token"].as_str().unwrap()));
    is_refused(&world, &client, &order, &challenge, replayed).await;
    world.heard.has(
        "not proven: Ada's Mac: the attestation of Ada's Mac does not hold: the attestation's \
         freshness belongs to another token or nonce",
    );
}

#[tokio::test]
async fn an_attestation_of_device_information_is_none_for_acme() {
    let world = World::new();
    let key = ec();
    // The nonce of a command may be 32 bytes of anybody's choice, but not the hash of a token that comes later; and the
    // token itself, as nonce, is no hash of it.
    let (client, order, challenge) = ordered(&world, mac()).await;
    let token = challenge["token"].as_str().unwrap();
    let leaf = apple().leaf(key.public_key()).healthy_mac();
    let answered = attests(&leaf.nonce(token.as_bytes()));
    is_refused(&world, &client, &order, &challenge, answered).await;
    let (client, order, challenge) = ordered(&world, mac()).await;
    let leaf = apple().leaf(key.public_key()).healthy_mac();
    let answered = attests(&leaf.nonce(&[7; 32]));
    is_refused(&world, &client, &order, &challenge, answered).await;
}

#[tokio::test]
async fn the_device_has_to_be_the_expected_one() {
    let world = World::new();
    let serial = |text: &str| SerialNumber::new(text).unwrap();
    let udid = |text: &str| Udid::new(text).unwrap();
    let both = |serial_number, udid| DeviceIdentity::Both {
        serial_number,
        udid,
    };
    for (identity, field) in [
        (
            DeviceIdentity::SerialNumber(serial("C02BBBBBBBBB")),
            "serial number",
        ),
        (DeviceIdentity::SerialNumber(serial(UDID)), "serial number"),
        (
            DeviceIdentity::Udid(udid("00008103-000A11223344001F")),
            "UDID",
        ),
        (DeviceIdentity::Udid(udid(SERIAL)), "UDID"),
        (both(serial("C02BBBBBBBBB"), udid(UDID)), "serial number"),
        (both(serial(SERIAL), udid("x")), "UDID"),
        (DeviceIdentity::UserEnrollment, "serial number or UDID"),
    ] {
        let device = ExpectedDevice::new("Ada's Mac", identity);
        let (client, order, challenge) = ordered(&world, device).await;
        let token = challenge["token"].as_str().unwrap();
        let key = ec();
        let leaf = apple().leaf(key.public_key()).acme(token).healthy_mac();
        is_refused(&world, &client, &order, &challenge, attests(&leaf)).await;
        world.heard.has(&format!(
            "not proven: Ada's Mac: the attestation for Ada's Mac has another {field}"
        ));
    }
    for identity in [
        DeviceIdentity::SerialNumber(serial(SERIAL)),
        DeviceIdentity::Udid(udid(UDID)),
        DeviceIdentity::Udid(udid(&UDID.to_lowercase())),
        both(serial(SERIAL), udid(UDID)),
    ] {
        world
            .expected
            .add(CLIENT, None, ExpectedDevice::new("Ada's Mac", identity));
        ready_order(&world.client().await, &ec()).await;
    }
}

#[tokio::test]
async fn a_blank_serial_number_is_nobodys_and_no_user_enrolment() {
    let world = World::new();
    let user = ExpectedDevice::new("Bob's iPhone", DeviceIdentity::UserEnrollment);
    for device in [mac(), user] {
        for form in [Form::Blank, Form::Spaces] {
            let (client, order, challenge) = ordered(&world, device.clone()).await;
            let token = challenge["token"].as_str().unwrap();
            let key = ec();
            let leaf = apple().leaf(key.public_key()).acme(token);
            let leaf = leaf.property(Kind::SerialNumber, form, "");
            is_refused(&world, &client, &order, &challenge, attests(&leaf)).await;
        }
    }
}

#[tokio::test]
async fn a_device_of_user_enrolment_names_neither() {
    let world = World::new();
    let user = ExpectedDevice::new("Bob's iPhone", DeviceIdentity::UserEnrollment);
    let (client, order, challenge) = ordered(&world, user).await;
    let key = ec();
    let token = challenge["token"].as_str().unwrap();
    let leaf = apple().leaf(key.public_key()).acme(token);
    let answer = answer(&client, &challenge, attests(&leaf)).await.ok(200);
    assert_eq!(answer.json()["status"], "valid");
    let done = finalize(&client, &order, csr(&key, Name::default())).await;
    assert_eq!(done.ok(200).json()["status"], "valid");
    // Where a device is expected, withholding is no way around.
    let (client, order, challenge) = ordered(&world, mac()).await;
    let key = ec();
    let token = challenge["token"].as_str().unwrap();
    let leaf = apple().leaf(key.public_key()).acme(token);
    let answer = super::world::answer(&client, &challenge, attests(&leaf)).await;
    refused(&answer.ok(200).json());
    finalize(&client, &order, csr(&key, Name::default()))
        .await
        .problem(403, "orderNotReady");
}

/// What devices send that do not attest, and whoever pretends to be one.
fn without() -> [Value; 5] {
    [
        json!({}),
        json!({"attObj": ""}),
        json!({"attObj": b64("{}")}),
        json!({"attObj": b64(cbor::map(&[]))}),
        json!({"other": 7}),
    ]
}

#[tokio::test]
async fn an_answer_without_attestation_is_refused_unless_the_device_is_known_not_to_attest() {
    let world = World::new();
    for payload in without() {
        let (client, order, challenge) = ordered(&world, mac()).await;
        is_refused(&world, &client, &order, &challenge, payload).await;
    }
    world
        .heard
        .has("not proven: Ada's Mac: Ada's Mac answered without an attestation");
    for payload in without() {
        let old = mac().with(|device| device.unattested = true);
        let (client, order, challenge) = ordered(&world, old).await;
        let answer = answer(&client, &challenge, payload).await.ok(200);
        assert_eq!(answer.json()["status"], "valid");
        let key = ec();
        let done = finalize(&client, &order, csr(&key, Name::default())).await;
        assert_eq!(done.ok(200).json()["status"], "valid");
    }
    world.heard.has("proven: Ada's Mac, false");
    // An attestation that does not hold is none that is missing.
    let old = mac().with(|device| device.unattested = true);
    let (client, _, challenge) = ordered(&world, old).await;
    let key = ec();
    let leaf = apple().leaf(key.public_key()).healthy_mac();
    let answer = answer(&client, &challenge, attests(&leaf)).await.ok(200);
    refused(&answer.json());
}

#[tokio::test]
async fn what_is_no_statement_is_refused_and_stops_nothing() {
    let world = World::new();
    let many = vec![vec![0x30, 0]; 10_000];
    let deep = [cbor::head(5, 1), cbor::text("x"), vec![0x81; 50_000]].concat();
    for payload in [
        json!([]),
        json!(null),
        json!({"attObj": 7}),
        json!({"attObj": null}),
        json!({"attObj": "="}),
        json!({"attObj": "AA=="}),
        json!({"attObj": b64("garbage")}),
        json!({"attObj": b64(cbor::statement("apple", &[]))}),
        json!({"attObj": b64(cbor::statement("apple", &[vec![]]))}),
        json!({"attObj": b64(cbor::statement("packed", &[vec![0x30, 0]]))}),
        json!({"attObj": b64(cbor::statement("apple", &many))}),
        json!({"attObj": b64(&deep)}),
    ] {
        let (client, order, challenge) = ordered(&world, mac()).await;
        is_refused(&world, &client, &order, &challenge, payload).await;
    }
}

#[tokio::test]
async fn an_answer_that_came_again_changes_nothing() {
    let world = World::new();
    let (client, order, challenge) = ordered(&world, mac()).await;
    let key = ec();
    let token = challenge["token"].as_str().unwrap();
    let leaf = apple().leaf(key.public_key()).acme(token).healthy_mac();
    let good = attests(&leaf);
    let first = answer(&client, &challenge, good.clone())
        .await
        .ok(200)
        .json();
    for payload in [good.clone(), json!({}), json!({"attObj": "AAAA"})] {
        let again = answer(&client, &challenge, payload).await.ok(200).json();
        assert_eq!(again, first);
    }
    let done = finalize(&client, &order, csr(&key, Name::default())).await;
    assert_eq!(done.ok(200).json()["status"], "valid");
    // One that failed has failed for good.
    let (client, order, challenge) = ordered(&world, mac()).await;
    let failed = answer(&client, &challenge, json!({})).await.ok(200).json();
    let token = challenge["token"].as_str().unwrap();
    let key = ec();
    let leaf = apple().leaf(key.public_key()).acme(token).healthy_mac();
    let again = answer(&client, &challenge, attests(&leaf)).await.ok(200);
    assert_eq!(again.json(), failed);
    finalize(&client, &order, csr(&key, Name::default()))
        .await
        .problem(403, "orderNotReady");
}

#[tokio::test]
async fn a_key_that_was_attested_before_is_found() {
    let world = World::new();
    let key = ec();
    let client = world.client().await;
    let first = ready_order(&client, &key).await;
    // The same device in another order, and another device: a key is good for one enrolment.
    let bob = SerialNumber::new("C02BBBBBBBBB").unwrap();
    let bob = ExpectedDevice::new("Bob's Mac", DeviceIdentity::SerialNumber(bob));
    for device in [mac(), bob] {
        let (label, serial) = match device.label.as_str() {
            "Bob's Mac" => ("Bob's Mac", "C02BBBBBBBBB"),
            _ => ("Ada's Mac", SERIAL),
        };
        let (other, order, challenge) = ordered(&world, device).await;
        let token = challenge["token"].as_str().unwrap();
        let leaf = apple().leaf(key.public_key()).acme(token).serial(serial);
        is_refused(&world, &other, &order, &challenge, attests(&leaf)).await;
        world.heard.has(&format!(
            "not proven: {label}: the key that {label} attested was attested before, in another \
             order"
        ));
    }
    let done = finalize(&client, &first, csr(&key, Name::default())).await;
    assert_eq!(done.ok(200).json()["status"], "valid");
}

#[tokio::test]
async fn one_key_in_fifty_orders_at_once_proves_one() {
    let world = World::new();
    let key = ec();
    let all = (0..50).map(|_| {
        let (server, key) = (world.server.clone(), key.clone());
        tokio::spawn(async move {
            let client = Raw::registered(&server).await;
            let (_, challenge) = device_order(&client).await;
            let token = challenge["token"].as_str().unwrap();
            let leaf = apple().leaf(key.public_key()).acme(token).healthy_mac();
            let answer = answer(&client, &challenge, attests(&leaf)).await.ok(200);
            answer.json()["status"] == "valid"
        })
    });
    let proven = futures_util::future::join_all(all).await;
    assert_eq!(
        proven
            .into_iter()
            .filter(|it| *it.as_ref().unwrap())
            .count(),
        1
    );
}

#[tokio::test]
async fn only_a_state_that_is_known_to_be_good_passes() {
    let policy = |device: &ExpectedDevice, posture: &Posture| {
        assert_eq!(device.label, "Ada's Mac");
        match posture.sip_enabled() {
            Verdict::Good => posture.full_security(),
            other => other,
        }
    };
    let world = World::with(|builder| builder.posture(Arc::new(posture_fn(policy))));
    let key = ec();
    let leaf = |token: &str| apple().leaf(key.public_key()).acme(token).healthy_mac();
    type Change =
        fn(mdm_fake_apple::attestation::Leaf<'_>) -> mdm_fake_apple::attestation::Leaf<'_>;
    let changes: [(&str, Change); 4] = [
        ("Bad", |leaf| leaf.property(Kind::Sip, Form::Integer, "1")),
        ("Unknown", |leaf| leaf.property(Kind::Sip, Form::Blank, "")),
        ("Unknown", |leaf| leaf.without(Kind::Sip.oid())),
        ("Unknown", |leaf| {
            leaf.property(Kind::SecureBoot, Form::Integer, "7")
        }),
    ];
    for (verdict, change) in changes {
        let (client, order, challenge) = ordered(&world, mac()).await;
        let leaf = change(leaf(challenge["token"].as_str().unwrap()));
        is_refused(&world, &client, &order, &challenge, attests(&leaf)).await;
        let told = format!("not proven: Ada's Mac: the state of Ada's Mac is {verdict}");
        world.heard.has(&told);
    }
    ready_order(&world.client().await, &ec()).await;
}

#[tokio::test]
async fn clients_are_not_told_what_exactly_was_wrong_and_logs_hold_no_token() {
    let world = World::new();
    let mut told = std::collections::BTreeSet::new();
    for defect in [Defect::Expired, Defect::UnknownRoot, Defect::OtherFreshness] {
        let (client, _, challenge) = ordered(&world, mac()).await;
        let token = challenge["token"].as_str().unwrap();
        let key = ec();
        let leaf = apple().leaf(key.public_key()).acme(token).healthy_mac();
        let leaf = leaf.defect(defect);
        let answer = answer(&client, &challenge, attests(&leaf)).await.ok(200);
        told.insert(answer.json()["error"].to_string());
        let heard = world.heard.lines().join("\n");
        assert!(!heard.contains(token) && !heard.contains(CLIENT), "{heard}");
    }
    assert_eq!(told.len(), 1, "{told:?}");
}
