//! Account-driven enrolment: discovery, a page, a token, the profile.

use bytes::Bytes;
use http::{Request, StatusCode, header};
use mdm_sdk::protocol::enroll::AuthenticationChallenge;
use mdm_simulator::{AccountAnswer, Device, FoundServer, Hardware};

use crate::{
    sign_in::{Page, content},
    world::{World, id},
};

/// A world whose users enrol iPhones of their own and Macs of the organisation.
async fn world(more: &str) -> World {
    let mut world = World::new().await;
    let apple = "--managed-apple-account";
    world.user(&["anna", apple, "anna@example.com"], "correct horse");
    world.user(&["ben"], "battery staple");
    let users = world.path("users").display().to_string();
    world.more = format!(
        "accounts.users = \"{users}\"\n\
         accounts.account_driven = {{ offers = \"user\", by_model = {{ Mac = \"device\" }} }}\n{more}"
    );
    world
}

fn iphone(world: &World) -> Device {
    let hardware = Hardware::iphone("F2LMS0000001").unwrap();
    world.device_of(hardware, world.transport())
}

/// Finds the server, and has somebody sign in on the page that the server names. The answer of the page.
async fn signed_in(
    world: &World,
    device: &Device,
    name: &str,
    password: &str,
) -> (FoundServer, String) {
    let found = device.discover(&world.url(), "anna@example.com").await;
    let found = found.unwrap();
    let answer = device.ask_by_account(&found, None).await.unwrap();
    let AccountAnswer::SignIn(challenge) = answer else {
        panic!("{answer:?}");
    };
    let Ok(AuthenticationChallenge::Web { url, .. }) = challenge.parse() else {
        panic!("{challenge}");
    };
    let url = format!("{url}?user-identifier=anna%40example.com");
    let page = Page::open(world, Request::get(url).body(Bytes::new()).unwrap()).await;
    assert!(
        page.html.contains("value=\"anna@example.com\""),
        "{}",
        page.html
    );
    let wrong = page.submit(world, name, "something else").await;
    assert_eq!(wrong.status(), StatusCode::FORBIDDEN);
    let answer = page.submit(world, name, password).await;
    assert_eq!(answer.status(), StatusCode::PERMANENT_REDIRECT);
    let location = answer.headers()[header::LOCATION].to_str().unwrap();
    let begin = "apple-remotemanagement-user-login://authentication-results?";
    let query = location.strip_prefix(begin).unwrap();
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let (_, token) = pairs.find(|(name, _)| name == "access-token").unwrap();
    (found, token.into_owned())
}

async fn enroll(world: &World, device: &mut Device, answer: AccountAnswer) -> String {
    let AccountAnswer::Profile(profile) = answer else {
        panic!("{answer:?}");
    };
    let activation = world.activation("").await;
    let installed = device.install_enrollment_profile(&profile, &activation);
    installed.unwrap();
    device.obtain_identity().await.unwrap();
    device.authenticate().await.unwrap();
    device.update_token().await.unwrap();
    content(&profile)
}

#[tokio::test]
async fn somebody_enrols_their_own_iphone_which_tells_nothing_that_names_it() {
    let world = world("accounts.description = \"For $MANAGED_APPLE_ACCOUNT.\"").await;
    let server = world.start("data");
    let mut device = iphone(&world);
    let (found, token) = signed_in(&world, &device, "anna", "correct horse").await;
    assert_eq!(found.version, "mdm-byod");
    let answer = device.ask_by_account(&found, Some(&token)).await.unwrap();
    let profile = enroll(&world, &mut device, answer).await;
    assert!(profile.contains("For anna@example.com."), "{profile}");
    let settings = ["BYOD", "<key>AssignedManagedAppleID</key>"];
    assert!(
        settings.iter().all(|part| profile.contains(part)),
        "{profile}"
    );

    let name = format!("enrollment:{}", device.enrollment_id().unwrap());
    assert_eq!(world.call(&mut device).await, ["DeviceInformation"]);
    let shown = server.get(&format!("/v1/enrollments/{name}")).await;
    assert_eq!(shown["status"], "enrolled");
    assert_eq!(shown["owner"], "anna");
    assert!(shown["serial_number"].is_null(), "{shown}");
    device.check_out().await.unwrap();
    let shown = server.get(&format!("/v1/enrollments/{name}")).await;
    assert_eq!(shown["status"], "disabled");
    let (_, log) = server.stop();
    assert!(
        !log.contains("F2LMS0000001") && !log.contains(&token),
        "{log}"
    );
}

#[tokio::test]
async fn somebody_enrols_a_mac_of_the_organisation_and_the_token_is_for_that_mac() {
    let world = world("").await;
    let server = world.start("data");
    let mut device = world.device("C02MS0000001");
    let (found, token) = signed_in(&world, &device, "anna", "correct horse").await;
    assert_eq!(found.version, "mdm-adde");
    let answer = device.ask_by_account(&found, Some(&token)).await.unwrap();
    let profile = enroll(&world, &mut device, answer).await;
    assert!(profile.contains("ADDE"), "{profile}");
    let shown = server
        .get(&format!("/v1/enrollments/{}", id(&device)))
        .await;
    assert_eq!(shown["owner"], "anna");
    assert_eq!(shown["serial_number"], "C02MS0000001");
    // Q16: the answer may have been lost.
    let again = device.ask_by_account(&found, Some(&token)).await.unwrap();
    assert!(matches!(again, AccountAnswer::Profile(_)), "{again:?}");
    let other = world.device("C02MS0000002");
    for token in [token.as_str(), "made up"] {
        let answer = other.ask_by_account(&found, Some(token)).await.unwrap();
        assert!(matches!(answer, AccountAnswer::SignIn(_)), "{answer:?}");
    }
}

#[tokio::test]
async fn who_has_no_managed_apple_account_hears_so_and_gets_no_profile() {
    let world = world("").await;
    let server = world.start("data");
    let device = iphone(&world);
    let (found, token) = signed_in(&world, &device, "ben", "battery staple").await;
    let refused = device
        .ask_by_account(&found, Some(&token))
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("403"), "{refused}");
    let (_, log) = server.stop();
    assert!(log.contains("managed-apple-account"), "{log}");
}

#[tokio::test]
async fn discovery_tells_of_no_account_and_is_not_there_unless_it_is_offered() {
    let offering = world("").await;
    let _server = offering.start("data");
    let device = iphone(&offering);
    let origin = offering.url();
    let find = |account: &'static str| device.discover(&origin, account);
    let (known, unknown) = (find("anna@example.com").await, find("x@example.com").await);
    assert_eq!(known.unwrap(), unknown.unwrap());
    // Q16: a redirection has lost the query.
    let path = "/.well-known/com.apple.remotemanagement";
    let (status, found) = offering.get(&format!("{}{path}", offering.url())).await;
    assert_eq!(status, StatusCode::OK);
    assert!(String::from_utf8_lossy(&found).contains("mdm-byod"));

    let world = World::new().await;
    let _server = world.start("data");
    let (status, _) = world.get(&format!("{}{path}", world.url())).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_device_renews_by_a_profile_that_says_of_the_account_what_the_first_one_said() {
    let mut world = world("scep.validity_days = 10\nscep.renew_days = 3").await;
    let server = world.start("data");
    let mut devices = [iphone(&world), world.device("C02MS0000001")];
    for (device, name) in devices.iter_mut().zip(["mdm-byod", "mdm-adde"]) {
        let (found, token) = signed_in(&world, device, "anna", "correct horse").await;
        assert_eq!(found.version, name);
        let answer = device.ask_by_account(&found, Some(&token)).await.unwrap();
        enroll(&world, device, answer).await;
        world.call(device).await;
    }
    drop(server);
    let early = world
        .more
        .replace("validity_days = 10", "validity_days = 40");
    world.more = early.replace("renew_days = 3", "renew_days = 20");
    let _server = world.start("data");
    for device in &mut devices {
        let old = device.identity().unwrap().certificate.clone();
        device.poll().await.unwrap();
        assert_eq!(world.call(device).await, ["InstallProfile"]);
        assert_ne!(device.identity().unwrap().certificate, old);
        assert!(device.poll().await.unwrap().is_empty());
    }
}
