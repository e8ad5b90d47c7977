//! From Apple's portal to an enrolled device, and what one list tells of it.

use http::{Method, Request, StatusCode};
use mdm_fake_apple::ade::{Config, FakeAde};
use mdm_sdk::{transport::HttpTransport, transport_reqwest::ReqwestTransport};
use mdm_simulator::Activation;
use serde_json::{Value, json};

use crate::world::{Server, TOKEN, World, id};

const SERIAL: &str = "C02MS0000001";

async fn upload(server: &Server, path: &str, file: Vec<u8>) -> (StatusCode, Value) {
    let transport = ReqwestTransport::builder().no_proxy().build().unwrap();
    let request = Request::put(server.admin(path))
        .header("authorization", format!("Bearer {TOKEN}"))
        .body(file.into())
        .unwrap();
    let response = transport.send(request).await.unwrap();
    let body = serde_json::from_slice(response.body()).unwrap_or_default();
    (response.status(), body)
}

#[tokio::test]
async fn a_device_that_apple_assigns_enrols_by_itself_and_is_on_the_list_all_along() {
    let apple = FakeAde::start(Config::default()).await.unwrap();
    for serial in [SERIAL, "C02MS0000002"] {
        apple.add_device(json!({
            "serial_number": serial, "model": "MacBook Pro", "device_family": "Mac", "os": "OSX",
        }));
    }
    let mut world = World::new().await;
    world.file("ade.pem", &apple.root_certificate().to_pem());
    world.more = format!(
        "ade = {{ url = \"{}\", roots = \"{}\" }}",
        apple.url(),
        world.path("ade.pem").display()
    );
    let server = world.start("data");

    const ACCOUNT: &str = "/v1/assignment/accounts/office";
    let staged = server.put(ACCOUNT, &json!({})).await;
    let certificate = staged["certificate"].as_str().unwrap();
    let file = apple.new_server_token(certificate.as_bytes()).unwrap();
    let (status, _) = upload(&server, &format!("{ACCOUNT}/token"), b"no token".to_vec()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (status, account) = upload(&server, &format!("{ACCOUNT}/token"), file).await;
    assert_eq!(status, StatusCode::OK, "{account}");
    assert!(account["org_name"].is_string(), "{account}");
    let profile = json!({ "name": "Staff", "supervised": true });
    server.put(&format!("{ACCOUNT}/profile"), &profile).await;
    server.post(&format!("{ACCOUNT}/sync"), &json!({})).await;

    let told = apple.device_profile(SERIAL).expect("it was assigned");
    let mut device = world.device(SERIAL);
    device
        .enroll(&Activation::from_json(&told).unwrap())
        .await
        .unwrap();
    assert_eq!(world.call(&mut device).await, ["DeviceInformation"]);

    let listed = server.get("/v1/devices?limit=1").await;
    let first = &listed["devices"][0];
    assert_eq!(first["serial_number"], SERIAL);
    assert_eq!(first["account"], "office");
    assert_eq!(first["enrollment"], *id(&device));
    assert_eq!(first["status"], "enrolled");
    let next = listed["next"].as_str().unwrap();
    let listed = server
        .get(&format!("/v1/devices?limit=10&after={next}"))
        .await;
    assert_eq!(listed["devices"][0]["serial_number"], "C02MS0000002");
    assert!(listed["devices"][0]["enrollment"].is_null());
    // Who is in an account is not told again as an enrolment.
    let next = listed["next"].as_str().unwrap();
    let listed = server.get(&format!("/v1/devices?after={next}")).await;
    assert_eq!(listed["devices"], json!([]));

    let (status, _) = server
        .ask(
            Method::POST,
            "/v1/assignment/accounts/other/sync",
            TOKEN,
            None,
        )
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}
