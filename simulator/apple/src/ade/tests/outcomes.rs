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
