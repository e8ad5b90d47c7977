//! Pages of devices and of changes.

use super::*;

#[test]
fn a_cursor_lives_as_long_as_configured() {
    let mut service = Service::new();
    let page = service.fetch("", 100);
    service.clock.advance(Duration::from_secs(7 * 86_400));
    service.enter();
    let page = service.sync(&cursor(&page), 100);
    service.clock.advance(Duration::from_secs(7 * 86_400 + 1));
    service.enter();
    let body = json!({"cursor": cursor(&page)});
    service.refused("POST", "/devices/sync", &body, 400, "EXPIRED_CURSOR");
    service.refused("POST", "/server/devices", &body, 400, "EXPIRED_CURSOR");
}

#[test]
fn a_fetch_walks_the_devices_and_a_sync_tells_what_came_meanwhile() {
    let mut service = Service::new();
    service.add(&["A", "B", "C", "D"]);
    let first = service.fetch("", 2);
    assert_eq!(serials(&first), ["A", "B"]);
    assert_eq!(first["more_to_follow"], true);
    assert!(first["devices"][0].get("op_type").is_none());
    service.apple.remove_device("A");
    service.apple.remove_device("C");
    service.add(&["E"]);
    let last = service.fetch(&cursor(&first), 2);
    assert_eq!(serials(&last), ["D"]);
    assert_eq!(last["more_to_follow"], false);

    // A fetch is over when it is over.
    let body = json!({"cursor": cursor(&last)});
    service.refused("POST", "/server/devices", &body, 400, "EXHAUSTED_CURSOR");
    let changes = service.sync(&cursor(&last), 100);
    assert_eq!(serials(&changes), ["A", "C", "E"]);
    assert_eq!(each(&changes, "op_type"), ["deleted", "deleted", "added"]);
    assert_eq!(
        changes["devices"][0],
        json!({
            "serial_number": "A",
            "op_type": "deleted",
            "op_date": "2026-01-02T03:04:06Z",
            "released_by_replacement": false,
        })
    );
    // A cursor may be used again, as after a lost answer.
    assert_eq!(service.sync(&cursor(&last), 1)["more_to_follow"], true);
    let after = service.sync(&cursor(&changes), 100);
    assert_eq!(after["devices"], json!([]));
}

#[test]
fn every_change_of_a_device_has_a_later_time_than_the_one_before() {
    let mut service = Service::new();
    let start = service.caught_up();
    service.add(&["A"]);
    service.apple.modify_device("A", json!({"color": "RED"}));
    service.apple.remove_device("A");
    service.add(&["A", "B"]);
    let page = service.sync(&start, 100);
    assert_eq!(
        each(&page, "op_type"),
        ["added", "modified", "deleted", "added", "added"]
    );
    let dates = each(&page, "op_date");
    assert!(
        dates[..4].windows(2).all(|pair| pair[0] < pair[1]),
        "{dates:?}"
    );
    // Another device's time is its own.
    assert_eq!(dates[4], "2026-01-02T03:04:05Z");
    // Each record is the device as it was then.
    assert_eq!(each(&page, "color"), ["", "RED", "", "", ""]);
}

#[test]
fn a_device_without_a_serial_number_is_no_device() {
    let service = Service::new();
    for device in [json!({}), json!([]), json!({"serial_number": 5})] {
        service.apple.add_device(device);
    }
    assert_eq!(service.apple.device_count(), 0);
}
