//! Identities by ACME, for keys that a fake Apple attests.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chrono::Utc;
use http::{Request, StatusCode};
use mdm_fake_apple::attestation::{AttestationAuthority, Defect};
use mdm_sdk::{
    pki::Certificate,
    profiles::{EnrollmentProfile, MdmSettings, Namespace, payload::AcmeCertificate, sign},
    transport::{HttpTransport, transport_fn},
};
use mdm_simulator::{Activation, Attester, Device};
use serde_json::json;

use crate::world::{PATIENCE, Server, World, id};

/// The device takes a profile that has it get its identity by ACME, at this directory.
fn install(world: &World, device: &mut Device, directory: &str) {
    let serial = device.hardware().serial_number.to_string();
    let acme = AcmeCertificate::attested(directory, &serial).common_name(&serial);
    install_acme(world, device, acme, "");
}

/// The device takes a profile with this way to its identity, and this at the end of its URLs.
fn install_acme(world: &World, device: &mut Device, acme: AcmeCertificate, query: &str) {
    let topic = "com.apple.mgmt.External.00000000-0000-0000-0000-000000000000";
    let mdm = MdmSettings::new(
        format!("{}/mdm{query}", world.url()),
        topic.parse().unwrap(),
    );
    let mdm = mdm.with(|mdm| mdm.check_in_url = Some(format!("{}/checkin{query}", world.url())));
    let name = "mdm-server.enrollment";
    let profile = EnrollmentProfile::new(name, Namespace::new(name), mdm, acme);
    let signer = world.web.server_identity().unwrap();
    let signed = sign::sign(&profile.build().unwrap(), &signer, Utc::now()).unwrap();
    let anchors = [STANDARD.encode(world.web.root().to_der())];
    let activation = Activation::from_json(&json!({ "url": "", "anchor_certs": anchors }));
    device
        .install_enrollment_profile(&signed, &activation.unwrap())
        .unwrap();
}

/// The directory for a device with this serial number.
async fn invited(world: &World, server: &Server, serial: &str) -> String {
    let invitation = json!({ "serial_number": serial });
    let link = server.post("/v1/invitations", &invitation).await;
    let link = link["url"].as_str().unwrap();
    let (_, invitation) = link.split_once('=').unwrap();
    format!("{}/acme/e/{invitation}/directory", world.url())
}

#[tokio::test]
async fn a_key_that_apple_attests_for_an_invited_device_is_certified_by_the_same_authority() {
    let mut world = World::new().await;
    let apple = Arc::new(AttestationAuthority::new(Utc::now()).unwrap());
    let root = Certificate::from_der(apple.root()).unwrap();
    world.file("attestation.pem", &root.to_pem());
    let server = world.start("data");
    let directory = format!("{}/acme/directory", world.url());
    assert_eq!(world.get(&directory).await.0, StatusCode::NOT_FOUND);
    drop(server);

    let path = world.path("attestation.pem").display().to_string();
    world.more = format!("acme.attestation_roots = {}", json!(path));
    let server = world.start("data");
    let ask = format!("{}/scep?operation=GetCACert", world.url());
    let authority = Certificate::from_der(&world.get(&ask).await.1).unwrap();
    const SERIAL: &str = "C02MS0000001";
    let below = invited(&world, &server, SERIAL).await;
    let mut device = world.device(SERIAL);
    install(&world, &mut device, &below);
    device.set_attester(Attester::new(apple.clone()));
    let identity = device.obtain_identity().await.unwrap();
    let authority = authority.public_key().unwrap();
    identity.certificate.verify_signed_by(&authority).unwrap();
    let name = identity.certificate.subject().common_name();
    assert_eq!(name.as_deref(), Some(SERIAL));

    // Nobody has invited it, by this path or at all; or Apple's word is another's.
    for (serial, directory, defect) in [
        ("C02MS0000002", &below, None),
        ("C02MS0000002", &directory, None),
        (SERIAL, &directory, None),
        (SERIAL, &below, Some(Defect::OtherFreshness)),
    ] {
        let mut other = world.device(serial);
        install(&world, &mut other, directory);
        let attester = Attester::new(apple.clone());
        other.set_attester(match defect {
            Some(defect) => attester.defect(defect),
            None => attester,
        });
        assert!(
            other.obtain_identity().await.is_err(),
            "{serial} {directory} {defect:?}"
        );
    }
}

/// A world with a fake Apple that attests.
async fn attesting() -> (World, Arc<AttestationAuthority>) {
    let mut world = World::new().await;
    let apple = Arc::new(AttestationAuthority::new(Utc::now()).unwrap());
    let root = Certificate::from_der(apple.root()).unwrap();
    world.file("attestation.pem", &root.to_pem());
    world.more = with_roots(&world, "");
    (world, apple)
}

fn with_roots(world: &World, more: &str) -> String {
    let path = world.path("attestation.pem").display().to_string();
    format!("acme.attestation_roots = {}\n{more}", json!(path))
}

/// A device that enrols by ACME alone, called as the vendor likes.
async fn enrolled(
    world: &World,
    server: &Server,
    apple: &Arc<AttestationAuthority>,
    serial: &str,
    names: (&str, Option<&str>),
) -> Device {
    let directory = invited(world, server, serial).await;
    let (_, rest) = directory.split_once("/acme/e/").unwrap();
    let query = format!("?invitation={}", rest.trim_end_matches("/directory"));
    let mut device = world.device(serial);
    device.set_attester(Attester::new(apple.clone()));
    let (identifier, common_name) = names;
    let mut acme = AcmeCertificate::attested(&directory, identifier);
    if let Some(name) = common_name {
        acme = acme.common_name(name);
    }
    install_acme(world, &mut device, acme, &query);
    device.obtain_identity().await.unwrap();
    device.authenticate().await.unwrap();
    device.update_token().await.unwrap();
    device
}

fn is_refused(answer: Result<impl std::fmt::Debug, mdm_simulator::Error>) {
    let refused = format!("{}", answer.unwrap_err());
    assert!(refused.contains("403"), "{refused}");
}

#[tokio::test]
async fn an_attested_identity_enrols_its_device_and_another_of_the_same_profile_renews_it() {
    let (world, apple) = attesting().await;
    let server = world.start("data");
    for (serial, identifier, name) in [
        ("C02MS0000001", "C02MS0000001", Some("C02MS0000001")),
        ("C02MS0000002", "C02MS0000002", None),
        (
            "C02MS0000003",
            "serial:C02MS0000003",
            Some("serial:C02MS0000003"),
        ),
        ("C02MS0000004", "serial:C02MS0000004", None),
    ] {
        let names = (identifier, name);
        let mut device = enrolled(&world, &server, &apple, serial, names).await;
        let former = device.identity().unwrap().clone();
        device.obtain_identity().await.unwrap();
        device.poll().await.unwrap();
        let path = format!("/v1/enrollments/{}", id(&device));
        let shown = server.get(&path).await;
        assert_eq!(shown["status"], "enrolled");
        assert_eq!(shown["decision"]["kind"], "identity_renewal", "{shown}");
        device.set_identity(former);
        is_refused(device.poll().await);
    }
}

#[tokio::test]
async fn a_device_that_was_taken_back_attests_in_vain_with_the_profile_that_it_has() {
    let (world, apple) = attesting().await;
    let server = world.start("data");
    let serial = "C02MS0000001";
    let mut device = enrolled(&world, &server, &apple, serial, (serial, None)).await;
    let former = device.identity().unwrap().clone();
    device.obtain_identity().await.unwrap();
    device.poll().await.unwrap();
    let path = format!("/v1/enrollments/{}", id(&device));
    server.post(&format!("{path}/retire"), &json!({})).await;
    assert!(device.obtain_identity().await.is_err());
    // It was replaced, and never revoked.
    device.set_identity(former);
    is_refused(device.authenticate().await);
    assert_eq!(server.get(&path).await["status"], "disabled");

    enrolled(&world, &server, &apple, serial, (serial, None)).await;
    assert_eq!(server.get(&path).await["status"], "enrolled");
}

#[tokio::test]
async fn an_attested_identity_renews_neither_another_device_nor_by_another_profile() {
    const SERIAL: &str = "C02MS0000001";
    let (world, apple) = attesting().await;
    let server = world.start("data");
    let names = (SERIAL, Some(SERIAL));
    let mut device = enrolled(&world, &server, &apple, SERIAL, names).await;
    let own = device.identity().unwrap().clone();
    // Whoever has the device may have it attested: without a path, and by a link of somebody else's.
    let plain = format!("{}/acme/directory", world.url());
    let other = "C02MS0000002";
    let link = invited(&world, &server, other).await;
    for (serial, directory) in [(SERIAL, &plain), (other, &link)] {
        let mut stranger = world.device(serial);
        stranger.set_attester(Attester::new(apple.clone()));
        install(&world, &mut stranger, directory);
        let identity = stranger.obtain_identity().await.unwrap().clone();
        device.set_identity(identity);
        is_refused(device.poll().await);
        is_refused(device.update_token().await);
    }
    device.set_identity(own);
    device.poll().await.unwrap();
}

#[tokio::test]
async fn scep_takes_no_attested_identity_s_place() {
    const SERIAL: &str = "C02MS0000001";
    let (mut world, apple) = attesting().await;
    world.more = with_roots(&world, "scep.validity_days = 10\nscep.renew_days = 3");
    let server = world.start("data");
    let names = (SERIAL, Some(SERIAL));
    let mut device = enrolled(&world, &server, &apple, SERIAL, names).await;
    drop(server);
    world.more = with_roots(&world, "scep.validity_days = 40\nscep.renew_days = 20");
    let server = world.start("data");
    let told = async {
        while !server.log().contains("identity of ACME ends soon") {
            device.poll().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, told).await.unwrap();
    let path = format!("/v1/enrollments/{}/commands", id(&device));
    let listed = server.get(&path).await.to_string();
    assert!(!listed.contains("InstallProfile"), "{listed}");
}

#[tokio::test]
async fn an_order_ends_where_the_device_is_taken_back_meanwhile() {
    const SERIAL: &str = "C02MS0000001";
    let (world, apple) = attesting().await;
    let server = Arc::new(world.start("data"));
    let enrolled = world.enroll(&server, SERIAL).await;
    let retire = format!("/v1/enrollments/{}/retire", id(&enrolled));
    let transport = world.transport();
    let retiring = transport_fn({
        let (transport, server) = (transport.clone(), server.clone());
        move |request: Request<Bytes>| {
            let (transport, server) = (transport.clone(), server.clone());
            let retire = retire.clone();
            async move {
                if request.uri().path().contains("finalize") {
                    server.post(&retire, &json!({})).await;
                }
                transport.send(request).await
            }
        }
    });
    let directory = format!("{}/acme/directory", world.url());
    let link = invited(&world, &server, SERIAL).await;
    for (transport, directory, is_certified) in [
        (transport.clone(), &directory, true),
        (Arc::new(retiring), &directory, false),
        // An invitation of today brings it back.
        (transport, &link, true),
    ] {
        let mut device = world.device_over(SERIAL, transport);
        device.set_attester(Attester::new(apple.clone()));
        install(&world, &mut device, directory);
        let obtained = device.obtain_identity().await.map(|_| ());
        assert_eq!(obtained.is_ok(), is_certified, "{directory} {obtained:?}");
    }
}
