//! Orders and authorisations: whose they are, what they say, when they end.

use mdm_core::Secret;
use mdm_pki::Name;
use mdm_scep::acme::Policy;
use serde_json::{Value, json};

use super::{
    raw::Raw,
    world::{
        CLIENT, World, answer, csr, device_identifiers, device_order, ec, enrol, finalize, mac,
        ready_order,
    },
};

#[tokio::test]
async fn an_order_for_a_device_offers_to_attest() {
    let world = World::new();
    let client = world.client().await;
    let (order, challenge) = device_order(&client).await;
    assert_eq!(order["status"], "pending");
    assert_eq!(order["identifiers"], device_identifiers());
    assert_eq!(order["expires"], "2026-03-02T12:00:00Z");
    assert_eq!(order.get("certificate"), None);
    let url = order["url"].as_str().unwrap();
    let mut again = client.fetch(url).await.ok(200).json();
    again["url"] = json!(url);
    assert_eq!(again, order);

    assert_eq!(challenge["type"], "device-attest-01");
    assert_eq!(challenge["status"], "pending");
    // RFC 8555 section 8.1: at least 128 bits.
    assert!(challenge["token"].as_str().unwrap().len() >= 22);
    let url = challenge["url"].as_str().unwrap();
    let fetched = client.fetch(url).await.ok(200);
    assert_eq!(fetched.json(), challenge);
    let authorization = order["authorizations"][0].as_str().unwrap();
    let up = format!("<{authorization}>;rel=\"up\"");
    let links: Vec<_> = fetched.headers.get_all("link").iter().collect();
    assert!(links.iter().any(|link| *link == &up), "{links:?}");
}

#[tokio::test]
async fn an_identifier_that_nobody_knows_gets_no_order() {
    let world = World::new();
    let client = world.client().await;
    for value in ["other", "C02AAAAAAAAA", "CLIENT-7", " client-7"] {
        let identifiers = json!([{"type": "permanent-identifier", "value": value}]);
        client
            .order(identifiers)
            .await
            .problem(400, "rejectedIdentifier");
    }
    let heard = world.heard.lines().join("\n");
    assert!(
        !heard.contains("other"),
        "identifiers are not told: {heard}"
    );
}

#[tokio::test]
async fn a_secret_segment_reaches_whoever_authorises() {
    let world = World::new();
    world.expected.add("client-8", Some("s3cret"), mac());
    let identifiers = json!([{"type": "permanent-identifier", "value": "client-8"}]);
    let order = |segment: &'static str| {
        let (server, identifiers) = (world.server.clone(), identifiers.clone());
        async move {
            let segment = Secret::new(segment.to_owned());
            let mut client = Raw::at(&server, &server.directory_url_below(&segment)).await;
            client.register(json!({})).await.ok(201);
            client.order(identifiers).await
        }
    };
    order("s3cret").await.ok(201);
    order("s3creT").await.problem(400, "rejectedIdentifier");
    let client = world.client().await;
    client
        .order(identifiers)
        .await
        .problem(400, "rejectedIdentifier");
    let heard = world.heard.lines().join("\n");
    assert!(!heard.contains("s3cre"), "segments are not told: {heard}");
}

#[tokio::test]
async fn orders_that_make_no_sense_are_refused() {
    let world = World::new();
    let client = world.client().await;
    let device = &device_identifiers()[0];
    for (identifiers, problem) in [
        (json!([]), "malformed"),
        (json!([device, device]), "malformed"),
        (
            json!([{"type": "permanent-identifier", "value": ""}]),
            "malformed",
        ),
        (
            json!([{"type": "permanent-identifier", "value": "a\nb"}]),
            "malformed",
        ),
        (
            json!([{"type": "permanent-identifier", "value": "a".repeat(257)}]),
            "malformed",
        ),
        (
            json!([{"type": "hardware-module", "value": "MAA"}]),
            "unsupportedIdentifier",
        ),
        (
            json!([{"type": "dns", "value": "a.example.com"}]),
            "unsupportedIdentifier",
        ),
        (
            json!([{"type": "ip", "value": "192.0.2.1"}]),
            "unsupportedIdentifier",
        ),
        (
            json!([{"type": "x", "value": "y"}]),
            "unsupportedIdentifier",
        ),
        (
            json!([device, {"type": "permanent-identifier", "value": "client-8"}]),
            "compound",
        ),
    ] {
        client.order(identifiers).await.problem(400, problem);
    }
    for (member, value) in [
        ("notBefore", json!("2026-03-01T12:00:00Z")),
        ("notAfter", json!("2026-03-01T12:00:00Z")),
    ] {
        let payload = json!({"identifiers": [device], member: value});
        let answer = client.post(&client.url("newOrder"), payload).await;
        answer.problem(400, "malformed");
    }
    let payload = json!({"identifiers": [device], "profile": "x"});
    let answer = client.post(&client.url("newOrder"), payload).await;
    answer.problem(400, "invalidProfile");
}

#[tokio::test]
async fn a_hardware_module_is_taken_where_it_is_asked_for() {
    let world = World::with(|builder| {
        builder.policy(Policy::default().with(|policy| policy.hardware_module = true))
    });
    world.expected.add("MAA", None, mac());
    let client = world.client().await;
    let order = |value: &str| client.order(json!([{"type": "hardware-module", "value": value}]));
    order("MAA").await.ok(201);
    for value in ["", "AAAA", "MAAA", "="] {
        order(value).await.problem(400, "malformed");
    }
}

/// Every URL of an order and what could be posted there.
fn everything(order: &Value, challenge: &Value) -> Vec<(String, Value)> {
    let url = |value: &Value| value.as_str().unwrap().to_owned();
    vec![
        (url(&order["url"]), Value::Null),
        (url(&order["authorizations"][0]), Value::Null),
        (
            url(&order["authorizations"][0]),
            json!({"status": "deactivated"}),
        ),
        (url(&challenge["url"]), Value::Null),
        (url(&challenge["url"]), json!({})),
        (url(&order["finalize"]), csr(&ec(), Name::default())),
        (format!("{}/certificate", url(&order["url"])), Value::Null),
    ]
}

#[tokio::test]
async fn nothing_of_an_order_is_another_accounts_and_that_it_exists_is_not_told() {
    let world = World::new();
    let key = ec();
    let (ada, order, _) = enrol(&world, &key).await;
    let authorization = order["authorizations"][0].as_str().unwrap();
    let authorization = ada.fetch(authorization).await.ok(200).json();
    let challenge = &authorization["challenges"][0];
    let bob = world.client().await;
    let unknown = "ab".repeat(16);
    let id = order["url"].as_str().unwrap().rsplit('/').next().unwrap();
    for (url, payload) in everything(&order, challenge) {
        let post = |url: String| {
            let (bob, payload) = (bob.clone(), payload.clone());
            async move {
                match payload {
                    Value::Null => bob.fetch(&url).await,
                    payload => bob.post(&url, payload).await,
                }
            }
        };
        let refused = post(url.clone()).await.problem(403, "unauthorized");
        let missing = post(url.replace(id, &unknown)).await;
        assert_eq!(refused.body, missing.body, "{url}");
    }
    let url = order["url"].as_str().unwrap();
    assert_eq!(ada.fetch(url).await.ok(200).json()["status"], "valid");
}

#[tokio::test]
async fn parts_that_an_order_does_not_have_are_nobodys() {
    let world = World::new();
    let client = world.client().await;
    let (order, challenge) = device_order(&client).await;
    let authorization = order["authorizations"][0].as_str().unwrap();
    let beyond = authorization.strip_suffix('0').unwrap().to_owned() + "1";
    client.fetch(&beyond).await.problem(403, "unauthorized");
    client
        .post(&beyond, json!({"status": "deactivated"}))
        .await
        .problem(403, "unauthorized");
    let challenge = challenge["url"].as_str().unwrap();
    let beyond = challenge.strip_suffix('0').unwrap().to_owned() + "1";
    client.fetch(&beyond).await.problem(403, "unauthorized");
    client
        .post(&beyond, json!({}))
        .await
        .problem(403, "unauthorized");
    // Nor is there a certificate before there is one.
    let certificate = format!("{}/certificate", order["url"].as_str().unwrap());
    client
        .fetch(&certificate)
        .await
        .problem(403, "unauthorized");
}

#[tokio::test]
async fn an_authorisation_that_is_given_up_takes_the_order_with_it() {
    let world = World::new();
    let key = ec();
    for ready in [false, true] {
        let client = world.client().await;
        let order = match ready {
            true => ready_order(&client, &key).await,
            false => device_order(&client).await.0,
        };
        let url = order["authorizations"][0].as_str().unwrap();
        client
            .post(url, json!({"status": "valid"}))
            .await
            .problem(400, "malformed");
        let given_up = json!({"status": "deactivated"});
        for _ in 0..2 {
            let authorization = client.post(url, given_up.clone()).await.ok(200).json();
            assert_eq!(authorization["status"], "deactivated");
        }
        let seen = client.fetch(order["url"].as_str().unwrap()).await;
        assert_eq!(seen.ok(200).json()["status"], "invalid");
        finalize(&client, &order, csr(&key, Name::default()))
            .await
            .problem(403, "orderNotReady");
    }
    assert_eq!(world.permits.issued(), 0);
}

#[tokio::test]
async fn an_order_ends_with_its_time() {
    let world = World::new();
    let key = ec();
    let (client, ready) = world.ready(&key).await;
    let (pending, challenge) = device_order(&client).await;
    world.pass(24 * 3600);
    for order in [&ready, &pending] {
        let seen = client.fetch(order["url"].as_str().unwrap()).await;
        assert_eq!(seen.ok(200).json()["status"], "invalid");
        finalize(&client, order, csr(&key, Name::default()))
            .await
            .problem(403, "orderNotReady");
    }
    let late = answer(&client, &challenge, json!({})).await.ok(200);
    assert_eq!(late.json()["status"], "pending", "it is judged no longer");
    let authorization = pending["authorizations"][0].as_str().unwrap();
    let authorization = client.fetch(authorization).await.ok(200).json();
    assert_eq!(authorization["status"], "expired");
}

#[tokio::test]
async fn what_was_proven_ends_with_its_time() {
    let world = World::with(|builder| {
        builder.policy(Policy::default().with(|policy| {
            policy.authorization_lifetime = std::time::Duration::from_secs(60);
        }))
    });
    let key = ec();
    let (client, order) = world.ready(&key).await;
    world.pass(60);
    let seen = client.fetch(order["url"].as_str().unwrap()).await;
    assert_eq!(seen.ok(200).json()["status"], "invalid");
    finalize(&client, &order, csr(&key, Name::default()))
        .await
        .problem(403, "orderNotReady");
    assert_eq!(world.permits.issued(), 0);
}

#[tokio::test]
async fn orders_are_listed_page_by_page_without_those_that_failed() {
    let world = World::with(|builder| {
        builder.limits(mdm_scep::acme::Limits::default().with(|limits| limits.page = 2))
    });
    let client = world.client().await;
    let mut urls = Vec::new();
    for _ in 0..5 {
        let (order, _) = device_order(&client).await;
        urls.insert(0, order["url"].as_str().unwrap().to_owned());
        if urls.len() == 3 {
            let url = order["authorizations"][0].as_str().unwrap();
            let given_up = json!({"status": "deactivated"});
            client.post(url, given_up).await.ok(200);
        }
    }
    urls.remove(2);
    let mut next = Some(format!("{}/orders", client.kid.clone().unwrap()));
    let mut listed = Vec::new();
    while let Some(url) = next {
        let page = client.fetch(&url).await.ok(200);
        let orders = page.json()["orders"].clone();
        listed.extend(
            orders
                .as_array()
                .unwrap()
                .iter()
                .map(|url| url.as_str().unwrap().to_owned()),
        );
        let links = page.headers.get_all("link").iter();
        next = links
            .filter_map(|link| link.to_str().unwrap().strip_suffix(">;rel=\"next\""))
            .map(|link| link.trim_start_matches('<').to_owned())
            .next();
    }
    assert_eq!(listed, urls);
    let empty = world.client().await;
    let url = format!("{}/orders", empty.kid.clone().unwrap());
    assert_eq!(
        empty.fetch(&url).await.ok(200).json(),
        json!({"orders": []})
    );
    assert_eq!(CLIENT, device_identifiers()[0]["value"]);
}
