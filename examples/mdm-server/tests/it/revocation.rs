//! What the server's authority says of the certificates that it has issued.

use std::sync::Arc;

use bytes::Bytes;
use chrono::Utc;
use http::{Request, StatusCode};
use mdm_sdk::{
    core::SystemClock,
    pki::{
        Certificate, KeySpec, PrivateKey, RevocationList, RevocationReason,
        ocsp::{CertId, CertStatus, OcspRequest, OcspResponse},
    },
    scep::{
        CaTrust, Client, Enrolment,
        store::{Revocation, Store},
    },
};
use mdm_simulator::Device;
use mdm_storage::SqliteStore;
use serde_json::json;

use crate::world::{World, id};

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

#[tokio::test]
async fn the_identity_of_a_device_that_is_taken_back_is_listed_and_renews_nothing() {
    let mut world = World::new().await;
    world.more = "scep.validity_days = 10".to_owned();
    let server = world.start("data");
    let device = world.enroll(&server, "C02MS0000001").await;
    let other = world.enroll(&server, "C02MS0000002").await;
    let path = format!("/v1/enrollments/{}/retire", id(&device));
    server.post(&path, &json!({})).await;

    let (_, list) = world.get(&format!("{}/crl", world.url())).await;
    let list = RevocationList::from_der(&list, 9).unwrap();
    let certificate = |device: &Device| device.identity().unwrap().certificate.clone();
    let revoked = list.find(certificate(&device).serial()).unwrap();
    assert_eq!(revoked.reason, RevocationReason::CessationOfOperation);
    assert!(list.find(certificate(&other).serial()).is_none());

    for (device, renews) in [(&device, false), (&other, true)] {
        let identity = device.identity().unwrap();
        let key = PrivateKey::generate(KeySpec::Rsa2048).unwrap();
        let old = identity.certificate.clone();
        let enrolment = Enrolment::renewal(old, identity.key.clone(), key).unwrap();
        let url = format!("{}/scep", world.url()).parse().unwrap();
        let clock = Arc::new(SystemClock);
        let client = Client::new(world.transport(), url, CaTrust::Any, clock);
        let renewed = client.enrol(&enrolment).await;
        assert_eq!(renewed.is_ok(), renews, "{renewed:?}");
    }
}

#[tokio::test]
async fn a_certificate_that_is_revoked_lets_nobody_in() {
    let world = World::new().await;
    let server = world.start("data");
    let mut device = world.device("C02MS0000001");
    world.identify(&server, &mut device).await;
    let books = SqliteStore::open(world.path("data").join("mdm.sqlite"))
        .await
        .unwrap();
    let revocation = Revocation::new(Utc::now(), RevocationReason::KeyCompromise);
    let serial = device.identity().unwrap().certificate.serial();
    books.revoke(serial, revocation).await.unwrap();
    books.close().await;
    let refused = device.authenticate().await.unwrap_err();
    assert!(format!("{refused}").contains("403"), "{refused}");
    let listed = server.get("/v1/enrollments").await;
    assert_eq!(listed["enrollments"], json!([]));
}
