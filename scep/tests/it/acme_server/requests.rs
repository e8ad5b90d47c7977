//! What holds of every request: its form, its signature, its nonce, its URL.

use bytes::Bytes;
use http::{Method, Request};
use mdm_core::Secret;
use mdm_scep::acme::Policy;
use serde_json::{Value, json};

use super::{
    raw::{Raw, b64, jwk, jws, unb64},
    world::{BASE, World, device_identifiers, ec},
};

#[tokio::test]
async fn the_directory_names_everything() {
    let world = World::new();
    let client = Raw::new(&world.server).await;
    let resources = client.directory.as_object().unwrap();
    let names: Vec<_> = resources.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "keyChange",
            "meta",
            "newAccount",
            "newNonce",
            "newOrder",
            "renewalInfo",
            "revokeCert"
        ]
    );
    assert_eq!(client.url("newOrder"), format!("{BASE}/new-order"));
    let segment = Secret::new("s3cret".to_owned());
    let below = Raw::at(&world.server, &world.server.directory_url_below(&segment)).await;
    assert_eq!(below.url("newOrder"), format!("{BASE}/e/s3cret/new-order"));
    // RFC 8555 section 6.3: by POST-as-GET too.
    let registered = world.client().await;
    let directory = registered
        .fetch(&world.server.directory_url())
        .await
        .ok(200);
    assert_eq!(directory.json(), client.directory);
}

#[tokio::test]
async fn nonces_come_with_every_answer_to_a_post_and_from_their_own_place() {
    let world = World::new();
    let client = world.client().await;
    let url = client.url("newNonce");
    let get = client.get(&url).await.ok(204);
    assert_eq!(get.header("cache-control"), "no-store");
    assert_eq!(
        get.header("link"),
        format!("<{BASE}/directory>;rel=\"index\"")
    );
    assert_ne!(get.nonce(), client.nonce().await);
    client.fetch(&url).await.ok(204).nonce();
    client.order(device_identifiers()).await.ok(201).nonce();
    client
        .order(json!([]))
        .await
        .problem(400, "malformed")
        .nonce();
    client.post_body(&url, "").await.ok(400).nonce();
}

#[tokio::test]
async fn other_methods_paths_and_content_types_are_refused() {
    let world = World::new();
    let client = world.client().await;
    let send = |method: Method, url: &str, content_type: &str| {
        let request = Request::builder()
            .method(method)
            .uri(url)
            .header("content-type", content_type);
        let client = client.clone();
        async move { client.send(request.body(Bytes::new()).unwrap()).await }
    };
    let order = client.url("newOrder");
    let refused = send(Method::GET, &order, "application/jose+json").await;
    assert_eq!(refused.problem(405, "malformed").header("allow"), "POST");
    let refused = send(Method::DELETE, &client.url("newNonce"), "").await;
    assert_eq!(refused.ok(405).header("allow"), "GET, HEAD, POST");
    for path in ["", "/", "/x", "/new-authz", "/order/7"] {
        send(Method::GET, &format!("{BASE}{path}"), "")
            .await
            .problem(404, "malformed");
    }
    for content_type in ["", "application/json", "application/jose", "text/html"] {
        send(Method::POST, &order, content_type)
            .await
            .problem(415, "malformed");
    }
}

#[tokio::test]
async fn a_nonce_is_good_for_one_request_and_for_an_hour() {
    let world = World::new();
    let client = world.client().await;
    let url = client.url("newOrder");
    let payload = serde_json::to_vec(&json!({"identifiers": device_identifiers()})).unwrap();
    let header = client.header(&url).await;
    client.post_header(&url, &header, &payload).await.ok(201);
    let refused = client.post_header(&url, &header, &payload).await;
    let fresh = refused.problem(400, "badNonce").nonce();

    let mut again = header.clone();
    again["nonce"] = json!(fresh);
    client.post_header(&url, &again, &payload).await.ok(201);

    let mut old = client.header(&url).await;
    world.pass(3600);
    client
        .post_header(&url, &old, &payload)
        .await
        .problem(400, "badNonce");
    old["nonce"] = json!(b64([7; 40]));
    client
        .post_header(&url, &old, &payload)
        .await
        .problem(400, "badNonce");
    // After an hour nothing is remembered, and nothing old is taken.
    client
        .post_header(&url, &again, &payload)
        .await
        .problem(400, "badNonce");
}

#[tokio::test]
async fn fifty_parallel_requests_with_one_nonce_are_one_request() {
    let world = World::new();
    let client = world.client().await;
    let url = client.url("newOrder");
    let header = client.header(&url).await;
    let payload = serde_json::to_vec(&json!({"identifiers": device_identifiers()})).unwrap();
    let all = (0..50).map(|_| {
        let (client, url, header) = (client.clone(), url.clone(), header.clone());
        let payload = payload.clone();
        tokio::spawn(async move { client.post_header(&url, &header, &payload).await })
    });
    let answers = futures_util::future::join_all(all).await;
    let statuses = answers.into_iter().map(|answer| answer.unwrap().status);
    let made = statuses.filter(|status| *status == 201).count();
    assert_eq!(made, 1);
}

#[tokio::test]
async fn nobody_spends_a_nonce_without_a_signature() {
    let world = World::new();
    let client = world.client().await;
    let url = client.url("newOrder");
    let header = client.header(&url).await;
    let payload = serde_json::to_vec(&json!({"identifiers": device_identifiers()})).unwrap();
    let mut forged = client.clone();
    forged.key = ec();
    forged
        .post_header(&url, &header, &payload)
        .await
        .problem(400, "malformed");
    client.post_header(&url, &header, &payload).await.ok(201);
}

#[tokio::test]
async fn a_server_that_shares_its_key_takes_the_nonces_of_another() {
    let key = || Secret::new([9; 32]);
    let nodes = [0, 1].map(|_| World::with(|builder| builder.nonce_key(key())));
    let stranger = World::new();
    let client = Raw::new(&nodes[0].server).await;
    let url = client.url("newAccount");
    let header = client.header(&url).await;
    let mut elsewhere = client.clone();
    elsewhere.server = stranger.server.clone();
    elsewhere
        .post_header(&url, &header, b"{}")
        .await
        .problem(400, "badNonce");
    elsewhere.server = nodes[1].server.clone();
    elsewhere.post_header(&url, &header, b"{}").await.ok(201);
}

/// A request with one thing wrong in its header.
async fn spoiled(client: &Raw, change: impl FnOnce(&mut Value)) -> super::raw::Answer {
    let url = client.url("newOrder");
    let mut header = client.header(&url).await;
    change(&mut header);
    let payload = serde_json::to_vec(&json!({"identifiers": device_identifiers()})).unwrap();
    client.post_header(&url, &header, &payload).await
}

#[tokio::test]
async fn a_header_that_is_not_as_it_should_be_is_refused() {
    let world = World::new();
    let client = world.client().await;
    let jwk = jwk(&client.key);
    for alg in [
        "none", "HS256", "HS512", "ES384", "RS256", "PS256", "es256", "",
    ] {
        let answer = spoiled(&client, |header| header["alg"] = json!(alg)).await;
        let answer = answer.problem(400, "badSignatureAlgorithm");
        let algorithms = answer.json()["algorithms"].clone();
        assert!(algorithms.as_array().unwrap().contains(&json!("ES256")));
    }
    let other = client.url("newAccount");
    for url in [
        other.as_str(),
        "https://other.example/acme/new-order",
        "",
        "/acme/new-order",
    ] {
        spoiled(&client, |header| header["url"] = json!(url))
            .await
            .problem(403, "unauthorized");
    }
    for kid in [
        "https://ca.example.com/acme/account/00000000000000000000000000000000",
        "https://other.example/acme/account/00000000000000000000000000000000",
        "account",
    ] {
        spoiled(&client, |header| header["kid"] = json!(kid))
            .await
            .problem(400, "accountDoesNotExist");
    }
    type Change<'a> = Box<dyn FnOnce(&mut Value) + 'a>;
    let changes: Vec<Change<'_>> = vec![
        Box::new(|header| header["jwk"] = jwk.clone()),
        Box::new(|header| {
            header.as_object_mut().unwrap().remove("kid");
        }),
        Box::new(|header| {
            header.as_object_mut().unwrap().remove("nonce");
        }),
        Box::new(|header| {
            header.as_object_mut().unwrap().remove("kid");
            header["jwk"] = jwk.clone();
        }),
        Box::new(|header| header["crit"] = json!(["exp"])),
        Box::new(|header| header["b64"] = json!(false)),
        Box::new(|header| *header = json!([])),
    ];
    for change in changes {
        spoiled(&client, change).await.problem(400, "malformed");
    }
    assert_eq!(world.heard.count("Ordered"), 0);
}

#[tokio::test]
async fn a_mac_with_the_public_key_is_no_signature() {
    let world = World::new();
    let client = world.client().await;
    let url = client.url("newOrder");
    let mut header = client.header(&url).await;
    header["alg"] = json!("HS256");
    let protected = b64(serde_json::to_vec(&header).unwrap());
    let payload = b64(b"{}");
    let text = format!("{protected}.{payload}");
    let key = serde_json::to_vec(&jwk(&client.key)).unwrap();
    let mac = mdm_pki::hmac(mdm_pki::DigestAlgorithm::Sha256, &key, text.as_bytes()).unwrap();
    let jws = json!({"protected": protected, "payload": payload, "signature": b64(mac)});
    client
        .post_body(&url, serde_json::to_vec(&jws).unwrap())
        .await
        .problem(400, "badSignatureAlgorithm");
    // Nor is nothing.
    let mut none = client.header(&url).await;
    none["alg"] = json!("none");
    let protected = b64(serde_json::to_vec(&none).unwrap());
    let jws = json!({"protected": protected, "payload": payload, "signature": ""});
    client
        .post_body(&url, serde_json::to_vec(&jws).unwrap())
        .await
        .problem(400, "badSignatureAlgorithm");
}

#[tokio::test]
async fn what_is_no_flattened_jws_is_refused() {
    let world = World::new();
    let client = world.client().await;
    let url = client.url("newOrder");
    let good = jws(&client.header(&url).await, b"{}", &client.key);
    let mut unprotected = good.clone();
    unprotected["header"] = json!({"alg": "none"});
    let mut several = good.clone();
    several["signatures"] = json!([]);
    let compact = format!(
        "{}.{}.{}",
        good["protected"].as_str().unwrap(),
        good["payload"].as_str().unwrap(),
        good["signature"].as_str().unwrap()
    );
    for body in [
        unprotected.to_string(),
        several.to_string(),
        compact,
        String::new(),
        "{}".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        "[".repeat(100_000),
    ] {
        client.post_body(&url, body).await.problem(400, "malformed");
    }
    client
        .post_body(&url, vec![b' '; (128 << 10) + 1])
        .await
        .problem(413, "malformed");
    // A private key has no place in a header.
    let mut private = client.header(&client.url("newAccount")).await;
    private.as_object_mut().unwrap().remove("kid");
    private["jwk"] = jwk(&client.key);
    private["jwk"]["d"] = json!("AAAA");
    client
        .post_header(&client.url("newAccount"), &private, b"{}")
        .await
        .problem(400, "malformed");
}

#[tokio::test]
async fn payloads_are_objects_of_their_kind() {
    let world = World::new();
    let client = world.client().await;
    let (order, _) = super::world::device_order(&client).await;
    for payload in ["[]", "null", "7", "", "{", r#"{"identifiers":7}"#, "{}{}"] {
        let url = client.url("newOrder");
        let answer = client.post_bytes(&url, payload.as_bytes()).await;
        assert_eq!(answer.status, 400, "{payload}");
    }
    // What can only be got takes no payload.
    let url = order["url"].as_str().unwrap();
    client.post(url, json!({})).await.problem(400, "malformed");
}

#[tokio::test]
async fn a_lifetime_of_nonces_can_be_chosen() {
    let world = World::with(|builder| {
        builder.policy(Policy::default().with(|policy| {
            policy.nonce_lifetime = std::time::Duration::from_secs(60);
        }))
    });
    let client = world.client().await;
    let url = client.url("newOrder");
    let header = client.header(&url).await;
    world.pass(60);
    client
        .post_header(&url, &header, b"{}")
        .await
        .problem(400, "badNonce");
    assert_eq!(unb64(header["nonce"].as_str().unwrap()).len(), 40);
}

#[tokio::test]
async fn an_authority_that_ends_soon_is_told_of_once_a_day() {
    let world = World::new();
    let url = world.server.directory_url();
    let client = Raw::new(&world.server).await;
    assert_eq!(world.heard.count("expiring"), 0);
    world.pass((10 * 365 - 29) * 24 * 3600);
    for _ in 0..2 {
        client.get(&url).await.ok(200);
        client.get(&url).await.ok(200);
        world.pass(24 * 3600);
    }
    assert_eq!(world.heard.count("expiring: CN=Example CA"), 2);
}
