//! Somebody who was let in with a device of their own wants another's: its commands, its tokens, its place.

use std::sync::Arc;

use bytes::Bytes;
use mdm_sdk::{
    core::SystemClock,
    pki::{
        CertificateRequestBuilder, GeneralName, Identity, KeySpec, Name, PrivateKey,
        cms::SignedData, oid,
    },
    profiles::{Profile, payload::Scep},
    scep::{CaTrust, Client, Enrolment, Error},
};
use mdm_simulator::Device;
use serde_json::json;

use crate::world::{Server, World, id};

const VICTIM: &str = "C02MS0000001";

/// A link for whoever opens it.
async fn open_link(world: &World, server: &Server) -> Bytes {
    let link = server.post("/v1/invitations", &json!({})).await;
    world.get(link["url"].as_str().unwrap()).await.1
}

/// What an enrolment profile says of SCEP.
fn scep(profile: &[u8]) -> Scep {
    let signed = SignedData::parse(profile, &Default::default()).unwrap();
    let profile = Profile::decode(signed.content().unwrap()).unwrap();
    let payload = profile.payload("com.apple.security.scep").unwrap();
    payload.decode().unwrap()
}

fn common_name(scep: &Scep) -> String {
    let subject = scep.payload_content.subject.as_ref().unwrap();
    subject[0][0][1].clone()
}

/// Asks for a certificate with the challenge of a profile, in words of one's own.
async fn certified(
    world: &World,
    scep: &Scep,
    subject: Name,
    names: &[GeneralName],
) -> Result<Identity, Error> {
    let content = &scep.payload_content;
    let key = PrivateKey::generate(KeySpec::Rsa2048).unwrap();
    let challenge = content.challenge.as_ref().unwrap();
    let csr = CertificateRequestBuilder::new(subject).challenge_password(challenge.expose());
    let csr = names.iter().fold(csr, |csr, name| csr.san(name.clone()));
    let enrolment = Enrolment::from_csr(key.clone(), csr.sign(&key).unwrap())?;
    let url = content.url.parse()?;
    let clock = Arc::new(SystemClock);
    let client = Client::new(world.transport(), url, CaTrust::Any, clock);
    let certificate = client.enrol(&enrolment).await?.certificate;
    Ok(Identity::new(certificate, Vec::new(), key).unwrap())
}

/// A program that says it is the victim, with the profile of a link of its own.
async fn impostor(world: &World, profile: &[u8]) -> Device {
    let mut device = world.device(VICTIM);
    let activation = world.activation("").await;
    device
        .install_enrollment_profile(profile, &activation)
        .unwrap();
    device
}

/// The victim is still served, by the certificate that it has.
async fn is_untouched(server: &Server, victim: &mut Device) {
    let name = id(victim);
    let queued = json!({ "enrollments": [name], "request_type": "ProfileList" });
    server.post("/v1/commands", &queued).await;
    let answered = victim.poll().await.unwrap();
    assert!(
        answered.iter().any(|it| it == "ProfileList"),
        "{answered:?}"
    );
    let shown = server.get(&format!("/v1/enrollments/{name}")).await;
    assert_eq!(shown["status"], "enrolled");
}

fn is_refused(answer: Result<impl std::fmt::Debug, mdm_simulator::Error>) {
    let refused = format!("{}", answer.unwrap_err());
    assert!(refused.contains("403"), "{refused}");
}

#[tokio::test]
async fn a_challenge_gets_no_certificate_that_names_another_device_beside_its_own() {
    let world = World::new().await;
    let server = world.start("data");
    let mut victim = world.enroll(&server, VICTIM).await;
    let udid = victim.hardware().udid.to_string();
    let profile = open_link(&world, &server).await;
    let scep = scep(&profile);
    let own = common_name(&scep);
    let named = || Name::builder().common_name(&own);
    for (subject, names) in [
        (named().attribute(oid::SERIAL_NUMBER, &udid).build(), vec![]),
        (
            named().attribute(oid::SERIAL_NUMBER, VICTIM).build(),
            vec![],
        ),
        (named().user_id(&udid).build(), vec![]),
        (named().common_name(&udid).build(), vec![]),
        (named().build(), vec![GeneralName::Dns(udid.clone())]),
        (
            named().build(),
            vec![GeneralName::Uri(format!("urn:udid:{udid}"))],
        ),
    ] {
        let asked = certified(&world, &scep, subject.clone(), &names).await;
        assert!(asked.is_err(), "{subject:?} {names:?}");
    }
    // A challenge is not spent by what it does not allow, and what it allows speaks for nobody else.
    let identity = certified(&world, &scep, named().build(), &[]).await;
    let mut impostor = impostor(&world, &profile).await;
    impostor.set_identity(identity.unwrap());
    is_refused(impostor.poll().await);
    is_refused(impostor.update_token().await);
    is_untouched(&server, &mut victim).await;
}

#[tokio::test]
async fn an_open_link_takes_no_pin_that_is_in_force() {
    let world = World::new().await;
    let server = world.start("data");
    let mut victim = world.enroll(&server, VICTIM).await;
    let mut impostor = impostor(&world, &open_link(&world, &server).await).await;
    impostor.obtain_identity().await.unwrap();
    is_refused(impostor.authenticate().await);
    is_refused(impostor.poll().await);
    is_untouched(&server, &mut victim).await;

    // Once the enrolment was taken back, whoever was let in may come as the device.
    let path = format!("/v1/enrollments/{}/retire", id(&victim));
    server.post(&path, &json!({})).await;
    impostor.authenticate().await.unwrap();
    impostor.update_token().await.unwrap();
    is_refused(victim.poll().await);
}

#[tokio::test]
async fn a_wiped_device_comes_back_by_a_link_for_its_serial_number() {
    let world = World::new().await;
    let server = world.start("data");
    let former = world.enroll(&server, VICTIM).await;
    let mut wiped = world.enroll(&server, VICTIM).await;
    assert_eq!(id(&former), id(&wiped));
    is_untouched(&server, &mut wiped).await;
}

#[tokio::test]
async fn a_repeated_machine_info_gets_nothing_that_counts_as_a_renewed_identity() {
    let mut world = World::new().await;
    world.more = "enrollment.any_device = true".to_owned();
    let server = world.start("data");
    let url = format!("{}/enroll/automated", world.url());
    let activation = world.activation(&url).await;
    let mut victim = world.device(VICTIM);
    victim.enroll(&activation).await.unwrap();
    // What the device signed holds nothing fresh: whoever has seen it can send it again.
    let profile = victim.ask_for_profile(&activation).await.unwrap();
    let mut impostor = impostor(&world, &profile).await;
    impostor.obtain_identity().await.unwrap();
    is_refused(impostor.poll().await);
    is_refused(impostor.update_token().await);
    is_untouched(&server, &mut victim).await;
}

#[tokio::test]
async fn a_device_that_was_taken_back_stays_so_until_it_enrols_anew() {
    let world = World::new().await;
    let server = world.start("data");
    let former = world.enroll(&server, VICTIM).await;
    let mut device = world.enroll(&server, VICTIM).await;
    let path = format!("/v1/enrollments/{}", id(&device));
    server.post(&format!("{path}/retire"), &json!({})).await;
    is_refused(device.update_token().await);
    // Its identity is no way back either, though its link has not expired; nor is one that it had before, by another link.
    is_refused(device.authenticate().await);
    is_refused(former.authenticate().await);
    let shown = server.get(&path).await;
    assert_eq!(shown["status"], "disabled");

    let mut anew = world.enroll(&server, VICTIM).await;
    is_untouched(&server, &mut anew).await;
}
