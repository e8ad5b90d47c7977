use std::{collections::HashSet, time::Duration};

use ade_client::{
    endpoint::{AssignMethod, DefineProfile, FetchDevices, SyncDevices},
    model::{DerCertificate, Outcome, Profile, ProfileStatus, ResponseStatus, SkipKey},
};
use mdm_fake_apple::ade::Fault;

use super::*;

pub(crate) fn profile() -> Profile {
    Profile::new("Staff", "https://mdm.example.com/enrol").with(|profile| {
        profile.is_supervised = Some(true);
        profile.is_mdm_removable = Some(false);
        profile.allow_pairing = Some(false);
        profile.anchor_certs = Some(vec![DerCertificate::new(*b"\x30\x00")]);
        profile.skip_setup_items = Some(vec![SkipKey::Siri]);
    })
}

async fn define(client: &Client, profile: Profile) -> String {
    client
        .send(&DefineProfile::new(profile))
        .await
        .unwrap()
        .profile_uuid
}

#[tokio::test]
async fn an_assigned_profile_is_what_the_device_is_told() {
    let scene = Scene::with_devices(2).await;
    let cursor = scene
        .client
        .send(&FetchDevices::first())
        .await
        .unwrap()
        .cursor
        .unwrap();
    let uuid = define(&scene.client, profile()).await;
    assert_eq!(uuid.len(), 32);
    let all = serials(2);
    assert_eq!(scene.apple.device_profile(all[0].as_str()), None);
    let report = scene.client.assign(&uuid, &all[..1]).await;
    assert!(report.is_success());

    let told = scene.apple.device_profile(all[0].as_str()).unwrap();
    assert_eq!(told["url"], "https://mdm.example.com/enrol");
    assert_eq!(told["allow_pairing"], false);
    assert_eq!(told["anchor_certs"], json!(["MAA="]));
    assert_eq!(scene.apple.device_profile(all[1].as_str()), None);

    let changes = scene
        .client
        .send(&SyncDevices::new(cursor))
        .await
        .unwrap()
        .devices;
    let states: Vec<_> = changes
        .iter()
        .map(|d| d.profile_status.clone().unwrap())
        .collect();
    assert_eq!(states, [ProfileStatus::Assigned, ProfileStatus::Pushed]);
    assert!(
        changes
            .iter()
            .all(|d| d.profile_uuid.as_ref() == Some(&uuid))
    );
    assert!(changes[1].profile_push_time.is_some());
}

#[tokio::test]
async fn many_devices_go_in_batches_and_each_has_a_result() {
    let scene = Scene::with_devices(2500).await;
    let uuid = define(&scene.client, profile()).await;
    let report = scene.client.assign(&uuid, &serials(2500)).await;
    assert!(report.is_success());
    assert_eq!(report.devices.len(), 2500);
    assert_eq!(scene.apple.count("/profile/devices"), 3);
}

#[tokio::test]
async fn each_device_has_a_verdict_of_its_own() {
    let scene = Scene::with_devices(3).await;
    let uuid = define(&scene.client, profile()).await;
    let mut all = serials(3);
    all.push("UNKNOWN".parse().unwrap());
    scene
        .apple
        .fault(Fault::FailAssign(HashSet::from([all[1].to_string()])));
    scene.apple.fault(Fault::Throttle {
        serials: HashSet::from([all[2].to_string()]),
        retry_after: Duration::from_secs(86_400),
    });
    let report = scene.client.assign(&uuid, &all).await;
    assert!(!report.is_success() && report.error.is_none());
    assert_eq!(report.retry_after_seconds, Some(86_400));
    let verdicts: Vec<_> = report
        .devices
        .iter()
        .map(|result| match &result.outcome {
            Outcome::Answered(status) => status.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        verdicts,
        [
            ResponseStatus::Success,
            ResponseStatus::Failed,
            ResponseStatus::Throttled,
            ResponseStatus::NotAccessible,
        ]
    );
}

#[tokio::test]
async fn every_device_has_an_outcome_when_a_request_fails() {
    let scene = Scene::with_devices(3).await;
    let uuid = define(&scene.client, profile()).await;
    let all = serials(3);
    scene.apple.fault(Fault::Answer {
        times: 1,
        status: 500,
        body: String::new(),
        retry_after: None,
    });
    let report = scene
        .client
        .assign_with(&uuid, &all, AssignMethod::Put, 1)
        .await;
    assert!(report.error.is_some());
    assert!(matches!(
        report.devices[0].outcome,
        Outcome::RequestFailed(_)
    ));
    assert!(
        report.devices[1..]
            .iter()
            .all(|r| matches!(r.outcome, Outcome::NotSent))
    );
    assert_eq!(
        report
            .devices
            .iter()
            .map(|r| r.serial_number.clone())
            .collect::<Vec<_>>(),
        all
    );
    let report = scene
        .client
        .assign_with(&uuid, &all, AssignMethod::Put, 2)
        .await;
    assert!(report.is_success());
    let puts = scene
        .apple
        .exchanges()
        .iter()
        .filter(|e| e.method == "PUT")
        .count();
    assert_eq!(puts, 3);
}

#[tokio::test]
async fn a_profile_that_apple_refuses_is_told_by_its_code() {
    let scene = Scene::with_devices(1).await;
    for (change, code) in [
        (
            &(|p: &mut Profile| p.profile_name = None) as &dyn Fn(&mut Profile),
            "CONFIG_NAME_REQUIRED",
        ),
        (&|p| p.url = None, "CONFIG_URL_REQUIRED"),
        (&|p| p.is_supervised = Some(false), "FLAGS_INVALID"),
        (&|p| p.region = Some("Germany".to_owned()), "LOCALE_INVALID"),
    ] {
        let request = DefineProfile::new(profile().with(|p| change(p)));
        let error = scene.client.send(&request).await.unwrap_err();
        assert_eq!(error.code().unwrap().as_str(), code);
        assert!(error.code().unwrap().is_known());
    }
    let report = scene
        .client
        .assign("0123456789ABCDEF0123456789ABCDEF", &serials(1))
        .await;
    assert!(report.error.unwrap().is_profile_not_found());
}
