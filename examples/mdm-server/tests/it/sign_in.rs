//! People sign in: on the page of automated enrolment, and before a download.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use mdm_sdk::pki::cms::SignedData;
use mdm_simulator::Device;

use crate::world::{World, id};

/// What a browser remembers of a page with a form.
pub(crate) struct Page {
    origin: String,
    cookie: String,
    ticket: String,
    proof: String,
    pub(crate) html: String,
}

impl Page {
    /// Opens a page, which has to be a form.
    pub(crate) async fn open(world: &World, request: Request<Bytes>) -> Self {
        let response = world.transport().send(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let headers = response.headers();
        assert_eq!(headers[header::CACHE_CONTROL], "no-store");
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        let cookie = headers[header::SET_COOKIE].to_str().unwrap();
        for part in ["__Host-", "Secure", "HttpOnly", "SameSite=Strict"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        let html = String::from_utf8(response.body().to_vec()).unwrap();
        assert!(!html.contains("<script"));
        let hidden = |name: &str| {
            let (_, value) = html
                .split_once(&format!("name=\"{name}\" value=\""))
                .unwrap();
            value.split_once('"').unwrap().0.to_owned()
        };
        Self {
            origin: world.url(),
            cookie: cookie.split_once(';').unwrap().0.to_owned(),
            ticket: hidden("ticket"),
            proof: hidden("proof"),
            html,
        }
    }

    /// Setup Assistant opens the page of the assigned profile.
    pub(crate) async fn setup(world: &World, url: &str, device: &Device) -> Self {
        let info = STANDARD.encode(device.signed_machine_info().unwrap());
        let request = Request::get(url)
            .header("x-apple-aspen-deviceinfo", info)
            .body(Bytes::new())
            .unwrap();
        Self::open(world, request).await
    }

    /// Fills in the form and sends it.
    pub(crate) async fn submit(
        &self,
        world: &World,
        name: &str,
        password: &str,
    ) -> Response<Bytes> {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("ticket", &self.ticket)
            .append_pair("proof", &self.proof)
            .append_pair("name", name)
            .append_pair("password", password)
            .finish();
        let request = Request::post(format!("{}/sign-in", world.url()))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::COOKIE, &self.cookie)
            .header(header::ORIGIN, &self.origin)
            .body(body.into())
            .unwrap();
        world.transport().send(request).await.unwrap()
    }
}

/// What a profile says, unverified.
pub(crate) fn content(profile: &[u8]) -> String {
    let signed = SignedData::parse(profile, &Default::default()).unwrap();
    String::from_utf8(signed.content().unwrap().to_vec()).unwrap()
}

/// A world in which Anna may enrol, whoever made the device.
async fn world(more: &str) -> World {
    let mut world = World::new().await;
    world.user(
        &["anna", "--managed-apple-account", "anna@example.com"],
        "correct horse",
    );
    let users = world.path("users").display().to_string();
    world.more = format!("enrollment.any_device = true\naccounts.users = \"{users}\"\n{more}");
    world
}

async fn setup(world: &World, device: &Device) -> Page {
    Page::setup(world, &format!("{}/enroll/page", world.url()), device).await
}

async fn enroll(world: &World, device: &mut Device, answer: &Response<Bytes>) {
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(
        answer.headers()[header::CONTENT_TYPE],
        "application/x-apple-aspen-config"
    );
    let activation = world.activation("").await;
    let installed = device.install_enrollment_profile(answer.body(), &activation);
    installed.unwrap();
    device.obtain_identity().await.unwrap();
    device.authenticate().await.unwrap();
    device.update_token().await.unwrap();
}

#[tokio::test]
async fn somebody_signs_in_while_a_device_is_set_up_and_it_is_theirs() {
    let world = world("accounts.description = \"For $OWNER, on $SERIAL_NUMBER.\"").await;
    let server = world.start("data");
    let mut device = world.device("C02MS0000001");
    // Not without the page.
    let activation = world
        .activation(&format!("{}/enroll/automated", world.url()))
        .await;
    let refused = device.ask_for_profile(&activation).await.unwrap_err();
    assert!(refused.to_string().contains("403"), "{refused}");

    let page = setup(&world, &device).await;
    assert!(page.html.contains("Example"), "{}", page.html);
    let wrong = page.submit(&world, "anna", "wrong horse").await;
    assert_eq!(wrong.status(), StatusCode::FORBIDDEN);
    let unknown = page.submit(&world, "nobody", "correct horse").await;
    assert_eq!(unknown.status(), StatusCode::FORBIDDEN);
    let alike = |response: &Response<Bytes>, name: &str| {
        String::from_utf8_lossy(response.body()).replace(name, "NAME")
    };
    assert_eq!(alike(&wrong, "anna"), alike(&unknown, "nobody"));

    let answer = page.submit(&world, "anna", "correct horse").await;
    enroll(&world, &mut device, &answer).await;
    let profile = content(answer.body());
    assert!(profile.contains("For anna, on C02MS0000001."), "{profile}");
    assert_eq!(world.call(&mut device).await, ["DeviceInformation"]);
    let shown = server
        .get(&format!("/v1/enrollments/{}", id(&device)))
        .await;
    assert_eq!(shown["status"], "enrolled");
    assert_eq!(shown["owner"], "anna");
    let (_, log) = server.stop();
    assert!(!log.contains("horse"));
}

#[tokio::test]
async fn a_download_begins_with_signing_in_and_a_limit_is_told_on_the_page() {
    let world = world("accounts.devices_each = 1\naccounts.attempts_per_name = 4").await;
    let server = world.start("data");
    let open = || Request::get(format!("{}/enroll/profile", world.url())).body(Bytes::new());
    let mut device = world.device("C02MS0000001");
    let page = Page::open(&world, open().unwrap()).await;
    let answer = page.submit(&world, " ANNA ", "correct horse").await;
    enroll(&world, &mut device, &answer).await;
    let shown = server
        .get(&format!("/v1/enrollments/{}", id(&device)))
        .await;
    assert_eq!(shown["owner"], "anna");

    // A second device is one too many; the page says so.
    let second = setup(&world, &world.device("C02MS0000002")).await;
    let refused = second.submit(&world, "anna", "correct horse").await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let html = String::from_utf8_lossy(refused.body()).into_owned();
    assert!(html.contains("number of devices"), "{html}");

    // A form that was given to another browser.
    let mut stolen = Page::open(&world, open().unwrap()).await;
    stolen.cookie = "__Host-sign-in=another".to_owned();
    let refused = stolen.submit(&world, "anna", "correct horse").await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let html = String::from_utf8_lossy(refused.body()).into_owned();
    assert!(html.contains("no longer valid"), "{html}");

    // Two attempts are spent, two more are left; then also the right password waits.
    let page = Page::open(&world, open().unwrap()).await;
    for _ in 0..2 {
        let wrong = page.submit(&world, "anna", "wrong horse").await;
        assert_eq!(wrong.status(), StatusCode::FORBIDDEN);
    }
    let later = page.submit(&world, "anna", "correct horse").await;
    assert_eq!(later.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(later.headers().contains_key(header::RETRY_AFTER));
}

#[tokio::test]
async fn behind_a_proxy_attempts_are_counted_for_whom_it_serves() {
    let world = world(
        "accounts.attempts_per_peer = 1\n\
         proxy = { trusted = [\"127.0.0.1\"], forwarded_for = true }",
    )
    .await;
    let _server = world.start("data");
    let page = setup(&world, &world.device("C02MS0000001")).await;
    let from = |address: &'static str| {
        let body = format!(
            "ticket={}&proof={}&name=nobody&password=wrong",
            page.ticket, page.proof
        );
        let request = Request::post(format!("{}/sign-in", world.url()))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::COOKIE, &page.cookie)
            .header("x-forwarded-for", address)
            .body(body.into())
            .unwrap();
        let transport = world.transport();
        async move { transport.send(request).await.unwrap().status() }
    };
    // What the client wrote stands in front.
    for (address, status) in [
        ("192.0.2.1", StatusCode::FORBIDDEN),
        ("192.0.2.1", StatusCode::TOO_MANY_REQUESTS),
        ("198.51.100.9, 192.0.2.1", StatusCode::TOO_MANY_REQUESTS),
        ("192.0.2.2", StatusCode::FORBIDDEN),
    ] {
        assert_eq!(from(address).await, status, "{address}");
    }
}

#[tokio::test]
async fn an_organisation_may_leave_the_page_to_choice_and_without_users_there_is_no_form() {
    let world = world("accounts.optional = true").await;
    let server = world.start("data");
    let activation = world
        .activation(&format!("{}/enroll/automated", world.url()))
        .await;
    let mut device = world.device("C02MS0000001");
    device.enroll(&activation).await.unwrap();
    drop(server);

    let world = World::new().await;
    let _server = world.start("data");
    let request = Request::post(format!("{}/sign-in", world.url())).body(Bytes::new());
    let response = world.transport().send(request.unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}
