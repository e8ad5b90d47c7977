//! Identities by ACME, for keys that a fake Apple attests.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::Utc;
use http::StatusCode;
use mdm_fake_apple::attestation::{AttestationAuthority, Defect};
use mdm_sdk::{
    pki::Certificate,
    profiles::{EnrollmentProfile, MdmSettings, Namespace, payload::AcmeCertificate, sign},
};
use mdm_simulator::{Activation, Attester, Device};
use serde_json::json;

use crate::world::{Server, World};

/// The device takes a profile that has it get its identity by ACME, at this directory.
fn install(world: &World, device: &mut Device, directory: &str) {
    let serial = device.hardware().serial_number.as_str();
    let acme = AcmeCertificate::attested(directory, serial).common_name(serial);
    let topic = "com.apple.mgmt.External.00000000-0000-0000-0000-000000000000";
    let mdm = MdmSettings::new(format!("{}/mdm", world.url()), topic.parse().unwrap());
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
