//! The HTTP side of the server, to the letter.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Request, Response};
use mdm_pki::{Certificate, cms::SignedData};
use mdm_scep::{PkiStatus, Policy, message::PkiMessage};

use crate::world::{Setup, World};

async fn get(world: &World, query: &str) -> Response<Bytes> {
    let request = Request::get(format!("/scep?{query}"))
        .body(Bytes::new())
        .unwrap();
    world.server.handle(request).await
}

#[tokio::test]
async fn every_capability_is_listed_by_itself() {
    let world = World::new();
    let response = get(&world, "operation=GetCACaps&message=x").await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/plain");
    assert_eq!(
        response.body(),
        "AES\nPOSTPKIOperation\nSHA-256\nSHA-512\nSCEPStandard\nRenewal\n"
    );
    let lenient = World::with(Setup {
        policy: Policy::default().with(|policy| policy.sha1 = true),
        ..Setup::default()
    });
    let response = get(&lenient, "operation=GetCACaps").await;
    assert!(response.body().ends_with(b"\nSHA-1\n"));
}

#[tokio::test]
async fn a_lone_ca_is_raw_der_under_its_exact_content_type() {
    let world = World::new();
    let response = get(&world, "operation=GetCACert").await;
    assert_eq!(
        response.headers()["content-type"],
        "application/x-x509-ca-cert"
    );
    assert_eq!(Certificate::from_der(response.body()).unwrap(), world.root);
}

#[tokio::test]
async fn an_ra_comes_first_in_a_certs_only_message_under_its_exact_content_type() {
    let world = World::with(Setup {
        ra: true,
        ..Setup::default()
    });
    let response = get(&world, "operation=GetCACert").await;
    assert_eq!(
        response.headers()["content-type"],
        "application/x-x509-ca-ra-cert"
    );
    let signed = SignedData::parse(response.body(), &Default::default()).unwrap();
    assert!(signed.content().is_none() && signed.signers().is_empty());
    assert_eq!(
        signed.certificates(),
        [world.responder.clone(), world.root.clone()]
    );
}

#[tokio::test]
async fn a_message_by_get_is_answered_with_raw_and_with_escaped_base64() {
    let world = World::new();
    let challenge = world.challenge().await;
    let raw = world.request(&challenge);
    let text = STANDARD.encode(raw.build());
    assert!(text.contains('+') && text.contains('/'));
    let escaped = text
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D");
    for message in [text, escaped] {
        let response = get(&world, &format!("operation=PKIOperation&message={message}")).await;
        assert_eq!(
            response.headers()["content-type"],
            "application/x-pki-message"
        );
        let reply = PkiMessage::parse(response.body(), 1 << 16).unwrap();
        assert_eq!(reply.attributes.status, Some(PkiStatus::Success));
    }
    assert_eq!(world.store.issued(), 1);
}

#[tokio::test]
async fn wrong_requests_get_their_status_and_one_line_of_text() {
    let world = World::new();
    for (query, status) in [
        ("", 400),
        ("operation=GetNextCACert", 400),
        ("operation=PKIOperation", 400),
        ("operation=PKIOperation&message=!!", 400),
    ] {
        let response = get(&world, query).await;
        assert_eq!(response.status(), status, "{query}");
        assert_eq!(response.headers()["content-type"], "text/plain");
        assert!(response.body().ends_with(b"\n"));
    }
    let request = Request::delete("/?operation=GetCACaps")
        .body(Bytes::new())
        .unwrap();
    assert_eq!(world.server.handle(request).await.status(), 405);
}
