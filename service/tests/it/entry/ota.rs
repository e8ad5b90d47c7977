//! Over-the-air enrolment, phase by phase.

use mdm_service::{AdmitInvited, entry::Invite};

use super::*;

fn offering(portal: PortalBuilder) -> PortalBuilder {
    portal
        .identities(vec![AUTHORITY.certificate.clone()])
        .unwrap()
}

/// Begins, and tells the address and the challenge.
async fn begun(world: &World) -> (String, String) {
    let link = world.portal.invite(Invite::default()).await.unwrap();
    let invitation = link.split('=').nth(1).unwrap();
    let url = world.portal.urls().over_the_air(Some(invitation));
    let service = profile(&world.portal.handle(get(&url)).await);
    let text = |key: &str| service[key].as_str().unwrap().to_owned();
    (text("URL"), text("Challenge"))
}

fn attributes(challenge: &str) -> MachineInfo {
    info("C02SERVICE").with(|info| {
        info.challenge = Some(Secret::new(challenge.as_bytes().to_vec()));
    })
}

#[tokio::test]
async fn q02_a_device_gets_an_identity_and_with_it_its_profile() {
    let world = world_of(AdmitInvited, offering);
    let (url, challenge) = begun(&world).await;
    let attributes = attributes(&challenge);
    let phase_2 = world.portal.handle(post(&url, signed(&attributes))).await;
    assert_eq!(phase_2.status(), StatusCode::OK);
    assert_eq!(phase_2.body(), "identity for C02SERVICE");

    let device = Device {
        udid: "UDID-C02SERVICE".to_owned(),
        ..Device::new("C02SERVICE")
    };
    for attributes in [attributes, info("C02SERVICE")] {
        let phase_3 = SignedDataBuilder::new(&attributes.to_xml().unwrap())
            .signer(&device.certificate, DigestAlgorithm::Sha256)
            .sign(&device.key)
            .unwrap();
        let profile = profile(&world.portal.handle(post(&url, phase_3)).await);
        assert_eq!(
            authenticate_with(&world, &profile, &device).await,
            StatusCode::OK
        );
    }
}

#[tokio::test]
async fn what_breaks_a_phase_is_answered_400() {
    let world = world_of(AdmitInvited, offering);
    let (url, challenge) = begun(&world).await;
    let device = Device::new("C02SERVICE");
    let by = |device: &Device| {
        SignedDataBuilder::new(&attributes(&challenge).to_xml().unwrap())
            .signer(&device.certificate, DigestAlgorithm::Sha256)
            .sign(&device.key)
            .unwrap()
    };
    let foreign = Device::issued_by(&Authority::new("Device CA"), "C02SERVICE");
    let good = signed(&attributes(&challenge));
    let bare = format!("{PORTAL}/ota");
    for (url, body) in [
        (&url, by(&foreign)),
        // It has an identity, and says that it is another device.
        (&url, by(&Device::new("C02OTHER"))),
        (&url, signed(&attributes("another"))),
        (&url, b"nonsense".to_vec()),
        (&bare, good.clone()),
        (&format!("{bare}?ticket=a.b"), good.clone()),
    ] {
        let answer = world.portal.handle(post(url, body)).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{url}");
    }
    // An identity that has expired is none, other than Apple's certificate.
    world.clock.advance(std::time::Duration::from_secs(1800));
    assert!(
        world
            .portal
            .handle(post(&url, by(&device)))
            .await
            .status()
            .is_success()
    );
    world.clock.advance(std::time::Duration::from_secs(1800));
    let late = world.portal.handle(post(&url, good)).await;
    assert_eq!(late.status(), StatusCode::BAD_REQUEST);
}

/// What else it tells may be another device's.
#[tokio::test]
async fn of_the_names_under_an_identity_only_the_one_that_it_was_issued_for_counts() {
    let world = world_of(AdmitInvited, offering);
    let (url, challenge) = begun(&world).await;
    let told = attributes(&challenge).with(|info| info.udid = "UDID-C02OTHER".parse().ok());
    for (name, has_number) in [("C02SERVICE", true), ("UDID-C02OTHER", false)] {
        let device = Device::new(name);
        let phase_3 = SignedDataBuilder::new(&told.to_xml().unwrap())
            .signer(&device.certificate, DigestAlgorithm::Sha256)
            .sign(&device.key)
            .unwrap();
        let profile = profile(&world.portal.handle(post(&url, phase_3)).await);
        let variables = &profile["variables"];
        let (number, udid) = (&variables["SERIAL_NUMBER"], &variables["UDID"]);
        assert_eq!(number.is_string(), has_number, "{variables}");
        assert_eq!(udid.is_string(), !has_number, "{variables}");
    }
}

#[tokio::test]
async fn nobody_begins_without_an_invitation_and_a_refusal_is_shown() {
    let world = world_of(AdmitInvited, offering);
    let url = world.portal.urls().over_the_air(None);
    let answer = world.portal.handle(get(&url)).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
}
