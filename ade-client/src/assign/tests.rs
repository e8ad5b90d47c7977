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
