//! How much and how often.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::Request;
use mdm_pki::Name;
use mdm_scep::{
    acme::{Limits, MemoryAcmeStore, store::StoreLimits},
    limit::{Peer, Rate, Scope, TokenBuckets},
};
use serde_json::json;

use super::{
    raw::Raw,
    world::{World, csr, device_identifiers, ec, finalize},
};

fn limited(scope: Scope, burst: u32) -> World {
    let rate = Rate::new(burst, Duration::from_secs(60));
    let buckets = Arc::new(TokenBuckets::new().rate(scope, rate));
    World::with(|builder| builder.rate_limit(buckets))
}

#[tokio::test]
async fn accounts_orders_and_certificates_are_counted() {
    let world = limited(Scope::NewAccount, 2);
    world.client().await;
    let known = world.client().await;
    let mut third = Raw::new(&world.server).await;
    let refused = third.register(json!({})).await.problem(429, "rateLimited");
    assert_eq!(refused.header("retry-after"), "30");
    // Whoever has an account is not refused it.
    let mut known = known;
    known.kid = None;
    known.register(json!({})).await.ok(200);
    world.pass(30);
    third.register(json!({})).await.ok(201);

    let world = limited(Scope::NewOrder, 2);
    let client = world.client().await;
    client.order(device_identifiers()).await.ok(201);
    client.order(device_identifiers()).await.ok(201);
    client
        .order(device_identifiers())
        .await
        .problem(429, "rateLimited");

    let world = limited(Scope::Enrolment, 1);
    let key = ec();
    let (client, order) = world.ready(&key).await;
    let payload = csr(&key, Name::default());
    finalize(&client, &order, payload.clone()).await.ok(200);
    finalize(&client, &order, payload.clone())
        .await
        .problem(429, "rateLimited");
    // Another account is not the one that asked too often.
    let key = ec();
    let (client, order) = world.ready(&key).await;
    finalize(&client, &order, csr(&key, Name::default()))
        .await
        .ok(200);
}

#[tokio::test]
async fn peers_are_told_apart_by_whoever_accepts_them() {
    let world = limited(Scope::Request, 2);
    let get = |peer: &'static str| {
        let mut request = Request::get(world.server.directory_url())
            .body(Bytes::new())
            .unwrap();
        request.extensions_mut().insert(Peer(peer.to_owned()));
        let server = world.server.clone();
        async move { server.handle(request).await.status().as_u16() }
    };
    assert_eq!(
        [get("a").await, get("a").await, get("a").await],
        [200, 200, 429]
    );
    assert_eq!(get("b").await, 200);
    assert_eq!(world.heard.count("Limited { peer: \"a\", wait: 30s }"), 1);
}

#[tokio::test]
async fn an_account_has_so_many_open_orders() {
    let world = World::with(|builder| {
        builder.limits(Limits::default().with(|limits| limits.open_orders = 2))
    });
    let client = world.client().await;
    let first = client.order(device_identifiers()).await.ok(201).json();
    client.order(device_identifiers()).await.ok(201);
    let refused = client.order(device_identifiers()).await;
    assert_eq!(
        refused.problem(429, "rateLimited").header("retry-after"),
        "5"
    );
    let url = first["authorizations"][0].as_str().unwrap();
    client
        .post(url, json!({"status": "deactivated"}))
        .await
        .ok(200);
    client.order(device_identifiers()).await.ok(201);
    world
        .client()
        .await
        .order(device_identifiers())
        .await
        .ok(201);
}

#[tokio::test]
async fn a_full_store_forgets_what_is_over_before_it_refuses() {
    let limits = StoreLimits::default().with(|limits| {
        limits.nonces = 4;
        limits.orders = 1;
    });
    let store = Arc::new(MemoryAcmeStore::with_limits(limits));
    let world = World::over(|it| it, |_| store, |it| it, |builder| builder);
    let client = world.client().await;
    client.order(device_identifiers()).await.ok(201);
    let full = client.order(device_identifiers()).await;
    let full = full.problem(503, "serverInternal");
    assert_eq!(full.header("retry-after"), "10");
    client.fetch(&client.kid.clone().unwrap()).await.ok(200);
    // The oldest nonce has given way, and all of its second with it: none of them is good twice.
    client
        .order(device_identifiers())
        .await
        .problem(400, "badNonce");
    world.pass(1);
    client
        .order(device_identifiers())
        .await
        .problem(503, "serverInternal");
    world.pass(10 * 24 * 3600);
    client.order(device_identifiers()).await.ok(201);
}
