//! Who asks too often is told to come later.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::Request;
use mdm_core::Clock as _;
use mdm_scep::{
    Responder, Server,
    limit::{Peer, Rate, Scope, TokenBuckets},
};

use crate::world::{CA_KEY, World, rsa_key};

fn request(uri: &str, peer: &str, body: impl Into<Bytes>) -> Request<Bytes> {
    let method = if uri.contains("PKIOperation") {
        "POST"
    } else {
        "GET"
    };
    let request = Request::builder().method(method).uri(uri);
    let mut request = request.body(body.into()).unwrap();
    request.extensions_mut().insert(Peer(peer.to_owned()));
    request
}

fn limited(world: &World, limiter: TokenBuckets) -> Server {
    Server::builder(
        world.ca.clone(),
        Responder::local(world.root.clone(), rsa_key(CA_KEY)).unwrap(),
        Arc::new(world.challenges.clone()),
        world.clock.clone(),
    )
    .observer(world.events.clone())
    .rate_limit(Arc::new(limiter))
    .build()
    .unwrap()
}

#[tokio::test]
async fn enrolments_are_limited_by_peer_before_any_key_is_used() {
    let world = World::new();
    let rate = Rate::new(2, Duration::from_secs(60));
    let server = limited(&world, TokenBuckets::new().rate(Scope::Enrolment, rate));
    let challenge = world.challenge().await;
    let good = world.request(&challenge).build();
    let post = async |peer: &str, body: &[u8]| {
        let request = request("/scep?operation=PKIOperation", peer, body.to_vec());
        server.handle(request).await
    };
    for _ in 0..2 {
        assert_eq!(post("192.0.2.1", b"flood").await.status(), 400);
    }
    let later = post("192.0.2.1", &good).await;
    assert_eq!(later.status(), 429);
    assert_eq!(later.headers()["retry-after"], "30");
    assert_eq!(later.headers()["content-type"], "text/plain");
    assert_eq!(world.events.last(), "limited: 192.0.2.1 for 30 s");
    assert_eq!(world.store.issued(), 0);
    // Others are served, and everything else is.
    assert_eq!(post("192.0.2.2", &good).await.status(), 200);
    let caps = request("/scep?operation=GetCACaps", "192.0.2.1", "");
    assert_eq!(server.handle(caps).await.status(), 200);
    world.clock.advance(Duration::from_secs(30));
    assert_eq!(post("192.0.2.1", &good).await.status(), 200);
    assert_eq!(world.store.issued(), 1);
    assert!(world.clock.now() > crate::world::start());
}

#[tokio::test]
async fn every_request_may_be_limited_too() {
    let world = World::new();
    let rate = Rate::new(1, Duration::from_millis(1500));
    let server = limited(&world, TokenBuckets::new().rate(Scope::Request, rate));
    let caps = async || {
        let request = request("/scep?operation=GetCACaps", "a", "");
        server.handle(request).await
    };
    assert_eq!(caps().await.status(), 200);
    let later = caps().await;
    assert_eq!(later.status(), 429);
    assert_eq!(
        later.headers()["retry-after"],
        "2",
        "whole seconds, rounded up"
    );
}
