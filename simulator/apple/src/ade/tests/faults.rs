//! Each fault: what it does, that it fits its request, and that it has happened.

use std::collections::HashSet;

use super::*;
use crate::http::Delay;

impl Service {
    fn strike(&self, fault: Fault) -> u64 {
        self.apple.fault(fault)
    }

    /// That this fault, and no other since, has struck so often.
    fn struck(&self, id: u64, times: u64) {
        let fired = self.apple.fired();
        let last = fired.last().unwrap();
        assert_eq!((last.id, last.times), (id, times), "{fired:?}");
    }

    fn raw(&self, path: &str, body: &Value) -> Answer {
        let method = if body.is_null() { "GET" } else { "POST" };
        self.apple.answer(&self.request(method, path, body))
    }

    /// Assigns the profile, and returns what became of each device.
    fn assign(&mut self, uuid: &Value, devices: &[&str]) -> Value {
        let body = json!({"profile_uuid": uuid, "devices": devices});
        self.ok("POST", "/profile/devices", &body)
    }
}

#[test]
fn a_token_ends_in_each_way() {
    for (fault, shapes, answer) in [
        (Fault::RevokeToken, Shapes::default(), (403, "FORBIDDEN")),
        (
            Fault::ExpireToken,
            Shapes::default(),
            (403, "token_expiredForbidden"),
        ),
        (
            Fault::ExpireToken,
            Shapes {
                expired_token_is_400: true,
                ..Shapes::default()
            },
            (400, "token_expiredBad Request"),
        ),
        (
            Fault::NewerToken,
            Shapes::default(),
            (401, "token_rejected"),
        ),
        (
            Fault::NewerToken,
            Shapes {
                superseded_token_is_signature_invalid: true,
                ..Shapes::default()
            },
            (401, "signature_invalid"),
        ),
    ] {
        let mut service = Service::with(|config| config.shapes = shapes);
        let id = service.apple.arm(Trigger::request(2), fault.clone());
        service.ok("GET", "/account", &Value::Null);
        service.refused("GET", "/account", &Value::Null, 401, "UNAUTHORIZED");
        service.struck(id, 1);
        assert_eq!(service.open(|_| {}), (answer.0, answer.1.to_owned()));

        service.token = service.apple.new_server_token_json();
        service.enter();
        service.strike(fault.clone());
        assert_eq!(service.open(|_| {}).0, answer.0, "{fault:?}");
    }
}

#[test]
fn a_session_is_lost_in_each_way() {
    let mut service = Service::new();
    for (loss, status, code) in [
        (SessionLoss::Unauthorized, 401, "UNAUTHORIZED"),
        (SessionLoss::Forbidden, 403, "FORBIDDEN"),
    ] {
        let id = service.strike(Fault::DropSessions(loss));
        service.refused("GET", "/account", &Value::Null, status, code);
        service.struck(id, 1);
        service.enter();
        let at = Trigger::path("/devices", 1);
        let id = service.apple.arm(at, Fault::DropSessions(loss));
        service.ok("GET", "/account", &Value::Null);
        let body = json!({"devices": ["A"]});
        service.refused("POST", "/devices", &body, status, code);
        service.struck(id, 1);
        service.enter();
    }
    let id = service.strike(Fault::KeepDroppingSessions);
    for times in 1..3 {
        service.enter();
        service.struck(id, times);
        assert_ne!(service.call("GET", "/account", &Value::Null).0, 200);
    }
    service.apple.clear_faults();
    service.enter();
    service.ok("GET", "/account", &Value::Null);
}

#[test]
fn a_session_may_be_replaced_by_any_answer() {
    let mut service = Service::with(|config| config.rotate_session_every = Some(2));
    service.ok("GET", "/account", &Value::Null);
    let Answer::Answered(response) = service.raw("/account", &Value::Null) else {
        panic!("hung up");
    };
    let next = response.headers()["x-adm-auth-session"].to_str().unwrap();
    service.refused("GET", "/account", &Value::Null, 401, "UNAUTHORIZED");
    next.clone_into(&mut service.session);
    service.ok("GET", "/account", &Value::Null);
}

#[test]
fn terms_stop_all_but_the_session() {
    let mut service = Service::new();
    let id = service.strike(Fault::TermsNotSigned);
    service.enter();
    assert!(service.apple.fired().is_empty());
    for times in 1..3 {
        service.refused("GET", "/account", &Value::Null, 403, "T_C_NOT_SIGNED");
        service.struck(id, times);
    }
    service.apple.clear_faults();
    service
        .apple
        .arm(Trigger::path("/account", 2), Fault::TermsNotSigned);
    service.ok("GET", "/account", &Value::Null);
    service.refused("GET", "/account", &Value::Null, 403, "T_C_NOT_SIGNED");
}

#[test]
fn a_cursor_is_lost_in_each_way() {
    for (fault, code) in [
        (Fault::ExpireCursors, "EXPIRED_CURSOR"),
        (Fault::ForgetCursors, "INVALID_CURSOR"),
        (Fault::ExhaustCursors, "EXHAUSTED_CURSOR"),
    ] {
        for path in ["/server/devices", "/devices/sync", "/roster/class/sync"] {
            let mut service = Service::new();
            service.add(&["A", "B"]);
            let page = service.fetch("", 1);
            let id = service.apple.arm(Trigger::next(), fault.clone());
            // It waits for a cursor.
            service.fetch("", 1);
            assert_eq!(service.apple.waiting(), [fault.kind()]);
            let body = json!({"cursor": cursor(&page)});
            service.refused("POST", path, &body, 400, code);
            service.struck(id, 1);
            assert!(service.apple.waiting().is_empty());
            let page = service.fetch("", 1);
            service.fetch(&cursor(&page), 1);
        }
    }
}

#[test]
fn a_scripted_answer_comes_so_often() {
    let mut service = Service::new();
    let id = service.strike(Fault::Answer {
        times: 2,
        status: 500,
        body: "oops".to_owned(),
        retry_after: Some("soon".to_owned()),
    });
    for times in 1..3 {
        let Answer::Answered(response) = service.raw("/account", &Value::Null) else {
            panic!("hung up");
        };
        assert_eq!(response.status(), 500);
        assert_eq!(response.headers()["retry-after"], "soon");
        service.struck(id, times);
    }
    service.ok("GET", "/account", &Value::Null);
}

#[test]
fn a_busy_service_says_when_to_come_again_and_counts_who_comes_sooner() {
    for (as_date, retry_after) in [(false, "30"), (true, "Fri, 02 Jan 2026 03:04:35 GMT")] {
        let mut service = Service::new();
        let id = service.strike(Fault::Busy {
            times: 1,
            status: 503,
            wait: Duration::from_secs(30),
            as_date,
        });
        let Answer::Answered(response) = service.raw("/account", &Value::Null) else {
            panic!("hung up");
        };
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], retry_after);
        service.struck(id, 1);
        service.clock.advance(Duration::from_secs(29));
        service.ok("GET", "/account", &Value::Null);
        assert_eq!(service.apple.traffic().premature_requests, 1);
        service.clock.advance(Duration::from_secs(1));
        service.ok("GET", "/account", &Value::Null);
        assert_eq!(service.apple.traffic().premature_requests, 1);
    }
}

#[test]
fn a_connection_breaks_before_or_after_the_work() {
    let mut service = Service::new();
    service.add(&["A"]);
    let profile = json!({"profile_name": "n", "url": "https://a.example", "devices": ["A"]});
    for (fault, was_processed) in [
        (Fault::Unreachable { times: 1 }, false),
        (Fault::HangUp { times: 1 }, true),
    ] {
        let id = service.apple.arm(Trigger::path("/profile", 1), fault);
        service.ok("GET", "/account", &Value::Null);
        let Answer::HungUp { processed } = service.raw("/profile", &profile) else {
            panic!("answered");
        };
        assert_eq!(processed, was_processed);
        service.struck(id, 1);
        let status = &service.apple.device("A").unwrap()["profile_status"];
        assert_eq!(status, if was_processed { "assigned" } else { "empty" });
    }
    assert_eq!(service.apple.profile_count(), 1);
}

#[test]
fn a_body_is_cut_or_lost_and_an_answer_late() {
    let mut service = Service::new();
    let whole = service.call("GET", "/account", &Value::Null).1;
    let id = service.strike(Fault::TruncateBody);
    // A refusal is no answer that it fits.
    service.refused("GET", "/nowhere", &Value::Null, 404, "NOT_FOUND");
    let (status, cut) = service.call("GET", "/account", &Value::Null);
    assert!(status == 200 && !cut.is_empty() && cut.len() < whole.len());
    assert!(whole.starts_with(&cut));
    service.struck(id, 1);
    let id = service.strike(Fault::EmptyBody);
    assert_eq!(
        service.call("GET", "/account", &Value::Null),
        (200, String::new())
    );
    service.struck(id, 1);
    let id = service.strike(Fault::Slow(Duration::from_secs(90)));
    let Answer::Answered(response) = service.raw("/account", &Value::Null) else {
        panic!("hung up");
    };
    let delay = response.extensions().get::<Delay>();
    assert_eq!(delay, Some(&Delay(Duration::from_secs(90))));
    service.struck(id, 1);
}

#[test]
fn a_page_comes_twice_or_overlaps_the_next() {
    for (fault, second) in [
        (Fault::DuplicatePage, ["A", "B"]),
        (Fault::OverlapPages { records: 1 }, ["B", "C"]),
        (Fault::OverlapPages { records: 9 }, ["A", "B"]),
    ] {
        let mut service = Service::new();
        let start = service.caught_up();
        service.add(&["A", "B", "C"]);
        let id = service.strike(fault.clone());
        let mut page = service.fetch("", 2);
        service.struck(id, 1);
        assert_eq!(page["more_to_follow"], true);
        let next = service.fetch(&cursor(&page), 2);
        assert_ne!(cursor(&page), cursor(&next));
        assert_eq!(serials(&next), second, "{fault:?}");

        let id = service.strike(fault);
        page = service.sync(&start, 2);
        service.struck(id, 1);
        assert_eq!(serials(&service.sync(&cursor(&page), 2)), second);
        // It does not fit a page without a record.
        let end = service.caught_up();
        service.strike(Fault::DuplicatePage);
        service.sync(&end, 2);
        assert_eq!(service.apple.waiting(), ["DuplicatePage"]);
    }
}

#[test]
fn a_cursor_comes_back_as_it_was() {
    let mut service = Service::new();
    service.add(&["A", "B"]);
    let id = service.strike(Fault::RepeatCursor { times: 2 });
    let first = service.fetch("", 1);
    for times in 1..3 {
        let page = service.fetch(&cursor(&first), 1);
        assert_eq!(cursor(&page), cursor(&first));
        assert_eq!(
            (serials(&page), &page["more_to_follow"]),
            (vec!["B".to_owned()], &json!(true))
        );
        service.struck(id, times);
    }
    let last = service.fetch(&cursor(&first), 1);
    assert_eq!(last["more_to_follow"], false);
    let id = service.strike(Fault::RepeatCursor { times: 1 });
    assert_eq!(cursor(&service.sync(&cursor(&last), 1)), cursor(&last));
    service.struck(id, 1);
}

#[test]
fn records_come_again_that_are_out_of_date() {
    let mut service = Service::new();
    let start = service.caught_up();
    let id = service.strike(Fault::StaleRecords { records: 2 });
    service.add(&["A", "B"]);
    let page = service.sync(&start, 10);
    assert_eq!(serials(&page), ["A", "B"], "nothing is out of date yet");
    service.apple.remove_device("A");
    let page = service.sync(&cursor(&page), 10);
    assert_eq!(serials(&page), ["A", "A"]);
    assert_eq!(each(&page, "op_type"), ["deleted", "added"]);
    let dates = each(&page, "op_date");
    assert!(dates[0] > dates[1]);
    service.struck(id, 1);
}

#[test]
fn a_throttled_device_cools_down_and_is_counted_when_it_is_not_let() {
    let mut service = Service::new();
    service.add(&["A", "B"]);
    let uuid = service.define(&[])["profile_uuid"].clone();
    let id = service.strike(Fault::Throttle {
        serials: HashSet::from(["A".to_owned()]),
        retry_after: Duration::from_secs(86_400),
    });
    let answer = service.assign(&uuid, &["A", "B"]);
    assert_eq!(answer["devices"], json!({"A": "THROTTLED", "B": "SUCCESS"}));
    assert_eq!(answer["retry_after_seconds"], 86_400);
    service.struck(id, 1);
    service.clock.advance(Duration::from_secs(86_399));
    service.enter();
    assert_eq!(service.apple.traffic().premature_assignments, 0);
    service.version = "9";
    let answer = service.assign(&uuid, &["A"]);
    assert_eq!(answer["devices"], json!({"A": "THROTTLED"}));
    assert!(answer.get("retry_after_seconds").is_none());
    service.version = "8";
    assert_eq!(
        service.assign(&uuid, &["A"])["devices"],
        json!({"A": "FAILED"})
    );
    assert_eq!(service.apple.traffic().premature_assignments, 2);
    service.clock.advance(Duration::from_secs(1));
    assert_eq!(
        service.assign(&uuid, &["A"])["devices"],
        json!({"A": "SUCCESS"})
    );
    service.struck(id, 1);
}

#[test]
fn a_device_that_cools_down_may_be_absent_and_comes_back() {
    let mut service = Service::with(|config| config.hide_cooling_devices = true);
    let start = service.caught_up();
    service.add(&["A", "B", "C"]);
    service.strike(Fault::NextDevices {
        count: 2,
        outcome: Outcome::Throttled(Duration::from_secs(60)),
    });
    service.define(&["A", "B", "C"]);
    assert_eq!(serials(&service.fetch("", 10)), ["C"]);
    let page = service.sync(&start, 10);
    assert_eq!(serials(&page), ["C", "C"]);
    // One that goes away meanwhile is told as gone.
    service.apple.remove_device("B");
    let page = service.sync(&cursor(&page), 10);
    assert_eq!(each(&page, "op_type"), ["deleted"]);
    service.clock.advance(Duration::from_secs(60));
    let page = service.sync(&cursor(&page), 10);
    assert_eq!(
        (serials(&page), each(&page, "op_type")),
        (vec!["A".into()], vec!["modified".into()])
    );
    assert_eq!(serials(&service.fetch("", 10)), ["A", "C"]);
}

#[test]
fn a_device_assigned_too_often_in_a_day_is_throttled() {
    let mut service = Service::with(|config| config.assignments_a_day = Some(2));
    service.add(&["A"]);
    let uuid = service.define(&[])["profile_uuid"].clone();
    for outcome in ["SUCCESS", "SUCCESS", "THROTTLED", "THROTTLED"] {
        assert_eq!(service.assign(&uuid, &["A"])["devices"]["A"], outcome);
    }
    service.clock.advance(Duration::from_secs(86_400));
    service.enter();
    assert_eq!(service.assign(&uuid, &["A"])["devices"]["A"], "SUCCESS");
}

#[test]
fn single_devices_fail_or_are_left_out() {
    let mut service = Service::with(|config| config.disown_allowed = true);
    service.add(&["A", "B"]);
    let uuid = service.define(&[])["profile_uuid"].clone();
    let id = service.strike(Fault::FailAssign(HashSet::from(["A".to_owned()])));
    for times in 1..3 {
        let answer = service.assign(&uuid, &["A", "B"]);
        assert_eq!(answer["devices"], json!({"A": "FAILED", "B": "SUCCESS"}));
        service.struck(id, times);
    }
    service.apple.clear_faults();
    let before = service.apple.device("A");
    for (outcome, expected) in [
        (Outcome::Failed, json!({"A": "FAILED", "B": "SUCCESS"})),
        (
            Outcome::NotAccessible,
            json!({"A": "NOT_ACCESSIBLE", "B": "SUCCESS"}),
        ),
        (Outcome::LeftOut, json!({"B": "SUCCESS"})),
    ] {
        for (method, path) in [
            ("PUT", "/profile/devices"),
            ("DELETE", "/profile/devices"),
            ("POST", "/devices/disown"),
        ] {
            let id = service.strike(Fault::NextDevices { count: 1, outcome });
            let body = json!({"profile_uuid": uuid, "devices": ["A", "B"]});
            assert_eq!(service.ok(method, path, &body)["devices"], expected);
            service.struck(id, 1);
        }
        assert_eq!(service.apple.device("A"), before);
        service.add(&["B"]);
    }
    service.strike(Fault::NextDevices {
        count: 1,
        outcome: Outcome::Failed,
    });
    let answer = service.ok("POST", "/device/activationlock", &json!({"device": "A"}));
    assert_eq!(answer["response_status"], "FAILED");
    assert!(!service.apple.is_locked("A"));
}

#[test]
fn a_fault_waits_for_its_request() {
    let service = Service::new();
    service
        .apple
        .arm(Trigger::request(3), Fault::Unreachable { times: 1 });
    service
        .apple
        .arm(Trigger::path("/devices", 2), Fault::HangUp { times: 1 });
    let mut seen = Vec::new();
    for path in [
        "/account", "/devices", "/account", "/account", "/devices", "/devices",
    ] {
        let answer = match path {
            "/account" => service.raw(path, &Value::Null),
            path => service.raw(path, &json!({"devices": ["A"]})),
        };
        seen.push(matches!(answer, Answer::Answered(_)));
    }
    assert_eq!(seen, [true, true, false, true, false, true]);
    let fired = service.apple.fired();
    // The session was the first request.
    let where_: Vec<_> = fired
        .iter()
        .map(|f| (f.kind, f.request, f.path.as_str()))
        .collect();
    assert_eq!(
        where_,
        [("Unreachable", 4, "/account"), ("HangUp", 6, "/devices")]
    );
    service.apple.arm(Trigger::request(9), Fault::EmptyBody);
    service.apple.clear_faults();
    assert!(service.apple.waiting().is_empty());
}
