//! From a ready order to its one certificate.

use mdm_core::Secret;
use mdm_pki::{
    CertificateRequestBuilder, GeneralName, KeySpec, KeyUsage, Name, Oid, PrivateKey,
    oid::SUBJECT_ALT_NAME,
};
use mdm_scep::{
    acme::ExpectedDevice,
    ca::{RootUse, root},
};
use serde_json::{Value, json};

use super::{
    raw::{Raw, b64},
    world::{
        CLIENT, World, answer, csr, csr_names, device_order, download, ec, enrol, finalize, mac,
        ready_order, start,
    },
};

/// RFC 4043's name of the device, written by hand.
fn permanent_identifier(value: &str) -> GeneralName {
    let mut inside = vec![0x0c, value.len() as u8];
    inside.extend(value.as_bytes());
    let mut der = vec![0x30, inside.len() as u8];
    der.extend(inside);
    GeneralName::OtherName {
        kind: Oid::constant("1.3.6.1.5.5.7.8.3"),
        value: der,
    }
}

#[tokio::test]
async fn the_certificate_has_the_names_that_were_proven_and_no_others() {
    let world = World::new();
    let key = ec();
    let (_, _, certificate) = enrol(&world, &key).await;
    assert!(certificate.subject().is_empty());
    assert_eq!(
        certificate.subject_alt_names(),
        [permanent_identifier(CLIENT)]
    );
    certificate.check_form().unwrap();
    assert!(certificate.is_valid_at(start()));
    assert!(!certificate.is_ca());

    // What else the CSR asks for is not the client's to say.
    let key = ec();
    let (client, order) = world.ready(&key).await;
    let builder = CertificateRequestBuilder::new(Name::from_common_name(CLIENT))
        .san(permanent_identifier(CLIENT))
        .key_usage(KeyUsage::KEY_CERT_SIGN)
        .extension(Oid::constant("2.5.29.19"), true, &[0x30, 3, 1, 1, 0xff]);
    let payload = json!({"csr": b64(builder.sign(&key).unwrap().to_der())});
    let done = finalize(&client, &order, payload).await.ok(200).json();
    let certificate = download(&client, &done).await;
    assert_eq!(certificate.subject(), Name::from_common_name(CLIENT));
    assert_eq!(
        certificate.subject_alt_names(),
        [permanent_identifier(CLIENT)]
    );
    assert!(!certificate.is_ca());
    let usage = certificate.key_usage().unwrap();
    assert!(!usage.contains(KeyUsage::KEY_CERT_SIGN));
}

/// A CSR that the order of [`CLIENT`] is not finalized with.
async fn is_bad(client: &Raw, order: &Value, payload: Value, detail: &str) {
    let refused = finalize(client, order, payload).await;
    let refused = refused.problem(400, "badCSR").json();
    let told = refused["detail"].as_str().unwrap();
    assert!(told.contains(detail), "{told}");
    let seen = client.fetch(order["url"].as_str().unwrap()).await.ok(200);
    assert_eq!(seen.json()["status"], "ready", "the client may try again");
}

#[tokio::test]
async fn q06_a_csr_has_to_be_for_the_attested_key_and_the_proven_names() {
    let world = World::new();
    let key = ec();
    let (client, order) = world.ready(&key).await;
    let bad = |payload, detail| is_bad(&client, &order, payload, detail);
    let empty = Name::default;

    bad(json!({"csr": ""}), "read").await;
    bad(json!({"csr": b64("garbage")}), "read").await;
    bad(json!({"csr": b64(vec![0x30; 20_000])}), "longer").await;
    bad(csr(&ec(), empty()), "attested").await;
    let p384 = PrivateKey::generate(KeySpec::P384).unwrap();
    bad(csr(&p384, empty()), "attested").await;
    bad(csr(&client.key, empty()), "something else").await;

    bad(csr(&key, Name::from_common_name("client-8")), "subject").await;
    let two = Name::builder().common_name(CLIENT).common_name("admin");
    bad(csr(&key, two.build()), "subject").await;
    let more = Name::builder().common_name(CLIENT).organization("Acme");
    bad(csr(&key, more.build()), "subject").await;

    let dns = GeneralName::Dns("admin.example.com".to_owned());
    let mail = GeneralName::Email("admin@example.com".to_owned());
    let upn = GeneralName::UserPrincipalName("admin@example.com".to_owned());
    let other = permanent_identifier("client-8");
    let right = permanent_identifier(CLIENT);
    for names in [
        vec![dns],
        vec![mail],
        vec![upn.clone()],
        vec![other.clone()],
        vec![right.clone(), upn],
        vec![right, other],
    ] {
        bad(csr_names(&key, &names), "names").await;
    }
    // An extension that cannot be read is no missing one.
    let broken = CertificateRequestBuilder::new(empty())
        .extension(SUBJECT_ALT_NAME, false, &[0x30, 9, 1])
        .sign(&key)
        .unwrap();
    bad(json!({"csr": b64(broken.to_der())}), "names").await;

    let mut forged = CertificateRequestBuilder::new(empty())
        .sign(&key)
        .unwrap()
        .to_der()
        .to_vec();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    bad(json!({"csr": b64(forged)}), "signature").await;
    finalize(&client, &order, json!({}))
        .await
        .problem(400, "malformed");
    assert_eq!(world.permits.issued(), 0);

    let done = finalize(&client, &order, csr(&key, empty())).await.ok(200);
    assert_eq!(done.json()["status"], "valid");
    assert_eq!(world.permits.issued(), 1);
}

#[tokio::test]
async fn weak_keys_and_the_authoritys_own_get_nothing() {
    let world = World::new();
    let device = mac().with(|device| device.unattested = true);
    world.expected.add(CLIENT, None, device);
    let client = world.client().await;
    let (order, challenge) = device_order(&client).await;
    answer(&client, &challenge, json!({})).await.ok(200);
    let small = PrivateKey::generate(KeySpec::Rsa1024).unwrap();
    is_bad(
        &client,
        &order,
        csr(&small, Name::default()),
        "kind or size",
    )
    .await;
    // Nobody has the authority's key, so an authority is made of one that is known.
    let key = ec();
    let name = Name::from_common_name("Other CA");
    let year = std::time::Duration::from_secs(365 * 24 * 3600);
    root(name, &key, RootUse::BehindRa, year, start()).unwrap();
    let done = finalize(&client, &order, csr(&key, Name::default())).await;
    assert_eq!(done.ok(200).json()["status"], "valid");
}

#[tokio::test]
async fn the_authorizer_says_which_subject_and_which_more_names() {
    let world = World::new();
    let subject = Name::builder()
        .common_name("Ada's Mac")
        .organization("Acme")
        .build();
    let upn = GeneralName::UserPrincipalName("ada@example.com".to_owned());
    let device: ExpectedDevice = mac().with(|device| {
        device.subject = Some(subject.clone());
        device.names = vec![upn.clone()];
    });
    world.expected.add(CLIENT, None, device);
    let key = ec();
    let (client, order) = world.ready(&key).await;
    for other in [Name::default(), Name::from_common_name(CLIENT)] {
        is_bad(&client, &order, csr(&key, other), "subject").await;
    }
    let builder = CertificateRequestBuilder::new(subject.clone()).san(upn.clone());
    let payload = json!({"csr": b64(builder.sign(&key).unwrap().to_der())});
    let done = finalize(&client, &order, payload).await.ok(200).json();
    let certificate = download(&client, &done).await;
    assert_eq!(certificate.subject(), subject);
    assert_eq!(
        certificate.subject_alt_names(),
        [permanent_identifier(CLIENT), upn]
    );
}

#[tokio::test]
async fn the_same_finalize_again_gets_the_same_certificate_and_another_nothing() {
    let world = World::new();
    let key = ec();
    let (client, order) = world.ready(&key).await;
    let payload = csr(&key, Name::default());
    let first = finalize(&client, &order, payload.clone()).await.ok(200);
    let first = first.json();
    let certificate = download(&client, &first).await;
    for _ in 0..3 {
        let again = finalize(&client, &order, payload.clone()).await.ok(200);
        assert_eq!(again.json(), first);
        assert_eq!(download(&client, &first).await, certificate);
    }
    finalize(&client, &order, csr(&key, Name::from_common_name(CLIENT)))
        .await
        .problem(403, "orderNotReady");
    assert_eq!(world.permits.issued(), 1);
    assert_eq!(world.heard.count("issued"), 1);
}

#[tokio::test]
async fn fifty_parallel_finalizes_end_in_one_certificate() {
    let world = World::new();
    let key = ec();
    let (client, order) = world.ready(&key).await;
    let payload = csr(&key, Name::default());
    let all = (0..50).map(|_| {
        let (client, order, payload) = (client.clone(), order.clone(), payload.clone());
        tokio::spawn(async move {
            let done = finalize(&client, &order, payload).await.ok(200).json();
            assert_eq!(done["status"], "valid");
            download(&client, &done).await
        })
    });
    let all = futures_util::future::join_all(all).await;
    let certificates: std::collections::HashSet<_> =
        all.into_iter().map(|it| it.unwrap()).collect();
    assert_eq!(certificates.len(), 1);
    assert_eq!(world.permits.issued(), 1);
    assert_eq!(world.heard.count("issued"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_over_the_same_stores_end_in_one_certificate() {
    let key = || Secret::new([9; 32]);
    let world = World::with(|builder| builder.nonce_key(key()));
    let other = world.node(|builder| builder.nonce_key(key()));
    for _ in 0..5 {
        let issued = world.permits.issued();
        let key = ec();
        let (client, order) = world.ready(&key).await;
        let mut elsewhere = client.clone();
        elsewhere.server = other.clone();
        let payload = csr(&key, Name::default());
        let all = (0..50).map(|number| {
            let client = [&client, &elsewhere][number % 2].clone();
            let (order, payload) = (order.clone(), payload.clone());
            tokio::spawn(async move {
                let done = finalize(&client, &order, payload).await.ok(200).json();
                assert_eq!(done["status"], "valid");
                download(&client, &done).await
            })
        });
        let all = futures_util::future::join_all(all).await;
        let certificates: std::collections::HashSet<_> =
            all.into_iter().map(|it| it.unwrap()).collect();
        assert_eq!(certificates.len(), 1);
        assert_eq!(world.permits.issued(), issued + 1);
    }
    assert_eq!(world.heard.count("issued"), 5);
}

#[tokio::test]
async fn fifty_parallel_finalizes_with_different_csrs_end_in_one_certificate() {
    let world = World::new();
    let device = mac().with(|device| device.unattested = true);
    world.expected.add(CLIENT, None, device);
    let client = world.client().await;
    let (order, challenge) = device_order(&client).await;
    answer(&client, &challenge, json!({})).await.ok(200);
    let all = (0..50).map(|_| {
        let (client, order) = (client.clone(), order.clone());
        tokio::spawn(async move {
            let payload = csr(&ec(), Name::default());
            finalize(&client, &order, payload).await.status.as_u16()
        })
    });
    let all = futures_util::future::join_all(all).await;
    let mut statuses: Vec<_> = all.into_iter().map(|it| it.unwrap()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses[0], 200);
    assert!(statuses[1..].iter().all(|it| *it == 403), "{statuses:?}");
    assert_eq!(world.permits.issued(), 1);
}

#[tokio::test]
async fn an_order_that_is_not_ready_is_not_finalized() {
    let world = World::new();
    let client = world.client().await;
    let (order, _) = device_order(&client).await;
    let key = ec();
    finalize(&client, &order, csr(&key, Name::default()))
        .await
        .problem(403, "orderNotReady");
    // What was proven in another order of the same device counts there.
    ready_order(&client, &key).await;
    finalize(&client, &order, csr(&key, Name::default()))
        .await
        .problem(403, "orderNotReady");
    assert_eq!(world.permits.issued(), 0);
}

#[tokio::test]
async fn a_device_that_is_blocked_after_its_order_gets_no_certificate() {
    let world = World::new();
    let key = ec();
    let (client, order) = world.ready(&key).await;
    world.expected.block("Ada's Mac");
    finalize(&client, &order, csr(&key, Name::default()))
        .await
        .problem(403, "unauthorized");
    assert_eq!(world.permits.issued(), 0);
    let seen = client.fetch(order["url"].as_str().unwrap()).await.ok(200);
    assert_eq!(seen.json()["status"], "ready");
}

#[tokio::test]
async fn an_authority_that_refuses_ends_the_order() {
    let world = World::new();
    // A certificate of the authority's own name is none that it signs.
    let device = mac().with(|device| device.subject = Some(world.root.subject()));
    world.expected.add(CLIENT, None, device);
    let key = ec();
    let (client, order) = world.ready(&key).await;
    let payload = csr(&key, world.root.subject());
    let done = finalize(&client, &order, payload).await.ok(200).json();
    assert_eq!(done["status"], "invalid");
    assert_eq!(done["error"]["type"], "urn:ietf:params:acme:error:badCSR");
    assert!(
        !done.to_string().contains("own"),
        "why is the operator's to know"
    );
    world
        .heard
        .has("not issued: Ada's Mac: the subject is the authority's own");
    assert_eq!(world.permits.issued(), 0);
}
