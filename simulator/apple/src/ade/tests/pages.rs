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

#[test]
fn a_page_has_the_size_that_was_asked_for_within_bounds() {
    let mut service = Service::with(|config| config.page_maximum = 150);
    service.apple.add_devices(200, 1);
    for (body, count) in [
        (json!({}), 100),
        (json!({"limit": null}), 100),
        (json!({"limit": 0}), 100),
        (json!({"limit": 3}), 3),
        (json!({"limit": 9999}), 150),
    ] {
        let page = service.ok("POST", "/server/devices", &body);
        assert_eq!(serials(&page).len(), count, "{body}");
    }
}

#[test]
fn a_change_shows_after_its_lag() {
    let mut service = Service::with(|config| config.sync_lag = Duration::from_secs(60));
    let start = service.caught_up();
    service.add(&["A"]);
    service.clock.advance(Duration::from_secs(59));
    let page = service.sync(&start, 10);
    assert_eq!(
        (serials(&page).len(), &page["more_to_follow"]),
        (0, &json!(false))
    );
    service.clock.advance(Duration::from_secs(1));
    assert_eq!(serials(&service.sync(&cursor(&page), 10)), ["A"]);
}

#[test]
fn a_log_that_was_dropped_ends_the_cursors_into_it() {
    let mut service = Service::new();
    let start = service.caught_up();
    service.add(&["A"]);
    let end = service.caught_up();
    service.apple.compact_log();
    let body = json!({"cursor": start});
    service.refused("POST", "/devices/sync", &body, 400, "EXPIRED_CURSOR");
    service.add(&["B"]);
    assert_eq!(serials(&service.sync(&end, 10)), ["B"]);
    // What no living cursor can ask for goes by itself.
    service.clock.advance(Duration::from_secs(15 * 86_400));
    service.enter();
    let end = service.caught_up();
    service.add(&["C"]);
    assert_eq!(serials(&service.sync(&end, 10)), ["C"]);
}

#[test]
fn prerendered_pages_are_the_same_until_something_changes() {
    let mut service = Service::with(|config| config.prerendered = true);
    service.apple.add_devices(25, 1);
    let walk = |service: &mut Service| {
        let mut pages = Vec::new();
        let mut at = String::new();
        while pages.len() < 10 {
            let page = service.fetch(&at, 10);
            at = cursor(&page);
            let more = page["more_to_follow"] == true;
            pages.push(page);
            if !more {
                break;
            }
        }
        pages
    };
    let first = walk(&mut service);
    assert_eq!(
        first.iter().map(|page| serials(page).len()).sum::<usize>(),
        25
    );
    service.clock.advance(Duration::from_secs(60));
    assert_eq!(walk(&mut service), first);
    let end = cursor(first.last().unwrap());
    assert_eq!(service.sync(&end, 10), service.sync(&end, 10));
    service.apple.add_devices(1, 1);
    assert_ne!(walk(&mut service), first);
    service.apple.prerender(10, 10);
    let built = walk(&mut service);
    service.clock.advance(Duration::from_secs(60));
    assert_eq!(walk(&mut service), built);
    service.apple.fault(Fault::DuplicatePage);
    assert_eq!(walk(&mut service).len(), 4);
    assert_eq!(walk(&mut service).len(), 3);
}

#[test]
fn two_hundred_thousand_devices_are_walked_and_each_is_there_once() {
    let mut service = Service::with(|config| config.kept_exchanges = 10);
    let made = service.apple.add_devices(100_000, 1);
    service.apple.add_devices(100_000, 2);
    for serial in &made[..1000] {
        service.apple.remove_device(serial);
    }
    assert_eq!(service.apple.device_count(), 199_000);
    let mut seen = std::collections::HashSet::new();
    let mut at = String::new();
    loop {
        let body = json!({"cursor": at, "limit": 1000});
        let (status, page) = service.call("POST", "/server/devices", &body);
        assert_eq!(status, 200);
        // Read by hand: a page of this size takes long to parse without optimization.
        for part in page.split("\"serial_number\":\"").skip(1) {
            assert!(seen.insert(part[..12].to_owned()));
        }
        let part = page.split("\"cursor\":\"").nth(1).unwrap();
        at = part.split('"').next().unwrap().to_owned();
        if page.ends_with("false}") {
            break;
        }
    }
    assert_eq!(seen.len(), 199_000);
    assert_eq!(service.apple.exchanges().len(), 10);
    assert_eq!(service.apple.count("/server/devices"), 199);
}

#[test]
fn the_same_seed_makes_the_same_service() {
    let (mut one, mut two) = (Service::new(), Service::new());
    for service in [&mut one, &mut two] {
        service.apple.add_devices(20, 5);
    }
    assert_eq!(one.token, two.token);
    assert_eq!(one.fetch("", 100), two.fetch("", 100));
    assert_eq!(one.define(&[]), two.define(&[]));
}
