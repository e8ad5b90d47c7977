use serde_json::json;

use super::*;
use crate::record::{Release, ReleaseAttempt};

#[test]
fn a_profile_that_is_taken_away_while_it_is_given_is_not_taken_for_there() {
    let now: DateTime<Utc> = "2026-03-01T08:00:00Z".parse().unwrap();
    let second = Duration::from_secs(1);
    let policy = Policy::default();
    let serial: SerialNumber = "C02".parse().unwrap();
    for (released, has) in [
        (None, true),
        (Some(now - second), true),
        (Some(now + second), false),
    ] {
        let mut record = DeviceRecord::new(serial.clone(), now);
        record.wanted_profile = Some("P".into());
        record.settle(now);
        record.release = released.map(|at| ReleaseAttempt::new(Release::Unassign, at));
        assert!(attempt(&mut record, "P", now, &policy));
        let request = AssignProfile::new("P", vec![serial.clone()]);
        let answer = json!({"devices": {"C02": "SUCCESS"}}).to_string();
        let answer = http::Response::new(bytes::Bytes::from(answer));
        let answer = mdm_transport::ApiRequest::from_http(&request, answer).unwrap();
        let verdicts = Verdicts::answered(&request, now, answer);
        assert!(verdicts.apply(&mut record, false, now + second * 2, &policy));
        assert!(record.attempt.as_ref().unwrap().outcome.is_success());
        assert_eq!(record.lacks().is_none(), has, "{released:?}");
        assert_eq!(record.due.is_none(), has, "{released:?}");
    }
}

fn device(serial: &str, wanted: &str, now: DateTime<Utc>) -> DeviceRecord {
    let mut record = DeviceRecord::new(serial.parse().unwrap(), now);
    record.wanted_profile = Some(wanted.into());
    record.settle(now);
    record
}

#[test]
fn batches_are_full_hold_each_device_once_and_never_hold_too_many() {
    let serials: Vec<SerialNumber> = (0..1_000)
        .map(|n| format!("C{n:04}").parse().unwrap())
        .collect();
    for (profiles, most) in [(1, 10), (3, 12), (10, 20), (40, 80)] {
        let mut batches = Batches::new(100);
        let mut sent = Vec::new();
        for (n, serial) in serials.iter().enumerate() {
            let profile = format!("P{}", n % profiles);
            sent.extend(batches.push(&profile, serial.clone()));
            assert!(batches.held < 100 * Batches::MOST);
        }
        while let Some(batch) = batches.largest() {
            sent.push(batch);
        }
        assert!(sent.iter().all(|batch| batch.devices.len() <= 100));
        assert!(sent.len() <= most, "{profiles}: {}", sent.len());
        let mut devices: Vec<_> = sent.into_iter().flat_map(|batch| batch.devices).collect();
        devices.sort();
        assert_eq!(devices, serials);
    }
}

#[test]
fn an_attempt_is_made_only_of_a_device_that_is_due_for_the_profile() {
    let now: DateTime<Utc> = "2026-03-01T08:00:00Z".parse().unwrap();
    let policy = Policy::default();
    let in_15_minutes = Some(later(now, policy.wait_after_error));
    let mut record = device("C02", "P", now);
    assert!(!attempt(&mut record, "Q", now, &policy));
    assert!(attempt(&mut record, "P", now, &policy));
    assert_eq!(record.due, in_15_minutes);
    // It is on its way.
    assert!(!attempt(&mut record, "P", now, &policy));
    let made = record.attempt.as_ref().unwrap();
    assert_eq!((&made.outcome, made.at), (&AttemptOutcome::Sent, now));
}

#[test]
fn a_request_that_fails_again_and_again_is_made_less_and_less_often() {
    let start: DateTime<Utc> = "2026-03-01T08:00:00Z".parse().unwrap();
    let policy = Policy::default();
    let error = Error::Transport(mdm_transport::TransportErrorKind::Timeout.into());
    let mut record = device("C02", "P", start);
    let mut now = start;
    let mut waits = Vec::new();
    for _ in 0..9 {
        assert!(attempt(&mut record, "P", now, &policy));
        let request = AssignProfile::new("P", vec![record.serial_number.clone()]);
        let verdicts = Verdicts::failed(&request, now, &error, None);
        assert!(verdicts.apply(&mut record, false, now, &policy));
        assert!(!verdicts.apply(&mut record, false, now, &policy));
        let due = record.due.unwrap();
        waits.push((due - now).num_minutes());
        now = due;
    }
    assert_eq!(waits, [15, 30, 60, 120, 240, 480, 960, 1_440, 1_440]);
    assert_eq!(record.attempt.unwrap().failures, 9);
}

#[test]
fn each_verdict_has_its_wait() {
    let now: DateTime<Utc> = "2026-03-01T08:00:00Z".parse().unwrap();
    let policy = Policy::default();
    let day = 24 * 60 * 60;
    for (status, asked, seconds) in [
        ("THROTTLED", Some(3_600), 3_600),
        ("THROTTLED", Some(0), 60),
        ("THROTTLED", None, day),
        ("THROTTLED", Some(1_000_000_000), 7 * day),
        ("FAILED", Some(60), day),
        ("NOT_ACCESSIBLE", None, day),
        ("SOMETHING_NEW", None, day),
        ("", None, day),
    ] {
        let mut record = device("C02", "P", now);
        assert!(attempt(&mut record, "P", now, &policy));
        let request = AssignProfile::new("P", vec![record.serial_number.clone()]);
        let answer = json!({"devices": {"C02": status}, "retry_after_seconds": asked});
        let answer = http::Response::new(bytes::Bytes::from(answer.to_string()));
        let answer = mdm_transport::ApiRequest::from_http(&request, answer).unwrap();
        let verdicts = Verdicts::answered(&request, now, answer);
        assert!(verdicts.apply(&mut record, false, now, &policy));
        let wait = record.due.unwrap() - now;
        assert_eq!(wait.num_seconds(), seconds, "{status} {asked:?}");
    }
}
