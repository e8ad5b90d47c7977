//! The endpoints around the sync against the fake service.

use ade_client::{
    BypassCode,
    endpoint::{
        ActivationLock, AssignAccountDrivenEnrollmentProfile, DefineProfile, EscrowKeyUnlock,
        FetchAccountDrivenEnrollmentProfile, FetchProfile, FetchRoster, GetBetaEnrollmentTokens,
        GetReplacementDetails, RemoveAccountDrivenEnrollmentProfile, SyncRoster,
    },
    model::{Outcome, Profile, ResponseStatus, RosterPerson},
};
use mdm_fake_apple::ade::Roster;
use mdm_transport::{ApiRequest, HttpTransport};

use super::*;

#[tokio::test]
async fn details_are_those_of_our_own_devices() {
    let scene = Scene::with_devices(1200).await;
    let mut all = serials(1200);
    all.push("ELSEWHERE".parse().unwrap());
    all.push(all[0].clone());
    let report = scene.client.details(&all).await;
    assert!(report.error.is_none());
    assert_eq!(scene.apple.count("/devices"), 2);
    for (detail, serial) in report.devices.iter().zip(&all) {
        assert_eq!(detail.serial_number, *serial);
        let device = detail.device.as_ref();
        assert_eq!(device.is_some(), serial.as_str() != "ELSEWHERE");
        assert_eq!(detail.outcome.is_success(), device.is_some());
        assert!(device.is_none_or(|device| device.serial_number.as_ref() == Some(serial)));
    }
    assert_eq!(report.devices.len(), all.len());
}

#[tokio::test]
async fn a_disowned_device_is_ours_no_more() {
    let scene = Scene::with_devices(2).await;
    let all = serials(2);
    let report = scene.client.disown(&all[..1]).await;
    assert!(report.error.unwrap().is_access_denied());
    scene.apple.configure(|config| config.disown_allowed = true);
    assert!(scene.client.disown(&all[..1]).await.is_success());
    let report = scene.client.disown(&all).await;
    assert!(matches!(
        report.devices[0].outcome,
        Outcome::Answered(ResponseStatus::NotAccessible)
    ));
    assert!(report.devices[1].is_success());
    assert_eq!(scene.apple.device_count(), 0);
}

#[tokio::test]
async fn a_profile_is_fetched_as_it_was_defined_and_taken_away_again() {
    let scene = Scene::with_devices(1).await;
    let profile = Profile::new("Staff", "https://mdm.example/e")
        .with(|profile| profile.allow_pairing = Some(false));
    let define = DefineProfile::new(profile.clone());
    let uuid = scene.client.send(&define).await.unwrap().profile_uuid;
    let fetched = scene.client.send(&FetchProfile::new(&uuid)).await.unwrap();
    assert_eq!(fetched.profile_uuid.as_deref(), Some(&*uuid));
    assert_eq!(fetched.allow_pairing, Some(false));
    assert_eq!(fetched.url, profile.url);

    let all = serials(1);
    assert!(scene.client.assign(&uuid, &all).await.is_success());
    assert!(scene.client.remove_profile(&all).await.is_success());
    assert_eq!(scene.apple.device_profile(all[0].as_str()), None);
    let error = scene.client.send(&FetchProfile::new("NONE")).await;
    assert!(error.unwrap_err().is_profile_not_found());
}

#[tokio::test]
async fn a_device_is_locked_with_the_hash_of_its_code_and_opened_with_the_code() {
    let scene = Scene::with_devices(1).await;
    let device = serials(1).remove(0);
    let code = BypassCode::generate().unwrap();
    let lock = ActivationLock::new(device.clone(), code.escrow_key().unwrap());
    assert!(scene.client.send(&lock).await.unwrap().outcome.is_success());
    assert!(matches!(
        scene.client.send(&lock).await.unwrap().outcome,
        Outcome::Answered(ResponseStatus::DeviceAlreadyLocked)
    ));

    let transport = ReqwestTransport::builder()
        .no_proxy()
        .root(scene.apple.root_certificate().to_der())
        .build()
        .unwrap();
    for (code, opens) in [(BypassCode::from_bytes([7; 16]), false), (code, true)] {
        let unlock = EscrowKeyUnlock::new(device.clone(), "Mac14,2", "Acme", "it@acme", &code);
        let mut request = unlock.to_http(&scene.apple.url().parse().unwrap()).unwrap();
        let agent = http::HeaderValue::from_static(USER_AGENT);
        request.headers_mut().insert("user-agent", agent);
        let answer = unlock.from_http(transport.send(request).await.unwrap());
        assert_eq!(answer.is_ok(), opens);
        assert!(answer.err().is_none_or(|error| error.is_device_not_found()));
        assert_eq!(scene.apple.is_locked(device.as_str()), !opens);
    }
}

#[tokio::test]
async fn a_replacement_leads_to_its_original() {
    let scene = Scene::with_devices(1).await;
    let original = serials(1).remove(0);
    let request = GetReplacementDetails::new(original.clone());
    for is_400 in [false, true] {
        scene
            .apple
            .configure(|config| config.shapes.device_not_found_is_400 = is_400);
        let error = scene.client.send(&request).await.unwrap_err();
        assert!(error.is_device_not_found(), "{error}");
    }
    let replacement = json!({"serial_number": "NEW", "device_family": "Mac"});
    assert!(scene.apple.replace_device(original.as_str(), replacement));
    let request = GetReplacementDetails::new("NEW".parse().unwrap());
    let details = scene.client.send(&request).await.unwrap();
    assert_eq!(details.original_device_serial_number, Some(original));
    assert_eq!(details.replacement_date.unwrap().len(), "2026-01-02".len());
}

#[tokio::test]
async fn service_discovery_is_there_while_it_is_set() {
    let scene = Scene::new(Config::default()).await;
    let fetch = FetchAccountDrivenEnrollmentProfile::new();
    let address = "https://mdm.example/discovery";
    let assign = AssignAccountDrivenEnrollmentProfile::new(address);
    let remove = RemoveAccountDrivenEnrollmentProfile::new();
    assert!(scene.client.send(&fetch).await.is_err());
    scene.client.send(&assign).await.unwrap();
    let set = scene.client.send(&fetch).await.unwrap();
    assert_eq!(set.mdm_service_discovery_url.as_deref(), Some(address));
    scene.client.send(&remove).await.unwrap();
    assert!(scene.client.send(&fetch).await.is_err());
    scene
        .apple
        .configure(|config| config.account_driven_enrollment = false);
    let error = scene.client.send(&assign).await.unwrap_err();
    assert!(error.is_org_not_supported(), "{error}");
}

#[tokio::test]
async fn beta_programmes_name_their_systems() {
    let scene = Scene::new(Config::default()).await;
    let answer = scene.client.send(&GetBetaEnrollmentTokens::new()).await;
    let answer = answer.unwrap();
    assert!(!answer.tokens().is_empty());
    for token in answer.tokens() {
        assert!(token.os.as_ref().unwrap().is_known());
        assert!(token.token.is_some() && token.title.is_some());
    }
}

#[tokio::test]
async fn a_roster_is_fetched_page_by_page_and_then_synced() {
    let scene = Scene::new(Config::default()).await;
    let name = |number: usize| format!("person-{number}");
    let put = |number: usize| {
        let entry = json!({"source_system_identifier": name(number)});
        scene.apple.put_roster(Roster::Person, entry);
    };
    (0..5).for_each(put);
    let mut seen = Vec::new();
    let mut request = FetchRoster::<RosterPerson>::first();
    let cursor = loop {
        request.limit = Some(2);
        let page = scene.client.send(&request).await.unwrap();
        seen.extend(page.records);
        let cursor = page.cursor.unwrap();
        if !page.more_to_follow {
            break cursor;
        }
        request = FetchRoster::after(cursor);
    };
    let seen: Vec<_> = seen
        .into_iter()
        .filter_map(|person| person.source_system_identifier)
        .collect();
    assert_eq!(seen, (0..5).map(name).collect::<Vec<_>>());

    put(5);
    assert!(scene.apple.remove_roster(Roster::Person, &name(0)));
    let sync = SyncRoster::<RosterPerson>::new(cursor);
    let page = scene.client.send(&sync).await.unwrap();
    let changed: Vec<_> = page
        .records
        .iter()
        .map(|person| person.source_system_identifier.as_deref().unwrap())
        .collect();
    assert_eq!(changed, ["person-5", "person-0"]);
    assert!(page.records.iter().all(|person| person.op_date.is_some()));
}
