//! The contract of [`DeviceFilter`](crate::store::DeviceFilter).

use chrono::{DateTime, Utc};

use super::{Make, fixture::*};
use crate::{
    AdeStore,
    record::{DeviceRecord, DeviceState, GiveUp, GiveUpStep, Presence, Release, Replacement},
    store::{Changes, DeviceFilter},
};

/// Not of letters without case, and not of a language.
pub async fn devices_come_in_the_order_of_their_bytes<S: AdeStore>(make: impl Make<S>) {
    let names = [
        "0",
        "00",
        "0A",
        "A",
        "A A",
        "A'B",
        "AB",
        "Z",
        "a",
        "b",
        "ß",
        "ß\u{301}",
        "\u{1f34f}",
    ];
    let devices = names.iter().rev().map(|name| device(name)).collect();
    let store = with_devices(make().await, devices).await;
    assert_takes(&store, &DeviceFilter::All, &names).await;
    assert_takes(&store, &DeviceFilter::Present, &names).await;
}

/// A device to come after need not be there.
pub async fn devices_come_page_by_page<S: AdeStore>(make: impl Make<S>) {
    let store = with_devices(make().await, ["A", "C", "E"].map(device).into()).await;
    let page = async |after, limit| {
        let after = serial(after);
        let filter = DeviceFilter::Present;
        let page = store.devices(&acme(), &filter, Some(&after), limit).await;
        serials(&page.unwrap()).join(" ")
    };
    assert_eq!(page("B", 9).await, "C E");
    assert_eq!(page("C", 9).await, "E");
    assert_eq!(page("A", 1).await, "C");
    assert_eq!(page("A", 0).await, "");
    assert_eq!(page("E", 9).await, "");
    assert_eq!(page("!", 2).await, "A C");
}

/// All are all; which of them are the account's is another question.
pub async fn released_devices_are_not_present<S: AdeStore>(make: impl Make<S>) {
    let devices = vec![device("A"), released("B", at(0)), device("C")];
    let store = with_devices(make().await, devices).await;
    assert_takes(&store, &DeviceFilter::All, &["A", "B", "C"]).await;
    assert_takes(&store, &DeviceFilter::Present, &["A", "C"]).await;
    let changes = vec![released("A", at(1)), device("B")];
    write(&store, &acme(), Changes::devices(changes)).await;
    assert_takes(&store, &DeviceFilter::All, &["A", "B", "C"]).await;
    assert_takes(&store, &DeviceFilter::Present, &["B", "C"]).await;
}

/// Of those that are the account's.
pub async fn unseen_devices_are_those_of_an_earlier_sweep<S: AdeStore>(make: impl Make<S>) {
    let swept = |text, sweep| device_with(text, |device| device.sweep = sweep);
    let mut gone = released("D", at(0));
    gone.sweep = 1;
    let devices = vec![swept("C", 1), swept("B", 2), swept("A", 3), gone];
    let store = with_devices(make().await, devices).await;
    let unseen = |sweep| DeviceFilter::Unseen { sweep };
    assert_takes(&store, &unseen(0), &[]).await;
    assert_takes(&store, &unseen(1), &[]).await;
    assert_takes(&store, &unseen(2), &["C"]).await;
    assert_takes(&store, &unseen(3), &["B", "C"]).await;
    assert_takes(&store, &unseen(u64::MAX), &["A", "B", "C"]).await;
    let changes = vec![swept("C", 3), released("B", at(0))];
    write(&store, &acme(), Changes::devices(changes)).await;
    assert_takes(&store, &unseen(3), &[]).await;
}

fn due(text: &str, time: DateTime<Utc>) -> DeviceRecord {
    device_with(text, |device| device.due = Some(time))
}

/// To the microsecond, before and after 1970, to the end of the calendar.
pub async fn devices_are_due_at_their_time_and_not_before<S: AdeStore>(make: impl Make<S>) {
    let devices = vec![
        due("F", at(-5)),
        due("E", at(10)),
        due("D", at(10) + TICK),
        due("C", at(8_000_000_000_000)),
        due("B", DateTime::<Utc>::MAX_UTC),
        device("A"),
    ];
    let store = with_devices(make().await, devices).await;
    let at_time = DeviceFilter::Due;
    assert_takes(&store, &at_time(at(-5) - TICK), &[]).await;
    assert_takes(&store, &at_time(at(-5)), &["F"]).await;
    assert_takes(&store, &at_time(at(10) - TICK), &["F"]).await;
    assert_takes(&store, &at_time(at(10)), &["E", "F"]).await;
    assert_takes(&store, &at_time(at(10) + TICK), &["D", "E", "F"]).await;
    let far = at(8_000_000_000_000);
    assert_takes(&store, &at_time(far), &["C", "D", "E", "F"]).await;
    let end = DateTime::<Utc>::MAX_UTC;
    assert_takes(&store, &at_time(end), &["B", "C", "D", "E", "F"]).await;
    assert_takes(&store, &at_time(DateTime::<Utc>::MIN_UTC), &[]).await;
}

/// Also where it is over, and none where nothing is due.
pub async fn the_earliest_due_time_is_told<S: AdeStore>(make: impl Make<S>) {
    let store = with_devices(make().await, vec![device("A"), device("B")]).await;
    assert_eq!(store.next_due(&acme()).await.unwrap(), None);
    for (changed, expected) in [
        (due("B", at(20)), Some(at(20))),
        (due("A", at(10) + TICK), Some(at(10) + TICK)),
        (due("C", at(10)), Some(at(10))),
        (due("D", at(-9)), Some(at(-9))),
        (device("D"), Some(at(10))),
        (due("A", at(30)), Some(at(10))),
        (device("C"), Some(at(20))),
        (due("B", DateTime::<Utc>::MAX_UTC), Some(at(30))),
        (device("A"), Some(DateTime::<Utc>::MAX_UTC)),
        (device("B"), None),
    ] {
        write(&store, &acme(), Changes::devices(vec![changed])).await;
        assert_eq!(store.next_due(&acme()).await.unwrap(), expected);
    }
    write(
        &store,
        &account("other"),
        Changes::devices(vec![due("A", at(1))]),
    )
    .await;
    assert_eq!(store.next_due(&acme()).await.unwrap(), None);
}

/// Released ones too, for they hang on the profile as well.
pub async fn devices_are_found_by_the_profile_they_want<S: AdeStore>(make: impl Make<S>) {
    let wants = |text, uuid: &str| {
        device_with(text, |device| device.wanted_profile = Some(uuid.to_owned()))
    };
    let mut gone = wants("C", "P1");
    gone.presence = Presence::Released { at: at(0) };
    let mut has = device("D");
    has.device.profile_uuid = Some("P1".to_owned());
    let devices = vec![
        device("A"),
        wants("B", "P1"),
        gone,
        has,
        wants("E", "p1"),
        wants("F", "P1 "),
    ];
    let store = with_devices(make().await, devices).await;
    let wanting = |uuid: &str| DeviceFilter::Wanting(uuid.to_owned());
    assert_takes(&store, &wanting("P1"), &["B", "C"]).await;
    assert_takes(&store, &wanting("p1"), &["E"]).await;
    assert_takes(&store, &wanting("P"), &[]).await;
    assert_takes(&store, &wanting(""), &[]).await;
    let changes = vec![device("B"), wants("D", "P1")];
    write(&store, &acme(), Changes::devices(changes)).await;
    assert_takes(&store, &wanting("P1"), &["C", "D"]).await;
}

/// Of those that are the account's; also states that have no name yet.
pub async fn devices_are_found_by_their_state<S: AdeStore>(make: impl Make<S>) {
    let is = |text, state: &DeviceState| device_with(text, |device| device.state = state.clone());
    let unknown = DeviceState::from("melted");
    let mut gone = is("D", &DeviceState::Assigned);
    gone.presence = Presence::Released { at: at(0) };
    let devices = vec![
        device("A"),
        is("B", &DeviceState::Assigned),
        is("C", &DeviceState::Pushed),
        gone,
        is("E", &DeviceState::Removed),
        is("F", &unknown),
        is("G", &DeviceState::Assigned),
    ];
    let store = with_devices(make().await, devices).await;
    let state = DeviceFilter::State;
    assert_takes(&store, &state(DeviceState::Empty), &["A"]).await;
    assert_takes(&store, &state(DeviceState::Assigned), &["B", "G"]).await;
    assert_takes(&store, &state(DeviceState::Pushed), &["C"]).await;
    assert_takes(&store, &state(DeviceState::Removed), &["E"]).await;
    assert_takes(&store, &state(unknown), &["F"]).await;
    assert_takes(&store, &state(DeviceState::from("Assigned")), &[]).await;
    let changes = vec![is("B", &DeviceState::Pushed), is("D", &DeviceState::Pushed)];
    write(&store, &acme(), Changes::devices(changes)).await;
    assert_takes(&store, &state(DeviceState::Assigned), &["G"]).await;
    assert_takes(&store, &state(DeviceState::Pushed), &["B", "C", "D"]).await;
}

/// Before a time, and not at it.
pub async fn devices_are_found_by_when_they_were_released<S: AdeStore>(make: impl Make<S>) {
    let devices = vec![
        device("A"),
        released("B", at(10)),
        released("C", at(10) - TICK),
        released("D", at(-5)),
        released("E", DateTime::<Utc>::MAX_UTC),
    ];
    let store = with_devices(make().await, devices).await;
    let before = DeviceFilter::ReleasedBefore;
    assert_takes(&store, &before(at(-5)), &[]).await;
    assert_takes(&store, &before(at(10) - TICK), &["D"]).await;
    assert_takes(&store, &before(at(10)), &["C", "D"]).await;
    assert_takes(&store, &before(at(10) + TICK), &["B", "C", "D"]).await;
    assert_takes(&store, &before(DateTime::<Utc>::MAX_UTC), &["B", "C", "D"]).await;
    write(&store, &acme(), Changes::devices(vec![device("C")])).await;
    assert_takes(&store, &before(at(99)), &["B", "D"]).await;
}

/// Whatever the time is, and whether or not they are the account's.
pub async fn devices_that_replace_another_are_found_until_it_is_known_which<S: AdeStore>(
    make: impl Make<S>,
) {
    let replaces =
        |text, replacement| device_with(text, |device| device.replacement = Some(replacement));
    let pending = || Replacement::Pending {
        due: at(99),
        failures: 0,
    };
    let taken_over = Replacement::TakenOver {
        original: serial("A"),
    };
    let mut gone = replaces("C", pending());
    gone.presence = Presence::Released { at: at(0) };
    let devices = vec![
        device("A"),
        replaces("B", pending()),
        gone,
        replaces("D", taken_over.clone()),
        replaces("E", Replacement::None),
    ];
    let store = with_devices(make().await, devices).await;
    assert_takes(&store, &DeviceFilter::Replacing, &["B", "C"]).await;
    let changes = vec![replaces("B", taken_over), replaces("E", pending())];
    write(&store, &acme(), Changes::devices(changes)).await;
    assert_takes(&store, &DeviceFilter::Replacing, &["C", "E"]).await;
}

/// Also those that were released on the way.
pub async fn devices_that_are_given_up_are_found_until_all_is_done<S: AdeStore>(
    make: impl Make<S>,
) {
    let given_up = |text, next| {
        device_with(text, |device| {
            let mut give_up = GiveUp::new(Release::Disown, at(0));
            give_up.next = next;
            device.give_up = Some(give_up);
        })
    };
    let mut gone = given_up("D", GiveUpStep::Wipe);
    gone.presence = Presence::Released { at: at(0) };
    let devices = vec![
        device("A"),
        given_up("B", GiveUpStep::Unenrol),
        given_up("C", GiveUpStep::Release),
        gone,
        given_up("E", GiveUpStep::Done),
    ];
    let store = with_devices(make().await, devices).await;
    assert_takes(&store, &DeviceFilter::GivingUp, &["B", "C", "D"]).await;
    let changes = vec![device("B"), given_up("C", GiveUpStep::Done)];
    write(&store, &acme(), Changes::devices(changes)).await;
    assert_takes(&store, &DeviceFilter::GivingUp, &["D"]).await;
}

/// A device that changes in every way at once is found where it is now, and nowhere else.
pub async fn filters_follow_every_change<S: AdeStore>(make: impl Make<S>) {
    let store = with_devices(make().await, Vec::new()).await;
    let filters = [
        DeviceFilter::All,
        DeviceFilter::Present,
        DeviceFilter::Unseen { sweep: 2 },
        DeviceFilter::Due(at(1)),
        DeviceFilter::Wanting("P1".to_owned()),
        DeviceFilter::State(DeviceState::Assigned),
        DeviceFilter::ReleasedBefore(at(1)),
        DeviceFilter::Replacing,
        DeviceFilter::GivingUp,
    ];
    let names = ["A", "B", "C", "D", "E"];
    let mut devices = names.map(device);
    // Each round changes every device; the bits of a number say how. A fixed sequence.
    let mut bits = 0x9e37_79b9_u32;
    for _ in 0..40 {
        for device in &mut devices {
            bits ^= bits << 13;
            bits ^= bits >> 17;
            bits ^= bits << 5;
            shape(device, bits);
        }
        write(&store, &acme(), Changes::devices(devices.to_vec())).await;
        for filter in &filters {
            let taken = devices.iter().filter(|device| filter.takes(device));
            let expected: Vec<_> = taken.cloned().collect();
            let found = store.devices(&acme(), filter, None, 9).await.unwrap();
            assert_eq!(found, expected, "{filter:?}");
            let count = store.count(&acme(), filter).await.unwrap();
            assert_eq!(count, expected.len() as u64, "{filter:?}");
        }
        let earliest = devices.iter().filter_map(|device| device.due).min();
        assert_eq!(store.next_due(&acme()).await.unwrap(), earliest);
    }
}

fn shape(device: &mut DeviceRecord, bits: u32) {
    let bit = |n: u32| bits >> n & 1 == 1;
    device.presence = match bit(0) {
        true => Presence::Present,
        false => Presence::Released {
            at: at(i64::from(bit(1))),
        },
    };
    device.sweep = u64::from(bits >> 2 & 3);
    device.due = bit(4).then(|| at(i64::from(bits >> 5 & 3)));
    device.wanted_profile = bit(7).then(|| format!("P{}", bits >> 8 & 1));
    device.state = match bit(9) {
        true => DeviceState::Assigned,
        false => DeviceState::Empty,
    };
    device.replacement = bit(10).then(|| match bit(11) {
        true => Replacement::Pending {
            due: at(0),
            failures: 0,
        },
        false => Replacement::None,
    });
    device.give_up = bit(12).then(|| {
        let mut give_up = GiveUp::new(Release::Unassign, at(0));
        give_up.next = match bit(13) {
            true => GiveUpStep::Wipe,
            false => GiveUpStep::Done,
        };
        give_up
    });
}
