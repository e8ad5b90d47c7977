use std::{collections::BTreeSet, time::Duration};

use ade_client::record::{DeviceRecord, DeviceState, Presence};
use ade_client::{Error, Refusal, store::Changes};
use mdm_core::Clock;

use super::{assign::profile, office::Office, serials};

#[tokio::test]
async fn what_was_prepared_is_handed_over_and_once_more_when_asked_again() {
    let office = Office::linked(1).await;
    let (service, id) = (office.service(), &office.id);
    let serial = &serials(1)[0];
    let defined = service.define_profile(id, profile(), Some(12)).await;
    let defined = defined.unwrap();
    let tags = BTreeSet::from(["lab".to_owned()]);
    service.set_tags(id, serial, tags.clone()).await.unwrap();
    service.set_user(id, serial, Some("kim")).await.unwrap();
    let one = std::slice::from_ref(serial);
    service
        .want_profile(id, one, Some(&defined.uuid))
        .await
        .unwrap();
    let first = office.clock.now();
    let handed = service.hand_over(serial).await.unwrap().unwrap();
    assert_eq!((&handed.account, &handed.serial_number), (id, serial));
    assert_eq!((&handed.tags, handed.user.as_deref()), (&tags, Some("kim")));
    let preset = handed.profile.as_ref().unwrap();
    assert_eq!(preset.shared_ipad_max_users, Some(12));
    assert_eq!(handed.device.model.as_deref(), Some("iPad"));
    assert_eq!(handed.first, first);
    office.clock.advance(Duration::from_secs(60));
    assert_eq!(service.hand_over(serial).await.unwrap(), Some(handed));
    assert_eq!(office.device(serial).await.handed_over, Some(first));
}

#[tokio::test]
async fn tags_and_user_are_bounded_together() {
    let office = Office::linked(1).await;
    let (service, id) = (office.service(), &office.id);
    let serial = &serials(1)[0];
    let tags = BTreeSet::from(["x".repeat(16 * 1024 - 3)]);
    service.set_tags(id, serial, tags.clone()).await.unwrap();
    service.set_user(id, serial, Some("kim")).await.unwrap();
    let error = service.set_user(id, serial, Some("kim2")).await;
    assert!(matches!(
        error,
        Err(Error::Refused(Refusal::TooLong { most: 16_384 }))
    ));
    let device = office.device(serial).await;
    assert_eq!((device.tags, device.user.as_deref()), (tags, Some("kim")));
}

#[tokio::test]
async fn the_profile_that_apple_has_counts_before_the_wanted_one() {
    let office = Office::linked(1).await;
    let (service, id) = (office.service(), &office.id);
    let serial = &serials(1)[0];
    let mut uuids = Vec::new();
    for _ in 0..2 {
        let defined = service.define_profile(id, profile(), None).await;
        uuids.push(defined.unwrap().uuid);
    }
    for (state, expected) in [
        (DeviceState::Pushed, Some(&uuids[0])),
        (DeviceState::Removed, Some(&uuids[1])),
    ] {
        office
            .edit_device(serial, |device| {
                device.state = state;
                device.device.profile_uuid = Some(uuids[0].clone());
                device.wanted_profile = Some(uuids[1].clone());
            })
            .await;
        let handed = service.hand_over(serial).await.unwrap().unwrap();
        assert_eq!(handed.profile.map(|p| p.uuid).as_ref(), expected);
    }
}

#[tokio::test]
async fn of_two_accounts_the_one_counts_that_has_the_device_and_had_it_last() {
    let office = Office::linked(1).await;
    let serial = &serials(1)[0];
    let other = Office {
        id: "branch".to_owned().try_into().unwrap(),
        store: office.store.clone(),
        ..Office::elsewhere(|_| {})
    };
    let service = office.service();
    service.add_account(&other.id).await.unwrap();
    let later = office.clock.now() + Duration::from_secs(3600);
    let record = DeviceRecord::new(serial.clone(), later);
    other.put(Changes::devices(vec![record])).await;

    let handed = service.hand_over(serial).await.unwrap().unwrap();
    assert_eq!(handed.account, other.id);
    let at = later;
    other
        .edit_device(serial, |d| d.presence = Presence::Released { at })
        .await;
    let handed = service.hand_over(serial).await.unwrap().unwrap();
    assert_eq!(handed.account, office.id);
    office
        .edit_device(serial, |d| d.presence = Presence::Released { at })
        .await;
    assert_eq!(service.hand_over(serial).await.unwrap(), None);
    let unknown = "UNKNOWN".parse().unwrap();
    assert_eq!(service.hand_over(&unknown).await.unwrap(), None);
}
