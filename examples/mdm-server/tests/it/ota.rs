//! Over-the-air enrolment: a `Profile Service` profile, what the device signs of itself, the enrolment profile.

use http::StatusCode;
use mdm_sdk::pki::cms::SignedData;
use serde_json::{Value, json};

use crate::world::{Server, World, id};

/// A link that begins over the air.
async fn link(world: &World, server: &Server, invitation: &Value) -> String {
    let made = server.post("/v1/invitations", invitation).await;
    let (_, invitation) = made["url"].as_str().unwrap().split_once('?').unwrap();
    format!("{}/enroll/ota?{invitation}", world.url())
}

#[tokio::test]
async fn a_device_tells_what_it_is_and_gets_its_profile_over_the_air() {
    let world = World::new().await;
    let server = world.start("data");
    let invitation = json!({ "serial_number": "C02MS0000001", "owner": "anna" });
    let link = link(&world, &server, &invitation).await;
    let activation = world.activation("").await;
    let mut device = world.device("C02MS0000001");
    // The first answer was lost.
    device.ask_over_the_air(&link, &activation).await.unwrap();
    let profile = device.ask_over_the_air(&link, &activation).await.unwrap();
    device
        .install_enrollment_profile(&profile, &activation)
        .unwrap();
    let identity = device.obtain_identity().await.unwrap();
    let subject = identity.certificate.subject();
    assert_eq!(subject.common_name().as_deref(), Some("C02MS0000001"));
    device.authenticate().await.unwrap();
    device.update_token().await.unwrap();
    assert_eq!(world.call(&mut device).await, ["DeviceInformation"]);
    let shown = server
        .get(&format!("/v1/enrollments/{}", id(&device)))
        .await;
    assert_eq!(shown["status"], "enrolled");
    assert_eq!(shown["owner"], "anna");

    // The invitation was that device's.
    let other = world.device("C02MS0000002");
    let refused = other.ask_over_the_air(&link, &activation).await;
    assert!(format!("{:?}", refused.unwrap_err()).contains("403"));
}

#[tokio::test]
async fn over_the_air_goes_who_was_invited_on_a_device_of_apples() {
    let world = World::new().await;
    let server = world.start("data");
    let invitation = json!({ "serial_number": "C02MS0000001" });
    let link = link(&world, &server, &invitation).await;
    let activation = world.activation("").await;
    // Another device with the link of this one.
    let other = world.device("C02MS0000002");
    let refused = other.ask_over_the_air(&link, &activation).await;
    assert!(format!("{:?}", refused.unwrap_err()).contains("403"));
    // No link, and one that nobody made.
    for query in ["", "?invitation=AAAAAAAAAAAAAAAAAAAAAA"] {
        let url = format!("{}/enroll/ota{query}", world.url());
        assert_eq!(world.get(&url).await.0, StatusCode::FORBIDDEN, "{query}");
    }
    // A device that no authority of Apple's vouches for.
    let stranger = World::new().await;
    let made_elsewhere = stranger.factory.device_identity(other.hardware()).unwrap();
    let clone = mdm_simulator::Device::new(
        mdm_simulator::Hardware::mac("C02MS0000001").unwrap(),
        made_elsewhere,
        world.transport(),
        std::sync::Arc::new(mdm_sdk::core::SystemClock),
    );
    let refused = clone.ask_over_the_air(&link, &activation).await;
    assert!(format!("{:?}", refused.unwrap_err()).contains("400"));
    // The profile that asks is signed, and asks for what names the device.
    let (status, profile) = world.get(&link).await;
    assert_eq!(status, StatusCode::OK);
    let signed = SignedData::parse(&profile, &Default::default()).unwrap();
    let asks = String::from_utf8(signed.content().unwrap().to_vec()).unwrap();
    assert!(
        asks.contains("Profile Service") && asks.contains("SERIAL"),
        "{asks}"
    );
}
