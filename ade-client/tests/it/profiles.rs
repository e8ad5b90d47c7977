use std::collections::{BTreeSet, HashSet};

use ade_client::{
    Error, Policy, Refusal,
    model::{Outcome, Profile, ResponseStatus},
    record::{AttemptOutcome, DeviceState, GiveUp, Presence, Release},
};
use futures_util::FutureExt;
use mdm_core::{Clock, SerialNumber};
use mdm_fake_apple::ade::{self, Fault, Trigger};

use super::{
    assign::profile,
    office::{Office, Points},
    serials,
};

fn refusal<T: std::fmt::Debug>(result: Result<T, Error>) -> Refusal {
    match result {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_profile_is_remembered_with_what_apple_has_no_key_for() {
    let office = Office::linked(0).await;
    let service = office.service();
    // As it comes from somebody who took Apple's answer for a pattern.
    let pattern = profile().with(|profile| profile.profile_uuid = Some("OLD".into()));
    let defined = service
        .define_profile(&office.id, pattern, Some(20))
        .await
        .unwrap();
    assert_eq!(defined.shared_ipad_max_users, Some(20));
    assert_eq!(defined.profile, profile());
    assert_eq!(defined.uuid.len(), 32);
    let known = service.profile(&office.id, &defined.uuid).await.unwrap();
    assert_eq!(known, defined);
    let error = service.profile(&office.id, "NONE").await;
    assert_eq!(refusal(error), Refusal::NoProfile("NONE".into()));
}

#[tokio::test]
async fn a_profile_that_names_devices_or_that_apple_refuses_is_not_remembered() {
    let office = Office::linked(1).await;
    let service = office.service();
    let named = profile().with(|profile| profile.devices = Some(vec!["C02TEST00000".into()]));
    let error = service.define_profile(&office.id, named, None).await;
    assert!(matches!(error, Err(Error::Build(_))));
    let odd = Profile::new("", "https://mdm.example.com");
    let error = service.define_profile(&office.id, odd, None).await;
    assert!(matches!(error, Err(Error::Api(_))));
    assert_eq!(office.apple.profile_count(), 0);
}

#[tokio::test]
async fn a_profile_is_known_after_another_try_wherever_the_program_stopped() {
    for stops in 0.. {
        let office = Office::linked(0).await;
        let service = office.service_at(Points::after(stops));
        let done = service
            .define_profile(&office.id, profile(), None)
            .now_or_never();
        let uuid = match &done {
            Some(record) => record.as_ref().unwrap().uuid.clone(),
            None => {
                let again = office.service();
                let record = again.define_profile(&office.id, profile(), None).await;
                record.unwrap().uuid
            }
        };
        let service = office.service();
        service
            .set_default_profile(&office.id, Some(&uuid))
            .await
            .unwrap();
        // What was defined and not recorded is at Apple, and does no harm.
        assert!(office.apple.profile_count() <= 2);
        if done.is_some() {
            break;
        }
    }
}

#[tokio::test]
async fn the_default_is_a_profile_that_is_known_and_not_replaced() {
    let office = Office::linked(0).await;
    let (service, id) = (office.service(), &office.id);
    let error = service.set_default_profile(id, Some("NONE")).await;
    assert_eq!(refusal(error), Refusal::NoProfile("NONE".into()));
    let old = service.define_profile(id, profile(), None).await.unwrap();
    service
        .set_default_profile(id, Some(&old.uuid))
        .await
        .unwrap();

    let new = service
        .replace_profile(id, &old.uuid, profile(), Some(5))
        .await
        .unwrap();
    assert_eq!(
        office.account().await.default_profile,
        Some(new.uuid.clone())
    );
    let known = service.profile(id, &old.uuid).await.unwrap();
    assert_eq!(known.replaced_by, Some(new.uuid.clone()));
    let replaced = Refusal::ProfileReplaced {
        by: new.uuid.clone(),
    };
    let asked = office.apple.count("/profile");
    let results = [
        service.set_default_profile(id, Some(&old.uuid)).await,
        service.want_profile(id, &[], Some(&old.uuid)).await,
        service
            .replace_profile(id, &old.uuid, profile(), None)
            .await
            .map(|_| ()),
    ];
    assert_eq!(refusal(results[0].clone()), replaced);
    assert!(results[1].is_ok(), "nothing was wanted");
    assert_eq!(refusal(results[2].clone()), replaced);
    assert_eq!(office.apple.count("/profile"), asked);
}

#[tokio::test]
async fn a_profile_is_removed_only_when_nothing_hangs_on_it() {
    let office = Office::linked(3).await;
    let (service, id) = (office.service(), &office.id);
    let old = service.define_profile(id, profile(), None).await.unwrap();
    let devices = serials(3);
    service
        .want_profile(id, &devices[..2], Some(&old.uuid))
        .await
        .unwrap();
    service
        .set_default_profile(id, Some(&old.uuid))
        .await
        .unwrap();
    let in_use = |devices, default_profile| Refusal::ProfileInUse {
        devices,
        default_profile,
    };
    let removed = service.remove_profile(id, &old.uuid).await;
    assert_eq!(refusal(removed), in_use(2, true));

    let new = service
        .replace_profile(id, &old.uuid, profile(), None)
        .await
        .unwrap();
    let removed = service.remove_profile(id, &old.uuid).await;
    assert_eq!(refusal(removed), in_use(2, false));
    service.set_default_profile(id, None).await.unwrap();
    let removed = service.remove_profile(id, &new.uuid).await;
    assert_eq!(refusal(removed), Refusal::ReplacesProfile(old.uuid.clone()));

    service
        .want_profile(id, &devices, Some(&new.uuid))
        .await
        .unwrap();
    service.remove_profile(id, &old.uuid).await.unwrap();
    let removed = service.remove_profile(id, &new.uuid).await;
    assert_eq!(refusal(removed), in_use(3, false));
    service.want_profile(id, &devices, None).await.unwrap();
    service.remove_profile(id, &new.uuid).await.unwrap();
    let removed = service.remove_profile(id, &new.uuid).await;
    assert_eq!(refusal(removed), Refusal::NoProfile(new.uuid));
}

#[tokio::test]
async fn devices_want_a_profile_all_of_a_step_or_none() {
    let office = Office::linked(2500).await;
    let (service, id) = (office.service(), &office.id);
    let uuid = service
        .define_profile(id, profile(), None)
        .await
        .unwrap()
        .uuid;
    let devices = serials(2500);
    let want = |devices: Vec<SerialNumber>, uuid: &str| {
        let (service, uuid) = (service.clone(), uuid.to_owned());
        async move { service.want_profile(id, &devices, Some(&uuid)).await }
    };
    let wanting = || async {
        let filter = ade_client::store::DeviceFilter::Wanting(uuid.clone());
        service.store().count(id, &filter).await.unwrap()
    };
    let unknown: SerialNumber = "UNKNOWN".parse().unwrap();
    let mut some = devices[..10].to_vec();
    some.push(unknown.clone());
    let refused = refusal(want(some, &uuid).await);
    assert_eq!(refused, Refusal::NoDevice(unknown.clone()));
    assert_eq!(wanting().await, 0);
    let refused = refusal(want(devices[..1].to_vec(), "NONE").await);
    assert_eq!(refused, Refusal::NoProfile("NONE".into()));

    let at = office.clock.now();
    office
        .edit_device(&devices[1], |d| d.presence = Presence::Released { at })
        .await;
    let refused = refusal(want(devices[..2].to_vec(), &uuid).await);
    assert_eq!(refused, Refusal::Released(devices[1].clone()));
    office
        .edit_device(&devices[1], |d| d.presence = Presence::Present)
        .await;
    office
        .edit_device(&devices[2], |d| {
            d.give_up = Some(GiveUp::new(Release::Disown, at));
        })
        .await;
    let refused = refusal(want(devices[2..3].to_vec(), &uuid).await);
    assert_eq!(refused, Refusal::GivingUp(devices[2].clone()));
    office.edit_device(&devices[2], |d| d.give_up = None).await;

    let mut twice = devices.clone();
    twice.push(devices[0].clone());
    want(twice, &uuid).await.unwrap();
    assert_eq!(wanting().await, 2500);
    let device = office.device(&devices[0]).await;
    assert_eq!(device.due, Some(at));
    service.want_profile(id, &devices[..1], None).await.unwrap();
    let device = office.device(&devices[0]).await;
    assert_eq!((device.due, device.wanted_profile), (None, None));
}

#[tokio::test]
async fn devices_get_the_profile_that_they_want_and_then_its_replacement() {
    let office = Office::linked(3).await;
    let (service, id) = (office.service(), &office.id);
    let devices = serials(3);
    let old = service.define_profile(id, profile(), None).await.unwrap();
    service
        .want_profile(id, &devices[..2], Some(&old.uuid))
        .await
        .unwrap();
    service
        .begin_give_up(id, &devices[1], Release::Unassign)
        .await
        .unwrap();
    let has = |serial: &SerialNumber| {
        let device = office.apple.device(serial.as_str()).unwrap();
        device["profile_uuid"].as_str().map(str::to_owned)
    };
    service.work(id).await.unwrap();
    assert_eq!(has(&devices[0]), Some(old.uuid.clone()));
    assert_eq!(has(&devices[1]), None);

    let new = service
        .replace_profile(id, &old.uuid, profile(), None)
        .await
        .unwrap();
    service.work(id).await.unwrap();
    assert_eq!(has(&devices[0]), Some(new.uuid.clone()));
    assert_eq!((has(&devices[1]), has(&devices[2])), (None, None));
    service.remove_profile(id, &old.uuid).await.unwrap();
}

#[tokio::test]
async fn tags_and_user_are_set_on_devices_that_are_known() {
    let office = Office::linked(1).await;
    let (service, id) = (office.service(), &office.id);
    let serial = &serials(1)[0];
    let tags = BTreeSet::from(["lab".to_owned(), "floor 3".to_owned()]);
    service.set_tags(id, serial, tags.clone()).await.unwrap();
    service.set_user(id, serial, Some("kim")).await.unwrap();
    let device = office.device(serial).await;
    assert_eq!((device.tags, device.user.as_deref()), (tags, Some("kim")));
    service.set_user(id, serial, None).await.unwrap();
    assert_eq!(office.device(serial).await.user, None);
    let unknown: SerialNumber = "UNKNOWN".parse().unwrap();
    let refused = refusal(service.set_user(id, &unknown, None).await);
    assert_eq!(refused, Refusal::NoDevice(unknown));
}

#[tokio::test]
async fn every_device_that_is_unassigned_has_a_recorded_result() {
    let office = Office::linked(4).await;
    let id = &office.id;
    let service = office.service();
    let devices = serials(4);
    let uuid = service
        .define_profile(id, profile(), None)
        .await
        .unwrap()
        .uuid;
    service
        .want_profile(id, &devices, Some(&uuid))
        .await
        .unwrap();
    let client = service.client(id).await.unwrap();
    assert!(client.assign(&uuid, &devices).await.is_success());
    for serial in &devices {
        office
            .edit_device(serial, |d| {
                d.state = DeviceState::Assigned;
                d.device.profile_uuid = Some(uuid.clone());
            })
            .await;
    }
    let outcome = ade::Outcome::Failed;
    office.apple.fault(Fault::NextDevices { count: 1, outcome });
    let policy = Policy::default().with(|policy| policy.batch_size = 2);
    let service = office.service_of(Points::never(), policy);
    // The session, the first request, and the second one, which is lost.
    let trigger = Trigger::path("/profile/devices", 2);
    office.apple.arm(trigger, Fault::HangUp { times: 1 });
    let mut given = devices.clone();
    given.push(devices[0].clone());
    let report = service.unassign(id, &given).await;
    assert!(
        matches!(report.error, Some(Error::Transport(_))),
        "{report:?}"
    );
    let results: Vec<_> = report.devices.iter().map(|r| &r.outcome).collect();
    assert!(matches!(
        results[..],
        [
            Outcome::Answered(ResponseStatus::Failed),
            Outcome::Answered(ResponseStatus::Success),
            Outcome::RequestFailed(_),
            Outcome::RequestFailed(_),
        ]
    ));
    let mut recorded = Vec::new();
    for serial in &devices {
        let device = office.device(serial).await;
        assert_eq!((device.wanted_profile, device.due), (None, None));
        recorded.push((device.state, device.release.unwrap().outcome));
    }
    let lost = AttemptOutcome::Failed("no answer from the device-assignment service".into());
    assert_eq!(
        recorded,
        [
            (
                DeviceState::Assigned,
                AttemptOutcome::Answered(ResponseStatus::Failed)
            ),
            (
                DeviceState::Removed,
                AttemptOutcome::Answered(ResponseStatus::Success)
            ),
            (DeviceState::Assigned, lost.clone()),
            (DeviceState::Assigned, lost),
        ]
    );
    let report = service.unassign(id, &devices).await;
    assert!(report.is_success(), "{report:?}");
    let profiles: HashSet<_> = devices
        .iter()
        .map(|serial| office.apple.device_profile(serial.as_str()))
        .collect::<Vec<_>>()
        .into_iter()
        .map(|profile| profile.is_some())
        .collect();
    assert_eq!(profiles, HashSet::from([false]));
}

#[tokio::test]
async fn a_refused_device_keeps_its_whole_request_from_being_sent() {
    let office = Office::linked(3).await;
    let service = office.service();
    let devices = serials(4);
    let asked = office.apple.traffic().total;
    let report = service.unassign(&office.id, &devices).await;
    assert!(matches!(
        report.error,
        Some(Error::Refused(Refusal::NoDevice(_)))
    ));
    assert_eq!(report.devices.len(), 4);
    assert!(
        report
            .devices
            .iter()
            .all(|result| matches!(result.outcome, Outcome::NotSent))
    );
    assert_eq!(office.device(&devices[0]).await.release, None);
    assert_eq!(office.apple.traffic().total, asked);
}
