//! The odd forms of answers, and what each protocol version shows.

use super::*;

fn shaped(change: impl FnOnce(&mut Shapes)) -> Service {
    Service::with(|config| change(&mut config.shapes))
}

#[test]
fn outcomes_may_be_an_array_of_objects_with_one_key() {
    let mut service = shaped(|shapes| shapes.outcomes_as_array = true);
    service.add(&["A"]);
    let expected = json!([{"A": "SUCCESS"}, {"B": "NOT_ACCESSIBLE"}]);
    assert_eq!(service.define(&["A", "B"])["devices"], expected);
    let body = json!({"devices": ["A", "B"]});
    let answer = service.ok("DELETE", "/profile/devices", &body);
    assert_eq!(answer["devices"], expected);
}

#[test]
fn what_is_empty_may_be_an_empty_text() {
    let mut service = shaped(|shapes| {
        shapes.empty_profile_status = true;
        shapes.empty_times = true;
        shapes.assigned_by_minus_one = true;
    });
    service.add(&["A"]);
    let device = &service.fetch("", 1)["devices"][0];
    assert_eq!(
        *device,
        json!({
            "serial_number": "A",
            "profile_status": "",
            "profile_assign_time": "",
            "profile_push_time": "",
            "device_assigned_by": "-1",
            "device_assigned_date": "2026-01-02T03:04:05Z",
        })
    );
}

#[test]
fn made_up_devices_have_identifiers_in_their_odd_forms() {
    let plain = Service::new();
    let odd = shaped(|shapes| {
        shapes.imei_with_spaces = true;
        shapes.mac_as_array = true;
    });
    let (mut plain_page, mut odd_page) = (Value::Null, Value::Null);
    for (mut service, page) in [(plain, &mut plain_page), (odd, &mut odd_page)] {
        service.apple.add_devices(50, 7);
        *page = service.fetch("", 100);
    }
    assert_eq!(serials(&plain_page), serials(&odd_page));
    let find = |page: &Value| {
        let devices = page["devices"].as_array().unwrap();
        devices
            .iter()
            .find(|device| device.get("imei").is_some())
            .unwrap()
            .clone()
    };
    let (plain, odd) = (find(&plain_page), find(&odd_page));
    assert!(!plain["imei"][0].as_str().unwrap().contains(' '));
    assert!(odd["imei"][0].as_str().unwrap().contains(' '));
    assert!(plain["wifi_mac_address"].is_string());
    assert!(odd["wifi_mac_address"][0].is_string());
}

#[test]
fn codes_may_stand_in_quotes() {
    let mut service = shaped(|shapes| shapes.quoted_errors = true);
    let body = json!({});
    service.refused("POST", "/devices/sync", &body, 400, "\"CURSOR_REQUIRED\"");
}

#[test]
fn what_is_not_there_is_refused_in_several_ways() {
    for (shape, status, code) in [
        (ProfileNotFound::Named, 400, "PROFILE_NOT_FOUND"),
        (ProfileNotFound::Bare, 400, "NOT_FOUND"),
        (ProfileNotFound::BareAs404, 404, "NOT_FOUND"),
    ] {
        let mut service = shaped(|shapes| shapes.profile_not_found = shape);
        service.refused("GET", "/profile?profile_uuid=X", &Value::Null, status, code);
        let body = json!({"profile_uuid": "X", "devices": ["A"]});
        service.refused("POST", "/profile/devices", &body, status, code);
    }
    let path = "/device/replacementDetails?device=A";
    for (is_400, status) in [(false, 404), (true, 400)] {
        let mut service = shaped(|shapes| shapes.device_not_found_is_400 = is_400);
        service.refused("GET", path, &Value::Null, status, "DEVICE_NOT_FOUND");
    }
    let mut service = shaped(|shapes| shapes.strict_define = true);
    let profile = json!({"profile_name": "n", "url": "https://a.example", "devices": ["A"]});
    service.refused("POST", "/profile", &profile, 404, "NOT_FOUND");
    service.add(&["A"]);
    service.ok("POST", "/profile", &profile);
}

#[test]
fn a_deleted_record_has_more_or_less_in_it() {
    for (bare, full, keys) in [(false, false, 4), (true, false, 3), (false, true, 7)] {
        let mut service = shaped(|shapes| {
            shapes.bare_deleted_records = bare;
            shapes.full_deleted_records = full;
        });
        service.add(&["A"]);
        let start = service.caught_up();
        service.apple.remove_device("A");
        let page = service.sync(&start, 10);
        assert_eq!(page["devices"][0].as_object().unwrap().len(), keys);
    }
}

#[test]
fn changes_within_a_second_may_have_the_same_time() {
    let mut service = shaped(|shapes| shapes.equal_op_dates = true);
    let start = service.caught_up();
    service.add(&["A"]);
    service.apple.modify_device("A", json!({"color": "RED"}));
    let dates = each(&service.sync(&start, 10), "op_date");
    assert_eq!(dates[0], dates[1]);
}

#[test]
fn each_protocol_version_shows_what_it_knows() {
    let mut service = Service::new();
    service.apple.add_device(json!({
        "serial_number": "A",
        "os": "iPadOS",
        "device_family": "iPad",
        "imei": ["1"],
        "mdm_migration_deadline": "2026-02-01T00:00:00Z",
        "profile_status": "a word of tomorrow",
    }));
    for (version, os, count) in [
        ("1", None, 4),
        ("2", Some("iOS"), 6),
        ("6", Some("iOS"), 6),
        ("7", Some("iPadOS"), 6),
        ("8", Some("iPadOS"), 7),
        ("10", Some("iPadOS"), 8),
        ("99", Some("iPadOS"), 8),
        ("nonsense", None, 4),
    ] {
        service.version = version;
        let page = service.fetch("", 1);
        let device = page["devices"][0].as_object().unwrap();
        assert_eq!(device.get("os").and_then(Value::as_str), os, "{version}");
        assert_eq!(device.len(), count, "{version}: {device:?}");
        assert_eq!(device["profile_status"], "a word of tomorrow");
        let account = service.ok("GET", "/account", &Value::Null);
        assert_eq!(
            account.get("urls").is_some(),
            count > 6 || version == "7" || version == "6"
        );
    }
    // Assigned, it is what the service says.
    service.version = "10";
    service.define(&["A"]);
    assert_eq!(
        service.apple.device("A").unwrap()["profile_status"],
        "assigned"
    );
}
