//! What the server's authority says of the certificates that it has issued.

use bytes::Bytes;
use chrono::Utc;
use http::{Request, StatusCode};
use mdm_sdk::{
    pki::{
        Certificate, RevocationList, RevocationReason,
        ocsp::{CertId, CertStatus, OcspRequest, OcspResponse},
    },
    scep::store::{Revocation, Store},
};
use mdm_storage::SqliteStore;

use crate::world::World;

async fn status(world: &World, authority: &Certificate, serial: &[u8]) -> CertStatus {
    let id = CertId::new(authority, serial).unwrap();
    let request = OcspRequest::new(vec![id.clone()]).to_der();
    let request = Request::post(format!("{}/ocsp", world.url()))
        .header("content-type", "application/ocsp-request")
        .body(Bytes::from(request))
        .unwrap();
    let response = world.transport().send(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let response = OcspResponse::from_der(response.body(), 9).unwrap();
    response.verify(authority, Utc::now()).unwrap();
    response.find(&id).unwrap().status.clone()
}

#[tokio::test]
async fn a_certificate_says_where_its_revocation_is_listed_and_the_server_lists_it() {
    let mut world = World::new().await;
    world.more = "scep.status_url = \"http://status.example.com/\"".to_owned();
    let server = world.start("data");
    let device = world.enroll(&server, "C02MS0000001").await;
    let certificate = &device.identity().unwrap().certificate;
    let der = certificate.to_der();
    for place in [
        "http://status.example.com/crl",
        "http://status.example.com/ocsp",
    ] {
        assert!(
            der.windows(place.len()).any(|it| it == place.as_bytes()),
            "{place}"
        );
    }
    let ask = format!("{}/scep?operation=GetCACert", world.url());
    let authority = Certificate::from_der(&world.get(&ask).await.1).unwrap();
    let serial = certificate.serial();
    assert_eq!(status(&world, &authority, serial).await, CertStatus::Good);

    // As `mdmtool scep revoke` does, in the same books.
    let books = SqliteStore::open(world.path("data").join("mdm.sqlite"))
        .await
        .unwrap();
    let revocation = Revocation::new(Utc::now(), RevocationReason::KeyCompromise);
    books.revoke(serial, revocation).await.unwrap();
    books.close().await;
    let revoked = status(&world, &authority, serial).await;
    assert!(matches!(revoked, CertStatus::Revoked { .. }), "{revoked:?}");
    let (found, list) = world.get(&format!("{}/crl", world.url())).await;
    assert_eq!(found, StatusCode::OK);
    let list = RevocationList::from_der(&list, 9).unwrap();
    list.verify_signed_by(&authority).unwrap();
    assert!(list.find(serial).is_some());
}

#[tokio::test]
async fn without_a_place_for_plain_http_the_list_is_at_the_public_url() {
    let world = World::new().await;
    let server = world.start("data");
    let device = world.enroll(&server, "C02MS0000001").await;
    let der = device.identity().unwrap().certificate.to_der();
    let has = |text: String| der.windows(text.len()).any(|it| it == text.as_bytes());
    assert!(has(format!("{}/crl", world.url())));
    assert!(!has("/ocsp".to_owned()));
}
