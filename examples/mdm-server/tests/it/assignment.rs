//! From Apple's portal to an enrolled device, and what one list tells of it.

use http::{Method, Request, StatusCode};
use mdm_fake_apple::ade::{Config, FakeAde};
use mdm_sdk::{transport::HttpTransport, transport_reqwest::ReqwestTransport};
use mdm_simulator::Activation;
use serde_json::{Value, json};

use crate::{
    sign_in::Page,
    world::{Server, TOKEN, World, id},
};

const SERIAL: &str = "C02MS0000001";
const ACCOUNT: &str = "/v1/assignment/accounts/office";

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

/// Links the account and has its devices get this profile.
async fn assigned(apple: &FakeAde, server: &Server, profile: &Value) {
    let staged = server.put(ACCOUNT, &json!({})).await;
    let certificate = staged["certificate"].as_str().unwrap();
    let file = apple.new_server_token(certificate.as_bytes()).unwrap();
    let (status, account) = upload(server, &format!("{ACCOUNT}/token"), file).await;
    assert_eq!(status, StatusCode::OK, "{account}");
    assert!(account["org_name"].is_string(), "{account}");
    server.put(&format!("{ACCOUNT}/profile"), profile).await;
    server.post(&format!("{ACCOUNT}/sync"), &json!({})).await;
}

fn settings(world: &World, apple: &FakeAde) -> String {
    world.file("ade.pem", &apple.root_certificate().to_pem());
    let (url, roots) = (apple.url(), world.path("ade.pem"));
    format!(
        "ade = {{ url = \"{url}\", roots = \"{}\" }}",
        roots.display()
    )
}

#[tokio::test]
async fn who_gets_a_device_of_the_organisation_signs_in_on_the_page_that_apple_led_it_to() {
    let apple = FakeAde::start(Config::default()).await.unwrap();
    apple.add_device(json!({ "serial_number": SERIAL, "device_family": "Mac", "os": "OSX" }));
    let mut world = World::new().await;
    world.user(&["anna"], "correct horse");
    let (ade, users) = (settings(&world, &apple), world.path("users"));
    world.more = format!("{ade}\naccounts.users = {users:?}");
    let server = world.start("data");
    assigned(&apple, &server, &json!({ "name": "Staff" })).await;

    let told = apple.device_profile(SERIAL).expect("it was assigned");
    let mut device = world.device(SERIAL);
    let activation = Activation::from_json(&told).unwrap();
    let refused = device.ask_for_profile(&activation).await.unwrap_err();
    assert!(refused.to_string().contains("403"), "{refused}");
    let url = told["configuration_web_url"].as_str().unwrap();
    let answer = Page::setup(&world, url, &device)
        .await
        .submit(&world, "anna", "correct horse")
        .await;
    assert_eq!(answer.status(), StatusCode::OK);
    let installed = device.install_enrollment_profile(answer.body(), &activation);
    installed.unwrap();
    device.obtain_identity().await.unwrap();
    device.authenticate().await.unwrap();
    device.update_token().await.unwrap();
    let listed = server.get("/v1/devices").await;
    assert_eq!(listed["devices"][0]["owner"], "anna", "{listed}");

    // Another device of Apple's finds the page, and hears on it that it is none of ours.
    let other = world.device("C02MS0000002");
    let page = Page::setup(&world, url, &other).await;
    let refused = page.submit(&world, "anna", "correct horse").await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let html = String::from_utf8_lossy(refused.body()).into_owned();
    assert!(html.contains("not assigned to this server"), "{html}");
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
    world.more = settings(&world, &apple);
    let server = world.start("data");
    let token = format!("{ACCOUNT}/token");
    server.put(ACCOUNT, &json!({})).await;
    let (status, _) = upload(&server, &token, b"no token".to_vec()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assigned(
        &apple,
        &server,
        &json!({ "name": "Staff", "supervised": true }),
    )
    .await;

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
