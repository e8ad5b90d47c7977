//! Automated Device Enrollment, without and with a page.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use mdm_protocol::enroll::{
    platform_sso_required::{Package, PlatformSsoRequiredDetails},
    software_update_required::SoftwareUpdateRequiredDetails,
};
use mdm_schema::{OsVersion, Platform};
use mdm_service::{
    AdmitAll, AdmitInvited, EventKind, RefusedAt, UpdateFirst, store::EnrollmentStore,
};
use serde_json::json;

use super::*;

#[tokio::test]
async fn q02_a_genuine_device_gets_its_profile_and_enrols_with_it() {
    let world = world();
    let url = world.portal.urls().automated();
    let answer = world
        .portal
        .handle(post(&url, signed(&info("C02SERVICE"))))
        .await;
    let profile = profile(&answer);
    assert_eq!(profile["variables"]["SERIAL_NUMBER"], "C02SERVICE");
    let (check_in, server) = (profile["check_in"].as_str(), profile["server"].as_str());
    assert_eq!(check_in, server);
    assert!(
        check_in
            .unwrap()
            .starts_with("https://mdm.example.com/mdm?invitation=")
    );
    let device = Device::new("UDID-C02SERVICE");
    assert_eq!(
        authenticate_with(&world, &profile, &device).await,
        StatusCode::OK
    );
    // The invitation was that device's.
    let other = Device::new("UDID-OTHER");
    let status = authenticate_with(&world, &profile, &other).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn q05_machine_info_comes_as_body_header_or_parameter() {
    let world = world();
    let (automated, page) = (world.portal.urls().automated(), world.portal.urls().page());
    let cms = signed(&info("C1"));
    let (standard, url_safe) = (STANDARD.encode(&cms), URL_SAFE_NO_PAD.encode(&cms));
    let escaped = standard
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D");
    for mut request in [
        post(&automated, cms.clone()),
        get(&page),
        get(&page),
        get(&format!("{page}?x-apple-aspen-deviceinfo={escaped}")),
        get(&format!("{page}?a=b&deviceinfo={url_safe}")),
        post(
            &format!("{automated}?x-apple-aspen-deviceinfo={url_safe}"),
            "",
        ),
    ]
    .into_iter()
    .zip([None, Some(&standard), Some(&url_safe), None, None, None])
    .map(|(mut request, header)| {
        if let Some(header) = header {
            let headers = request.headers_mut();
            headers.insert("x-apple-aspen-deviceinfo", header.parse().unwrap());
        }
        request
    }) {
        *request.version_mut() = http::Version::HTTP_11;
        let answer = world.portal.handle(request).await;
        assert_eq!(profile(&answer)["variables"]["SERIAL_NUMBER"], "C1");
    }
}

#[tokio::test]
async fn what_no_genuine_device_signed_is_answered_400() {
    let world = world();
    let url = world.portal.urls().automated();
    // Signed by somebody else, changed, or nothing at all.
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    let own = CertificateBuilder::new(Name::from_common_name("iPhone Device CA"), key.public_key())
        .validity(now(), now() + TimeDelta::days(1))
        .ca(None)
        .self_signed(&key)
        .unwrap();
    let foreign = SignedDataBuilder::new(&info("C1").to_xml().unwrap())
        .signer(&own, DigestAlgorithm::Sha256)
        .sign(&key)
        .unwrap();
    let mut changed = signed(&info("C1"));
    let at = changed.windows(2).position(|pair| pair == b"C1").unwrap();
    changed[at] = b'D';
    for body in [
        foreign,
        changed,
        b"".to_vec(),
        b"nonsense".to_vec(),
        info("C1").to_xml().unwrap(),
    ] {
        let answer = world.portal.handle(post(&url, body)).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        assert!(answer.body().is_empty());
    }
    let long = vec![0x30; (256 << 10) + 1];
    let answer = world.portal.handle(post(&url, long)).await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn what_is_not_offered_is_answered_404_and_another_method_405() {
    let world = world();
    for (request, status) in [
        (get(PORTAL), StatusCode::NOT_FOUND),
        (get(&format!("{PORTAL}/other")), StatusCode::NOT_FOUND),
        (
            get(&format!("{PORTAL}/automated")),
            StatusCode::METHOD_NOT_ALLOWED,
        ),
        (
            post(&format!("{PORTAL}/page"), ""),
            StatusCode::METHOD_NOT_ALLOWED,
        ),
        (
            post(&format!("{PORTAL}/byod"), signed(&info("C1"))),
            StatusCode::NOT_FOUND,
        ),
        (get(&format!("{PORTAL}/sign-in")), StatusCode::NOT_FOUND),
        (
            get("https://mdm.example.com/.well-known/com.apple.remotemanagement"),
            StatusCode::NOT_FOUND,
        ),
    ] {
        let uri = request.uri().clone();
        let other = if request.method() == "GET" {
            "POST"
        } else {
            "GET"
        };
        let answer = world.portal.handle(request).await;
        assert_eq!(answer.status(), status, "{uri}");
        let allowed = answer.headers().get("allow").cloned();
        let is_other = status == StatusCode::METHOD_NOT_ALLOWED;
        let expected = is_other.then(|| http::HeaderValue::from_static(other));
        assert_eq!(allowed, expected, "{uri}");
    }
}

fn update() -> Denial {
    let details = SoftwareUpdateRequiredDetails::new("18.2")
        .with(|details| details.build_version = Some("22C152".into()));
    Denial::new(DenialReason::UpdateFirst(details))
        .with(|denial| denial.description = Some("18.1 is too old".into()))
}

#[tokio::test]
async fn a_device_that_has_to_update_first_is_told_so_in_apples_words() {
    let world = world_of(Refusing(|_| Some(update())), |portal| portal);
    let url = world.portal.urls().automated();
    let able = info("C1").with(|info| info.mdm_can_request_software_update = Some(true));
    let answer = world.portal.handle(post(&url, signed(&able))).await;
    assert_eq!(
        error(&answer),
        json!({
            "code": "com.apple.softwareupdate.required",
            "description": "18.1 is too old",
            "message": "This device has to be updated before it can be enrolled.",
            "details": { "OSVersion": "18.2", "BuildVersion": "22C152" },
        })
    );
    // One that cannot be told to update hears why, and no more.
    let answer = world.portal.handle(post(&url, signed(&info("C1")))).await;
    let told = error(&answer);
    assert_eq!(told["code"], "enrollment.refused.update-first");
    assert!(told.get("details").is_none());
}

/// Whom to tell, and in which words: exactly Apple's.
#[tokio::test]
async fn an_old_system_is_updated_first_where_the_device_can_do_that() {
    let policy = UpdateFirst::new(AdmitAll)
        .at_least(Platform::Ios, OsVersion::new(18, 1, 0))
        .at_least(Platform::Ios, OsVersion::new(18, 2, 0))
        .at_least(Platform::MacOs, OsVersion::new(15, 2, 1));
    let world = world_of(policy, |portal| portal);
    let url = world.portal.urls().automated();
    for (product, version, can, wanted) in [
        ("iPhone14,2", "18.1.1", true, Some("18.2")),
        ("iPad13,4", "17.7.10", true, Some("18.2")),
        ("iPhone14,2", "18.2", true, None),
        ("iPhone14,2", "18.10", true, None),
        ("Mac14,2", "15.2", true, Some("15.2.1")),
        ("Mac14,2", "26.0", true, None),
        ("AppleTV11,1", "17.0", true, None),
        ("Unknown1,1", "1.0", true, None),
        ("iPhone14,2", "strange", true, None),
        ("iPhone14,2", "16.0", false, None),
    ] {
        let device = info("C1").with(|info| {
            info.product = Some(product.into());
            info.os_version = Some(version.into());
            info.mdm_can_request_software_update = can.then_some(true);
        });
        let answer = world.portal.handle(post(&url, signed(&device))).await;
        let Some(wanted) = wanted else {
            assert_eq!(answer.status(), StatusCode::OK, "{product} {version}");
            continue;
        };
        assert_eq!(
            error(&answer),
            json!({
                "code": "com.apple.softwareupdate.required",
                "description": format!("{version} is older than {wanted}"),
                "message": "This device has to be updated before it can be enrolled.",
                "details": { "OSVersion": wanted },
            })
        );
    }
    // Who is not admitted anyway is told that.
    let policy = UpdateFirst::new(AdmitInvited).at_least(Platform::Ios, OsVersion::new(18, 2, 0));
    let world = world_of(policy, |portal| portal);
    let old = info("C1").with(|info| {
        info.product = Some("iPhone14,2".into());
        info.os_version = Some("18.1".into());
        info.mdm_can_request_software_update = Some(true);
    });
    let told = error(&world.portal.handle(post(&url, signed(&old))).await);
    assert_eq!(told["code"], "enrollment.refused.not-assigned");
}

#[tokio::test]
async fn what_a_mac_or_a_watch_has_to_do_first_has_its_own_body() {
    let sso = |_: &Applicant| {
        let package = Package::new("https://x/m.plist");
        let details = PlatformSsoRequiredDetails::new("https://x/p", package, "https://x/a");
        Some(Denial::new(DenialReason::PlatformSsoFirst(details)))
    };
    let world = world_of(Refusing(sso), |portal| portal);
    let url = world.portal.urls().automated();
    let mac = info("C1").with(|info| info.mdm_can_request_psso_config = Some(true));
    let told = error(&world.portal.handle(post(&url, signed(&mac))).await);
    assert_eq!(told["code"], "com.apple.psso.required");
    assert_eq!(
        told["details"],
        json!({
            "ProfileURL": "https://x/p",
            "Package": { "ManifestURL": "https://x/m.plist" },
            "AuthURL": "https://x/a",
        })
    );

    let pairing = |applicant: &Applicant| {
        let mdm_service::Stage::Asking { machine_info, .. } = &applicant.stage else {
            return None;
        };
        let token = Secret::new("6F1A1F4E".to_owned());
        let denial = Denial::new(DenialReason::PairingTokenMissing(token));
        machine_info.pairing_token.is_none().then_some(denial)
    };
    let world = world_of(Refusing(pairing), |portal| portal);
    let told = error(&world.portal.handle(post(&url, signed(&info("W1")))).await);
    assert_eq!(told["code"], "com.apple.watch.pairing.token.missing");
    assert_eq!(told["details"], json!({ "security-token": "6F1A1F4E" }));
    let paired = info("W1").with(|info| info.pairing_token = Some(Secret::new(vec![1])));
    profile(&world.portal.handle(post(&url, signed(&paired))).await);

    let unknown = |_: &Applicant| Some(Denial::new(DenialReason::Unrecognized));
    let world = world_of(Refusing(unknown), |portal| portal);
    let told = error(&world.portal.handle(post(&url, signed(&info("C1")))).await);
    assert_eq!(told["code"], "com.apple.unrecognized.device");
}

#[tokio::test]
async fn by_default_a_profile_is_for_whoever_was_invited() {
    let world = world_of(AdmitInvited, |portal| portal);
    listen(&world.store).await;
    let url = world.portal.urls().automated();
    let answer = world.portal.handle(post(&url, signed(&info("C1")))).await;
    assert_eq!(error(&answer)["code"], "enrollment.refused.not-assigned");
    let events = told(&world.store).await;
    let [event] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(event.enrollment.to_string(), "device:UDID-C1");
    let EventKind::Refused { stage, reason, .. } = &event.kind else {
        panic!("{event:?}");
    };
    assert_eq!(
        (*stage, reason.as_str()),
        (RefusedAt::Profile, "not-assigned")
    );
}

#[tokio::test]
async fn somebody_signs_in_on_the_page_and_the_device_is_theirs() {
    let world = world_with_pages(AdmitInvited);
    let url = world.portal.urls().page();
    let mut request = get(&url);
    let header = STANDARD
        .encode(signed(&info("C02SERVICE")))
        .parse()
        .unwrap();
    request
        .headers_mut()
        .insert("x-apple-aspen-deviceinfo", header);
    let page = world.portal.handle(request).await;
    assert_eq!(page.body(), "sign in");
    let visit = world.pages.last();
    let serial = visit.machine_info.unwrap().serial.unwrap();
    assert_eq!(serial.as_str(), "C02SERVICE");

    let answer = world.portal.signed_in(&visit.ticket, anna()).await;
    let profile = profile(&answer);
    let variables = &profile["variables"];
    assert_eq!(variables["OWNER"], "anna");
    assert_eq!(variables["MANAGED_APPLE_ACCOUNT"], "anna@example.com");
    assert_eq!(variables["DEPARTMENT"], "sales");
    assert_eq!(variables["SERIAL_NUMBER"], "C02SERVICE");
    let device = Device::new("UDID-C02SERVICE");
    assert_eq!(
        authenticate_with(&world, &profile, &device).await,
        StatusCode::OK
    );
    let found = world.store.enrollment(&device.id()).await.unwrap().unwrap();
    assert_eq!(found.owner.as_deref(), Some("anna"));

    // A ticket ends, and nobody makes one.
    world.clock.advance(std::time::Duration::from_secs(3600));
    for ticket in [&visit.ticket, "", "a.b"] {
        let answer = world.portal.signed_in(ticket, anna()).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn the_page_says_why_somebody_is_not_admitted() {
    let world = world_with_pages(Refusing(|applicant| {
        let denial = Denial::new(DenialReason::DeviceLimit);
        let denial =
            denial.with(|denial| denial.message = Some("Five <are> enough & more.".into()));
        applicant.account.is_some().then_some(denial)
    }));
    let cms = URL_SAFE_NO_PAD.encode(signed(&info("C1")));
    let url = format!("{}?deviceinfo={cms}", world.portal.urls().page());
    world.portal.handle(get(&url)).await;
    let answer = world
        .portal
        .signed_in(&world.pages.last().ticket, anna())
        .await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
    let html = String::from_utf8(answer.body().to_vec()).unwrap();
    assert!(
        html.contains("Five &lt;are&gt; enough &amp; more."),
        "{html}"
    );
}

#[tokio::test]
async fn a_place_that_is_surely_gone_is_refused_before_the_profile() {
    #[derive(Debug)]
    struct One;
    #[async_trait]
    impl AdmissionPolicy for One {
        async fn admit(&self, applicant: &Applicant) -> Result<Admission, Unavailable> {
            let claims = vec![mdm_service::Claim::new("licences", 1)];
            Ok(Grant::of(applicant)
                .with(|grant| grant.claims = claims)
                .into())
        }
    }
    let world = world_of(One, |portal| portal);
    let url = world.portal.urls().automated();
    let mine = profile(
        &world
            .portal
            .handle(post(&url, signed(&info("C02SERVICE"))))
            .await,
    );
    let device = Device::new("UDID-C02SERVICE");
    assert_eq!(
        authenticate_with(&world, &mine, &device).await,
        StatusCode::OK
    );
    let told = error(&world.portal.handle(post(&url, signed(&info("C2")))).await);
    assert_eq!(told["code"], "enrollment.refused.no-licence");
    // Who has the place asks again and gets the profile again.
    profile(
        &world
            .portal
            .handle(post(&url, signed(&info("C02SERVICE"))))
            .await,
    );
}

#[tokio::test]
async fn a_store_that_fails_is_answered_503() {
    let store = Shared::default();
    let faulty = crate::faulty::Faulty::new(&store);
    let urls = Urls::new(PORTAL, "https://mdm.example.com/mdm").unwrap();
    let devices = DeviceAuthorities::new(vec![APPLE.0.clone()]).unwrap();
    let keys = TicketKeys::random().unwrap();
    let portal = Portal::builder(&faulty.service(), Profiles, urls, keys)
        .devices(devices)
        .build();
    faulty.fail(true);
    let url = portal.urls().automated();
    let answer = portal.handle(post(&url, signed(&info("C1")))).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers()["retry-after"], "7");
}

/// What it has from an earlier invitation it keeps while it has it, and is not held against it afterwards.
#[tokio::test]
async fn a_profile_handed_out_to_a_device_with_a_place_is_good_when_the_place_is_gone() {
    for (is_retired, licences) in [(false, 1), (true, 0)] {
        let world = world_of(mdm_service::AdmitAll, |portal| portal);
        let invite = mdm_service::entry::Invite::default()
            .with(|invite| invite.claims = vec![mdm_service::Claim::new("licences", 1)]);
        let link = world.portal.invite(invite).await.unwrap();
        let device = Device::new("UDID-C02SERVICE");
        let first = profile(&world.portal.handle(get(&link)).await);
        assert_eq!(
            authenticate_with(&world, &first, &device).await,
            StatusCode::OK
        );
        let url = world.portal.urls().automated();
        let again = world
            .portal
            .handle(post(&url, signed(&info("C02SERVICE"))))
            .await;
        if is_retired {
            world.service.retire(&device.id()).await.unwrap();
        }
        let wiped = Device::new("UDID-C02SERVICE");
        assert_eq!(
            authenticate_with(&world, &profile(&again), &wiped).await,
            StatusCode::OK
        );
        let taken = world.store.places_taken("licences").await.unwrap();
        assert_eq!(taken, licences);
    }
}
