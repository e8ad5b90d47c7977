//! Authorisations ahead of orders (RFC 8555 section 7.4.1).

use std::{sync::Arc, time::Duration};

use mdm_scep::acme::{Limits, Policy};
use serde_json::{Value, json};

use super::{
    hosts::Outside,
    raw::{Answer, Raw},
    world::{World, answer, csr_names, device_identifiers, download, ec, finalize},
};

const HOST: &str = "a.example.com";

fn world_with(change: impl FnOnce(&mut Policy), limits: Limits) -> (World, Arc<Outside>) {
    let outside = Arc::new(Outside::default());
    let (http, dns) = (outside.validation(), outside.clone());
    let policy = Policy::default().with(|policy| {
        policy.pre_authorization = true;
        change(policy);
    });
    let world = World::with(|it| it.http(http).dns(dns).policy(policy).limits(limits));
    (world, outside)
}

fn world() -> (World, Arc<Outside>) {
    world_with(|_| {}, Limits::default())
}

fn dns(names: &[&str]) -> Value {
    let names = names.iter().map(|it| json!({"type": "dns", "value": it}));
    names.collect()
}

async fn ask(client: &Raw, identifier: Value) -> Answer {
    let payload = json!({"identifier": identifier});
    client.post(&client.url("newAuthz"), payload).await
}

async fn ask_host(client: &Raw, host: &str) -> Answer {
    ask(client, json!({"type": "dns", "value": host})).await
}

/// The URL of an authorisation that is proven.
async fn proven(client: &Raw, outside: &Outside, host: &str) -> String {
    let made = ask_host(client, host).await.ok(201);
    let challenges = made.json()["challenges"].as_array().unwrap().clone();
    let challenge = challenges
        .iter()
        .find(|it| it["type"] == "http-01")
        .unwrap();
    outside.meet(client, host, challenge);
    let met = answer(client, challenge, json!({})).await.ok(200).json();
    assert_eq!(met["status"], "valid");
    made.header("location").to_owned()
}

async fn status(client: &Raw, url: &str) -> Value {
    client.fetch(url).await.ok(200).json()["status"].clone()
}

/// The status of a new order for these.
async fn ordered(client: &Raw, names: &[&str]) -> Value {
    client.order(dns(names)).await.ok(201).json()
}

#[tokio::test]
async fn what_was_proven_ahead_needs_no_proof_in_an_order() {
    let (world, outside) = world();
    let client = world.client().await;
    let url = proven(&client, &outside, HOST).await;
    let view = client.fetch(&url).await.ok(200).json();
    assert_eq!(
        (&view["status"], &view["identifier"]["value"]),
        (&json!("valid"), &json!(HOST))
    );
    assert_eq!(view["expires"], "2026-03-08T12:00:00Z");
    assert!(view.get("wildcard").is_none());

    let order = ordered(&client, &[HOST]).await;
    assert_eq!(order["status"], "ready");
    let own = order["authorizations"][0].as_str().unwrap();
    assert_eq!(status(&client, own).await, "valid");
    let key = ec();
    let names = [mdm_pki::GeneralName::Dns(HOST.to_owned())];
    let done = finalize(&client, &order, csr_names(&key, &names))
        .await
        .ok(200);
    download(&client, &done.json()).await;
    // Again, and beside another one.
    assert_eq!(ordered(&client, &[HOST]).await["status"], "ready");
    let both = ordered(&client, &[HOST, "b.example.com"]).await;
    assert_eq!(both["status"], "pending");
    let first = both["authorizations"][0].as_str().unwrap();
    assert_eq!(status(&client, first).await, "valid");
    world.heard.has("proven: a.example.com, false");
}

#[tokio::test]
async fn it_is_good_for_its_own_account_and_its_own_name() {
    let (world, outside) = world();
    let (ada, bob) = (world.client().await, world.client().await);
    let url = proven(&ada, &outside, HOST).await;
    assert_eq!(ordered(&bob, &[HOST]).await["status"], "pending");
    bob.fetch(&url).await.problem(403, "unauthorized");
    for other in [
        "b.example.com",
        "x.a.example.com",
        "example.com",
        "*.a.example.com",
    ] {
        assert_eq!(
            ordered(&ada, &[other]).await["status"],
            "pending",
            "{other}"
        );
    }
}

#[tokio::test]
async fn it_is_good_beside_a_wildcard_of_its_name_in_either_order() {
    let (world, outside) = world();
    let client = world.client().await;
    proven(&client, &outside, HOST).await;
    let wildcard = format!("*.{HOST}");
    for (names, fits) in [
        ([HOST, wildcard.as_str()], ["valid", "pending"]),
        ([wildcard.as_str(), HOST], ["pending", "valid"]),
    ] {
        let order = ordered(&client, &names).await;
        let mut found = Vec::new();
        for own in order["authorizations"].as_array().unwrap() {
            found.push(status(&client, own.as_str().unwrap()).await);
        }
        assert_eq!(found, fits, "{names:?}");
    }
}

#[tokio::test]
async fn it_ends_by_time_and_by_its_holder() {
    let (world, outside) = world();
    let client = world.client().await;
    let url = proven(&client, &outside, HOST).await;
    world.pass(6 * 24 * 3600 + 23 * 3600);
    // The order ends with what it stands on, an hour from now and not a day.
    let order = ordered(&client, &[HOST]).await;
    assert_eq!(
        (&order["status"], &order["expires"]),
        (&json!("ready"), &json!("2026-03-08T12:00:00Z"))
    );
    world.pass(3600);
    assert_eq!(status(&client, &url).await, "expired");
    assert_eq!(ordered(&client, &[HOST]).await["status"], "pending");

    let url = proven(&client, &outside, HOST).await;
    let before = ordered(&client, &[HOST]).await;
    let gone = client.post(&url, json!({"status": "deactivated"})).await;
    assert_eq!(gone.ok(200).json()["status"], "deactivated");
    assert_eq!(ordered(&client, &[HOST]).await["status"], "pending");
    // What an order has taken over is given up there.
    let own = before["authorizations"][0].as_str().unwrap();
    assert_eq!(status(&client, own).await, "valid");
    client
        .post(own, json!({"status": "deactivated"}))
        .await
        .ok(200);
    let key = ec();
    let names = [mdm_pki::GeneralName::Dns(HOST.to_owned())];
    finalize(&client, &before, csr_names(&key, &names))
        .await
        .problem(403, "orderNotReady");
}

#[tokio::test]
async fn wildcards_devices_and_what_is_no_name_are_refused() {
    let (world, _) = world();
    let client = world.client().await;
    let refused = ask_host(&client, "*.example.com").await;
    refused.problem(400, "rejectedIdentifier");
    let device = device_identifiers()[0].clone();
    ask(&client, device)
        .await
        .problem(400, "rejectedIdentifier");
    for wrong in ["localhost", "127.0.0.1", "-a.example.com", ""] {
        ask_host(&client, wrong).await.problem(400, "malformed");
    }
    let ip = json!({"type": "ip", "value": "192.0.2.1"});
    ask(&client, ip).await.problem(400, "unsupportedIdentifier");
    for payload in [json!({}), json!({"identifiers": dns(&[HOST])}), json!([])] {
        let url = client.url("newAuthz");
        client.post(&url, payload).await.problem(400, "malformed");
    }
    let mut stranger = Raw::new(&world.server).await;
    ask_host(&stranger, HOST).await.problem(400, "malformed");
    stranger.register(json!({})).await.ok(201);
    ask_host(&stranger, HOST).await.ok(201);
}

#[tokio::test]
async fn it_is_no_order() {
    let (world, outside) = world();
    let client = world.client().await;
    let pending = ask_host(&client, "b.example.com").await.ok(201);
    let pending = pending.header("location").to_owned();
    for url in [proven(&client, &outside, HOST).await, pending] {
        let order = url.replace("/authorization/", "/order/");
        let order = order.strip_suffix("/0").unwrap();
        client.fetch(order).await.problem(403, "unauthorized");
        let certificate = format!("{order}/certificate");
        client
            .fetch(&certificate)
            .await
            .problem(403, "unauthorized");
        let finalized = json!({"finalize": format!("{order}/finalize")});
        let key = ec();
        let names = [mdm_pki::GeneralName::Dns(HOST.to_owned())];
        finalize(&client, &finalized, csr_names(&key, &names))
            .await
            .problem(403, "unauthorized");
    }
    let account = client
        .fetch(client.kid.as_ref().unwrap())
        .await
        .ok(200)
        .json();
    let orders = client.fetch(account["orders"].as_str().unwrap()).await;
    assert_eq!(orders.ok(200).json()["orders"], json!([]));
}

#[tokio::test]
async fn those_that_are_pending_count_as_open_orders_and_those_that_are_over_are_forgotten() {
    let limits = Limits::default().with(|limits| limits.open_orders = 2);
    let (world, outside) = world_with(|_| {}, limits);
    let client = world.client().await;
    for host in ["a.example.com", "b.example.com", "c.example.com"] {
        proven(&client, &outside, host).await;
    }
    ask_host(&client, "d.example.com").await.ok(201);
    ask_host(&client, "e.example.com").await.ok(201);
    let refused = ask_host(&client, "f.example.com").await;
    refused.problem(429, "rateLimited");
    client.order(dns(&[HOST])).await.problem(429, "rateLimited");
    // A day later nobody proves them any more.
    world.pass(24 * 3600);
    assert_eq!(ordered(&client, &[HOST]).await["status"], "ready");
    world.pass(15 * 24 * 3600);
    assert!(world.server.forget_old().await.unwrap() >= 5);
}

#[tokio::test]
async fn a_search_through_orders_has_an_end() {
    let limits = Limits::default().with(|limits| limits.searched_orders = 2);
    let (world, outside) = world_with(|_| {}, limits);
    let client = world.client().await;
    proven(&client, &outside, HOST).await;
    assert_eq!(ordered(&client, &[HOST]).await["status"], "ready");
    assert_eq!(ordered(&client, &[HOST]).await["status"], "ready");
    assert_eq!(ordered(&client, &[HOST]).await["status"], "pending");
}

#[tokio::test]
async fn it_is_offered_where_the_policy_says_so_alone() {
    let (world, _) = world_with(|policy| policy.pre_authorization = false, Limits::default());
    let client = world.client().await;
    assert!(client.directory.get("newAuthz").is_none());
    let url = client.url("newOrder").replace("new-order", "new-authz");
    let payload = json!({"identifier": {"type": "dns", "value": HOST}});
    client.post(&url, payload).await.problem(404, "malformed");
    // Nor where there is nothing that could be proven ahead.
    let policy = Policy::default().with(|policy| policy.pre_authorization = true);
    let world = World::with(|builder| builder.policy(policy));
    assert!(world.client().await.directory.get("newAuthz").is_none());
}

#[tokio::test]
async fn silence_is_looked_at_again_as_in_an_order() {
    let short = |policy: &mut Policy| policy.validation_interval = Duration::from_secs(1);
    let (world, outside) = world_with(short, Limits::default());
    let client = world.client().await;
    let made = ask_host(&client, HOST).await.ok(201);
    let challenges = made.json()["challenges"].as_array().unwrap().clone();
    let challenge = challenges
        .iter()
        .find(|it| it["type"] == "http-01")
        .unwrap();
    let waits = answer(&client, challenge, json!({})).await.ok(200).json();
    assert_eq!(waits["status"], "processing");
    outside.meet(&client, HOST, challenge);
    world.pass(1);
    assert_eq!(status(&client, made.header("location")).await, "valid");
}
