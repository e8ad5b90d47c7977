//! What is answered device by device.

use super::*;

#[test]
fn a_profile_is_told_only_while_it_is_assigned() {
    let mut service = Service::new();
    service.add(&["A"]);
    let answer = service.define(&["A", "B"]);
    assert_eq!(
        answer["devices"],
        json!({"A": "SUCCESS", "B": "NOT_ACCESSIBLE"})
    );
    let told = service.apple.device_profile("A").unwrap();
    assert_eq!(
        told,
        json!({"profile_name": "n", "url": "https://a.example"})
    );
    assert_eq!(
        service.apple.device("A").unwrap()["profile_status"],
        "pushed"
    );

    let uuid = answer["profile_uuid"].as_str().unwrap();
    let path = format!("/profile?profile_uuid={uuid}");
    let shown = service.ok("GET", &path, &Value::Null);
    assert_eq!(shown["profile_uuid"], uuid);
    assert!(shown.get("devices").is_none());

    // Assigned to the same server again, the device has lost it, and its name is still told.
    service.add(&["A"]);
    let device = service.apple.device("A").unwrap();
    assert_eq!(device["profile_status"], "removed");
    assert_eq!(device["profile_uuid"], uuid);
    assert_eq!(service.apple.device_profile("A"), None);
    let body = json!({"profile_uuid": uuid, "devices": ["A"]});
    service.ok("POST", "/profile/devices", &body);
    assert!(service.apple.device_profile("A").is_some());
    service.ok("DELETE", "/profile/devices", &json!({"devices": ["A"]}));
    assert_eq!(service.apple.device_profile("A"), None);
}

#[test]
fn details_are_told_of_each_device_or_nothing() {
    let mut service = Service::new();
    service
        .apple
        .add_device(json!({"serial_number": "A", "color": "RED"}));
    let answer = service.ok("POST", "/devices", &json!({"devices": ["A", "B"]}));
    assert_eq!(answer["devices"]["A"]["color"], "RED");
    assert_eq!(answer["devices"]["A"]["response_status"], "SUCCESS");
    assert_eq!(
        answer["devices"]["B"],
        json!({"response_status": "NOT_ACCESSIBLE"})
    );
}

#[test]
fn a_device_is_disowned_if_the_portal_lets_and_does_not_come_back() {
    let mut service = Service::new();
    service.add(&["A"]);
    let start = service.caught_up();
    let body = json!({"devices": ["A", "B"]});
    service.refused("POST", "/devices/disown", &body, 403, "ACCESS_DENIED");
    service
        .apple
        .configure(|config| config.disown_allowed = true);
    service.refused(
        "POST",
        "/devices/disown",
        &json!({}),
        400,
        "DEVICE_ID_REQUIRED",
    );
    let answer = service.ok("POST", "/devices/disown", &body);
    assert_eq!(
        answer["devices"],
        json!({"A": "SUCCESS", "B": "NOT_ACCESSIBLE"})
    );
    assert_eq!(service.apple.device_count(), 0);
    assert_eq!(each(&service.sync(&start, 10), "op_type"), ["deleted"]);
}

#[test]
fn a_device_is_locked_once_with_a_hash_and_opened_with_its_code() {
    let mut service = Service::new();
    service.add(&["A", "B"]);
    service
        .apple
        .add_device(json!({"serial_number": "TV", "device_family": "AppleTV"}));
    let path = "/device/activationlock";
    let (code, key) = (
        "3UM43-PUYVY-QYD1-UVCC-HEHJ-FKA4",
        "6ab40d5eabe7218ec04182f461005600c7e3426bddd82cdb405bde9a1e0014b5",
    );
    for (body, code) in [
        (json!({}), "DEVICE_ID_REQUIRED"),
        (json!({"device": ""}), "DEVICE_ID_REQUIRED"),
        (
            json!({"device": "A", "escrow_key": "short"}),
            "MALFORMED_REQUEST_BODY",
        ),
        (
            json!({"device": "A", "lost_message": 5}),
            "MALFORMED_REQUEST_BODY",
        ),
        (json!({"device": 5}), "MALFORMED_REQUEST_BODY"),
    ] {
        service.refused("POST", path, &body, 400, code);
    }
    for (serial, status) in [
        ("A", "SUCCESS"),
        ("A", "DEVICE_ALREADY_LOCKED"),
        ("TV", "DEVICE_NOT_SUPPORTED"),
        ("X", "NOT_ACCESSIBLE"),
    ] {
        let body = json!({"device": serial, "escrow_key": key.to_uppercase(), "lost_message": "m"});
        let answer = service.ok("POST", path, &body);
        assert_eq!(
            answer,
            json!({"serial_number": serial, "response_status": status})
        );
    }
    service
        .apple
        .configure(|config| config.activation_lock = false);
    let answer = service.ok("POST", path, &json!({"device": "B"}));
    assert_eq!(answer["response_status"], "ORG_NOT_SUPPORTED");

    let unlock = |serial: &str, form: &str| {
        let path = "/deviceservicesworkers/escrowKeyUnlock";
        Request::post(format!("{path}?serial={serial}&productType=iPad13%2C1"))
            .header("user-agent", "test/1")
            .body(Bytes::from(form.to_owned()))
            .unwrap()
    };
    let form = format!("orgName=Us+All&guid=1&escrowKey={code}");
    let malformed = (400, "MALFORMED_REQUEST_BODY".to_owned());
    assert_eq!(service.send(unlock("A", "orgName=Us")), malformed);
    for wrong in ["00000-00000-0000-0000-0000-0000", "?", key] {
        let form = form.replace(code, wrong);
        assert_eq!(service.send(unlock("A", &form)).0, 404, "{wrong}");
    }
    assert_eq!(service.send(unlock("B", &form)).0, 404);
    assert!(service.apple.is_locked("A"));
    assert_eq!(service.send(unlock("A", &form)), (200, String::new()));
    assert!(!service.apple.is_locked("A"));
}

#[test]
fn a_replacement_takes_the_place_of_its_original() {
    let mut service = Service::new();
    service.add(&["OLD"]);
    let start = service.caught_up();
    let replacement = json!({"serial_number": "NEW", "device_family": "iPad"});
    assert!(!service.apple.replace_device("NONE", replacement.clone()));
    assert!(service.apple.replace_device("OLD", replacement));
    let page = service.sync(&start, 10);
    assert_eq!(serials(&page), ["OLD", "NEW"]);
    assert_eq!(each(&page, "op_type"), ["deleted", "added"]);
    assert_eq!(page["devices"][0]["released_by_replacement"], true);
    assert_eq!(page["devices"][1]["is_replacement_device"], true);
    let path = "/device/replacementDetails";
    assert_eq!(
        service.ok("GET", &format!("{path}?device=NEW"), &Value::Null),
        json!({
            "serial_number": "NEW",
            "original_device_serial_number": "OLD",
            "replacement_date": "2026-01-02",
        })
    );
    service.refused("GET", path, &Value::Null, 400, "DEVICE_ID_REQUIRED");
    service.version = "9";
    service.refused(
        "GET",
        &format!("{path}?device=NEW"),
        &Value::Null,
        404,
        "NOT_FOUND",
    );
}

#[test]
fn a_device_goes_and_comes_back_without_its_profile() {
    let mut service = Service::new();
    let serial = service.apple.add_devices(1, 3)[0].to_string();
    let model = service.apple.device(&serial).unwrap()["model"].clone();
    service.define(&[&serial]);
    let start = service.caught_up();
    assert!(service.apple.reassign_device(&serial));
    assert!(service.apple.remove_device(&serial));
    assert!(!service.apple.remove_device(&serial));
    assert!(!service.apple.modify_device(&serial, json!({})));
    assert!(service.apple.reassign_device(&serial));
    assert!(!service.apple.reassign_device("NEVER"));
    let page = service.sync(&start, 10);
    assert_eq!(each(&page, "op_type"), ["modified", "deleted", "added"]);
    assert_eq!(each(&page, "profile_status"), ["removed", "", "empty"]);
    assert_eq!(page["devices"][2]["model"], model);
    service
        .apple
        .modify_device(&serial, json!({"color": "RED"}));
    let device = service.apple.device(&serial).unwrap();
    assert_eq!(
        (&device["model"], &device["color"]),
        (&model, &json!("RED"))
    );
}

#[test]
fn the_truth_can_be_read_without_a_copy() {
    let mut service = Service::new();
    service.add(&["A", "B", "C"]);
    service.apple.remove_device("B");
    let uuid = service.define(&["C"])["profile_uuid"].clone();
    service.apple.device_profile("C");
    let mut seen = Vec::new();
    service.apple.for_each_device(|device| {
        seen.push((
            device.serial_number.to_owned(),
            device.profile_status,
            device.profile_uuid.map(str::to_owned),
        ));
    });
    let uuid = uuid.as_str().map(str::to_owned);
    assert_eq!(
        seen,
        [
            ("A".to_owned(), "empty", None),
            ("C".to_owned(), "pushed", uuid)
        ]
    );
}
