use serde_json::{Value, json};

use super::*;
use crate::record::{Attempt, Release};

const P: &str = "P";
const DEFAULT: &str = "DEFAULT";

/// A second of the morning.
fn at(second: u32) -> DateTime<Utc> {
    format!("2026-03-01T08:00:{second:02}Z").parse().unwrap()
}

fn telling() -> Telling {
    Telling {
        now: at(59),
        sweep: 4,
        default_profile: Some(DEFAULT.into()),
        take_over: true,
    }
}

/// Tells these records, one after the other.
fn tell(told: &[Value]) -> (DeviceRecord, Vec<Merged>) {
    let serial: SerialNumber = "C02A".parse().unwrap();
    let mut record = None;
    let mut merged = Vec::new();
    for told in told {
        let told = serde_json::from_value(told.clone()).unwrap();
        let (next, what) = telling().merge(record, &serial, told);
        merged.push(what);
        record = Some(next);
    }
    (record.unwrap(), merged)
}

/// A record of a sync.
fn op(op_type: &str, second: u32, more: Value) -> Value {
    let mut told = json!({"serial_number": "C02A", "op_type": op_type, "op_date": at(second)});
    told.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    told
}

/// A record of a fetch, or details.
fn now(more: Value) -> Value {
    let mut told = json!({"serial_number": "C02A", "model": "iPad"});
    told.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    told
}

#[test]
fn each_pitfall_ends_as_it_should() {
    use Merged::{Absent, Came, Left, Stale, Stays};

    let has_default = json!({"profile_status": "assigned", "profile_uuid": DEFAULT});
    let removed = json!({"profile_status": "removed", "profile_uuid": DEFAULT});
    let none = json!({});
    // What is told, what becomes of each, whether the device is the account's and is due.
    let table = [
        (
            "fleet#8741, #10605, micromdm#497: only ever told as modified",
            vec![op("modified", 1, none.clone())],
            vec![Came],
            (true, true),
        ),
        (
            "fleet#39871: modified, its profile removed, the identifier still there",
            vec![now(has_default.clone()), op("modified", 2, removed.clone())],
            vec![Came, Stays],
            (true, true),
        ),
        (
            "fleet#37460: added and modified in one page",
            vec![
                op("added", 1, none.clone()),
                op("modified", 2, has_default.clone()),
            ],
            vec![Came, Stays],
            (true, false),
        ),
        (
            "fleet#37460, in the wrong order",
            vec![
                op("modified", 2, has_default.clone()),
                op("added", 1, none.clone()),
            ],
            vec![Came, Stale],
            (true, false),
        ),
        (
            "fleet#37462, #23200, #29119: moved away and back",
            vec![
                op("added", 1, none.clone()),
                op("deleted", 2, none.clone()),
                op("added", 3, none.clone()),
            ],
            vec![Came, Left, Came],
            (true, true),
        ),
        (
            "moved away and back, told as modified",
            vec![
                op("deleted", 2, none.clone()),
                op("modified", 3, none.clone()),
            ],
            vec![Absent, Came],
            (true, true),
        ),
        (
            "moved away and back, the former told late",
            vec![op("added", 3, none.clone()), op("deleted", 2, none.clone())],
            vec![Came, Stale],
            (true, true),
        ),
        (
            "fleet#44560: released",
            vec![op("added", 1, none.clone()), op("deleted", 2, none.clone())],
            vec![Came, Left],
            (false, false),
        ),
        (
            "released, and told once more before that",
            vec![op("deleted", 2, none.clone()), op("added", 1, none.clone())],
            vec![Absent, Stale],
            (false, false),
        ),
        (
            "a fetch is the present, whatever was told before",
            vec![op("deleted", 9, none.clone()), now(has_default.clone())],
            vec![Absent, Came],
            (true, false),
        ),
        (
            "it left before it was assigned to this server, which a fetch has told",
            vec![
                now(json!({"device_assigned_date": at(5)})),
                op("deleted", 4, none.clone()),
            ],
            vec![Came, Stale],
            (true, true),
        ),
        (
            "it left after it was assigned to this server",
            vec![
                now(json!({"device_assigned_date": at(5)})),
                op("deleted", 6, none.clone()),
            ],
            vec![Came, Left],
            (false, false),
        ),
        (
            "a status that is empty says nothing",
            vec![now(json!({"profile_status": "", "profile_uuid": DEFAULT}))],
            vec![Came],
            (true, true),
        ),
        (
            "a status that nobody knows is none to rely on",
            vec![now(
                json!({"profile_status": "lent", "profile_uuid": DEFAULT}),
            )],
            vec![Came],
            (true, true),
        ),
        (
            "pushed is there as well",
            vec![now(
                json!({"profile_status": "pushed", "profile_uuid": DEFAULT}),
            )],
            vec![Came],
            (true, false),
        ),
        (
            "a profile that somebody else has given is not the one",
            vec![now(
                json!({"profile_status": "assigned", "profile_uuid": P}),
            )],
            vec![Came],
            (true, true),
        ),
        (
            "a date that cannot be read is none",
            vec![
                op("added", 5, none.clone()),
                json!({"serial_number": "C02A", "op_type": "deleted", "op_date": "soon"}),
            ],
            vec![Came, Left],
            (false, false),
        ),
    ];
    for (name, told, expected, (is_present, is_due)) in table {
        let (record, merged) = tell(&told);
        assert_eq!(merged, expected, "{name}");
        assert_eq!(record.is_present(), is_present, "{name}");
        assert_eq!(record.due.is_some(), is_due, "{name}");
        if is_present {
            assert_eq!(record.wanted_profile.as_deref(), Some(DEFAULT), "{name}");
            assert_eq!(record.sweep, 4, "{name}");
        }
    }
}

#[test]
fn what_contradicts_something_of_the_same_date_is_asked_about() {
    let has = json!({"profile_status": "assigned", "profile_uuid": DEFAULT});
    let removed = json!({"profile_status": "removed", "profile_uuid": DEFAULT});
    let found = |more: &Value| op("modified", 2, more.clone());
    let left = || op("deleted", 2, json!({}));
    // What is told, whether the device is the account's then, and whether Apple is asked.
    let table = [
        (vec![found(&has), left()], (true, true)),
        (vec![left(), found(&has)], (true, true)),
        (vec![found(&has), left(), found(&has)], (true, true)),
        (vec![found(&has), found(&removed)], (true, true)),
        (vec![found(&removed), found(&has)], (true, true)),
        // Nothing new.
        (vec![found(&has), found(&has)], (true, false)),
        (vec![left(), left()], (false, false)),
        // What comes later settles it, and so does the answer.
        (
            vec![found(&has), left(), op("deleted", 3, json!({}))],
            (false, false),
        ),
        (
            vec![found(&has), left(), op("added", 3, json!({}))],
            (true, false),
        ),
        (vec![found(&has), left(), now(has.clone())], (true, false)),
    ];
    for (told, expected) in table {
        let (record, _) = tell(&told);
        let asked = telling().has_to_ask(&record);
        assert_eq!((record.is_present(), asked), expected, "{told:?}");
    }
}

#[test]
fn a_device_in_doubt_is_no_new_one() {
    let telling = Telling {
        sweep: 2,
        ..telling()
    };
    let serial: SerialNumber = "C02A".parse().unwrap();
    let told = |told: Value| serde_json::from_value(told).unwrap();
    let (mut record, _) = telling.merge(None, &serial, told(op("added", 1, json!({}))));
    record.wanted_profile = None;
    let (record, _) = telling.merge(Some(record), &serial, told(op("deleted", 1, json!({}))));
    assert!(telling.has_to_ask(&record));
    let (record, merged) = telling.merge(Some(record), &serial, told(now(json!({}))));
    assert_eq!((record.wanted_profile, merged), (None, Merged::Stays));
}

#[test]
fn a_deleted_record_erases_nothing_that_is_known() {
    let (record, _) = tell(&[
        now(json!({"color": "SILVER", "profile_uuid": P, "profile_status": "pushed"})),
        op("deleted", 2, json!({"released_by_replacement": true})),
    ]);
    assert_eq!(record.released(), Some(at(2)));
    assert_eq!(record.device.model.as_deref(), Some("iPad"));
    assert_eq!(record.device.color.as_deref(), Some("SILVER"));
    assert_eq!(record.device.profile_uuid.as_deref(), Some(P));
    assert_eq!(record.device.released_by_replacement, Some(true));
    assert_eq!(record.op_date, Some(at(2)));
}

#[test]
fn times_of_states_are_apples_else_those_of_the_record_else_now() {
    let assigned = json!({"profile_status": "assigned", "profile_assign_time": at(3)});
    let pushed = json!({"profile_status": "pushed", "profile_assign_time": at(3),
        "profile_push_time": at(5)});
    let (record, _) = tell(&[
        now(json!({"profile_status": "empty", "profile_push_time": ""})),
        op("modified", 4, assigned),
        op("modified", 6, pushed),
        op("modified", 7, json!({"profile_status": "removed"})),
    ]);
    let times = &record.times;
    assert_eq!(times.empty, Some(at(59)));
    assert_eq!(times.assigned, Some(at(3)));
    assert_eq!(times.pushed, Some(at(5)));
    assert_eq!(times.removed, Some(at(7)));
    assert_eq!(record.state, DeviceState::Removed);
}

#[test]
fn what_somebody_wants_of_a_device_outlives_its_leaving() {
    let (mut record, _) = tell(&[op("added", 1, json!({}))]);
    record.wanted_profile = None;
    record.user = Some("ann".into());
    let told = |told: Value| serde_json::from_value(told).unwrap();
    let serial = record.serial_number.clone();
    let (record, _) = telling().merge(Some(record), &serial, told(op("deleted", 2, json!({}))));
    let (record, _) = telling().merge(Some(record), &serial, told(op("added", 3, json!({}))));
    // It is left alone, and no new serial number that would get the default.
    assert_eq!((record.wanted_profile, record.due), (None, None));
    assert_eq!(record.user.as_deref(), Some("ann"));
}

#[test]
fn a_device_that_comes_back_is_not_held_up_by_what_was_true_while_it_was_away() {
    for (status, held_up) in [
        (ResponseStatus::NotAccessible, false),
        (ResponseStatus::Throttled, true),
        (ResponseStatus::Failed, true),
    ] {
        let (mut record, _) = tell(&[op("deleted", 1, json!({}))]);
        let mut attempt = Attempt::new(DEFAULT, at(0));
        attempt.outcome = AttemptOutcome::Answered(status);
        attempt.until = Some(at(59) + chrono::TimeDelta::hours(20));
        record.attempt = Some(attempt);
        let mut give_up = GiveUp::new(Release::Disown, at(0));
        give_up.next = GiveUpStep::Done;
        record.give_up = Some(give_up);
        let serial = record.serial_number.clone();
        let told = serde_json::from_value(op("added", 2, json!({}))).unwrap();
        let (record, _) = telling().merge(Some(record), &serial, told);
        assert_eq!(record.give_up, None);
        assert_eq!(record.due.is_some_and(|due| due > at(59)), held_up);
    }
}

#[test]
fn a_replacement_waits_for_its_original_where_policy_says_so() {
    let told = now(json!({"is_replacement_device": true}));
    let serial: SerialNumber = "C02A".parse().unwrap();
    for take_over in [true, false] {
        let telling = Telling {
            take_over,
            ..telling()
        };
        let told = serde_json::from_value(told.clone()).unwrap();
        let (record, _) = telling.merge(None, &serial, told);
        assert_eq!(record.is_replacing(), take_over);
        assert_eq!(record.due.is_none(), take_over);
    }
}

#[test]
fn a_deletion_is_one_in_whatever_case() {
    let telling = Telling {
        now: DateTime::UNIX_EPOCH,
        sweep: 1,
        default_profile: None,
        take_over: false,
    };
    let serial: SerialNumber = "C02A".parse().unwrap();
    for (op_type, expected) in [
        ("deleted", Merged::Left),
        ("Deleted", Merged::Left),
        ("DELETED", Merged::Left),
        ("modified", Merged::Stays),
    ] {
        let (known, came) = telling.merge(None, &serial, Device::default());
        assert_eq!(came, Merged::Came);
        let told = Device::default().with(|told| told.op_type = Some(op_type.into()));
        let (_, merged) = telling.merge(Some(known), &serial, told);
        assert_eq!(merged, expected, "{op_type}");
    }
}

#[test]
fn what_was_told_before_a_device_was_found_to_have_left_does_not_bring_it_back() {
    let time = |second: u32| -> DateTime<Utc> {
        format!("2026-03-01T08:00:{second:02}Z").parse().unwrap()
    };
    let telling = Telling {
        now: time(30),
        sweep: 1,
        default_profile: None,
        take_over: false,
    };
    let serial: SerialNumber = "C02A".parse().unwrap();
    let told = |op_type, second| {
        Device::default().with(|told| {
            told.serial_number = Some(serial.clone());
            told.op_type = Some(op_type);
            told.op_date = Some(time(second).into());
        })
    };
    let (mut record, _) = telling.merge(None, &serial, told(OpType::Added, 5));
    telling.miss(&mut record);
    let again = telling.merge(Some(record.clone()), &serial, told(OpType::Added, 5));
    assert_eq!(again, (record.clone(), Merged::Stale));
    // Apple may have been late to tell of this, but it is news.
    let (_, merged) = telling.merge(Some(record), &serial, told(OpType::Modified, 6));
    assert_eq!(merged, Merged::Came);
    // Gone and back within a second.
    let (record, _) = telling.merge(None, &serial, told(OpType::Deleted, 5));
    let (_, merged) = telling.merge(Some(record), &serial, told(OpType::Added, 5));
    assert_eq!(merged, Merged::Came);
}
