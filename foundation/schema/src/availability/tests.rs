use super::*;
use crate::fixture::{COMBINED, COMMAND, PAYLOAD};

fn target(text: &str) -> Target {
    text.parse().unwrap()
}

/// What there is to say about the whole document, as text.
fn document(schema: &Schema, text: &str) -> String {
    schema.availability(&target(text)).to_string()
}

/// What a key adds to that.
fn key(schema: &Schema, name: &str, text: &str) -> String {
    let target = target(text);
    let key = schema.keys.iter().find(|key| key.name == name).unwrap();
    key.availability(schema.support_on(target.platform), &target)
        .to_string()
}

#[test]
fn a_document_is_available_from_the_version_that_introduces_it() {
    for (on, said) in [
        ("ios:15.7", "needs iOS 16.0"),
        ("ios:16.0b1", "available"),
        ("ios:16", "available"),
        ("tvos:18", "not available on tvOS"),
        ("watchos:11", "not available on watchOS"),
        ("macos:13,user", "not in user enrolment"),
        ("ios:16,local", "not installed by hand"),
    ] {
        assert_eq!(document(&COMMAND, on), said, "{on}");
    }
}

#[test]
fn a_document_that_lists_no_system_says_nothing() {
    let silent = Schema::new(crate::Kind::Payload, "x", "X");
    assert_eq!(document(&silent, "watchos:1.0"), "available");
}

#[test]
fn allowed_enrolments_name_supervision_before_the_way_of_enrolment() {
    for (on, said) in [
        ("ios:18,supervised", "available"),
        ("ios:18,local", "available"),
        ("ios:18", "needs supervision"),
        ("ios:18,user", "not in user enrolment"),
        ("macos:14,automated", "available"),
        ("macos:14", "needs Automated Device Enrollment"),
        (
            "macos:14,user",
            "not in user enrolment, needs Automated Device Enrollment",
        ),
    ] {
        assert_eq!(document(&COMBINED, on), said, "{on}");
    }
}

#[test]
fn scopes_and_channels_of_a_shared_ipad_take_the_place_of_the_plain_ones() {
    for (schema, on, said) in [
        (
            &COMBINED,
            "ios:18,supervised,user-channel",
            "not through the user channel",
        ),
        (
            &COMBINED,
            "ios:18,supervised,shared-ipad,user-channel",
            "available",
        ),
        (
            &COMBINED,
            "ios:18,supervised,shared-ipad",
            "not through the device channel",
        ),
        (
            &PAYLOAD,
            "ios:18,user-channel",
            "not through the user channel",
        ),
        (&PAYLOAD, "ios:18,shared-ipad,user-channel", "available"),
        (
            &PAYLOAD,
            "ios:18,shared-ipad",
            "not through the device channel",
        ),
    ] {
        assert_eq!(document(schema, on), said, "{on}");
    }
    let shared = "ios:18,supervised,shared-ipad,user-channel";
    assert_eq!(key(&COMBINED, "Siri", shared), "not on a Shared iPad");
    assert_eq!(key(&COMBINED, "Siri", "ios:18,supervised"), "available");
}

#[test]
fn approval_and_installation_by_hand_are_asked_for() {
    for (on, said) in [
        (
            "ios:18,not-user-approved",
            "needs an enrolment that the user approved",
        ),
        ("ios:18,not-user-approved,automated", "available"),
        ("ios:18,local", "not installed by hand"),
        ("macos:14,local,not-user-approved", "available"),
    ] {
        assert_eq!(document(&PAYLOAD, on), said, "{on}");
    }
}

#[test]
fn a_key_only_says_what_it_sets_itself() {
    for (name, on, said) in [
        ("OwnDevice", "ios:18", "only in user enrolment"),
        ("OwnDevice", "ios:3,user", "available"),
        ("Classroom", "ios:18", "only on a Shared iPad"),
        (
            "Footnote",
            "ios:18,shared-ipad",
            "has no effect on a Shared iPad",
        ),
    ] {
        assert_eq!(key(&PAYLOAD, name, on), said, "{name} {on}");
    }
    for (on, said) in [
        ("ios:16.1", "needs supervision"),
        ("ios:16.1,supervised", "available"),
        ("ios:17.0,supervised", "deprecated since iOS 17.0"),
        (
            "ios:18,user",
            "deprecated since iOS 17.0, needs supervision, has no effect in user enrolment",
        ),
        ("ios:26", "removed in iOS 26.0"),
        ("macos:14", "available"),
    ] {
        assert_eq!(key(&COMMAND, "Old", on), said, "{on}");
    }
    assert_eq!(key(&COMMAND, "MacOnly", "ios:18"), "not available on iOS");
}

#[test]
fn what_is_deprecated_or_ignored_is_available() {
    let target = target("ios:18,user,supervised");
    let old = COMMAND.key("Old").unwrap().key();
    let availability = old.availability(COMMAND.support_on(Platform::Ios), &target);
    assert!(availability.is_available());
    let findings = availability.findings("Old").into_iter();
    let findings: Vec<_> = findings.map(|finding| finding.to_string()).collect();
    assert_eq!(
        findings,
        [
            "warning: Old: deprecated since iOS 17.0 (deprecated)",
            "info: Old: has no effect in user enrolment (enrollment)",
        ]
    );
}

#[test]
fn values_have_terms_of_their_own() {
    let mode = COMMAND.key("Mode").unwrap();
    let outer = mode.support_on(Platform::Ios);
    let silent = mode.key().allowed.last().unwrap();
    let said = |on| silent.availability(outer, &target(on)).to_string();
    assert_eq!(said("ios:17"), "needs iOS 18.0");
    assert_eq!(said("ios:18"), "needs supervision");
    assert_eq!(said("ios:18,supervised"), "available");
    assert_eq!(
        silent.support_under(outer).access_right(),
        Some("AllowSettings")
    );
}

#[test]
fn terms_are_inherited_field_by_field() {
    let inner = COMMAND.key("Old/Inner").unwrap();
    let support = inner.support_on(Platform::Ios);
    assert_eq!(support.introduced, "16.2".parse().ok());
    assert_eq!(support.removed, "26".parse().ok());
    assert_eq!(support.user_enrollment, Some(Mode::Ignored));
    assert_eq!(support.access_right(), Some("AllowSettings"));
    assert!(
        !inner
            .availability(&target("ios:26,supervised"))
            .is_available()
    );

    let shared = PAYLOAD.key("Classroom").unwrap().support_on(Platform::Ios);
    let shared = shared.shared_ipad.unwrap();
    assert_eq!(shared.mode, Some(Mode::Required));
    assert_eq!(shared.device_channel, Some(false));
}

#[test]
fn what_no_version_knows_holds_nothing() {
    let own = Support {
        introduced: "10".parse().ok(),
        ..Support::on(Platform::TvOs)
    };
    let support = own.under(COMMAND.support_on(Platform::TvOs));
    assert_eq!(support.introduced, Some(Bound::Never));
    assert!(!support.availability(&target("ios:18")).is_available());
}

#[test]
fn what_was_removed_in_version_zero_is_on_no_version() {
    let support = Support {
        removed: "0".parse().ok(),
        ..Support::on(Platform::Ios)
    };
    let availability = support.availability(&target("ios:18"));
    assert_eq!(availability.to_string(), "removed in every iOS");
}

#[test]
fn nothing_comes_before_what_holds_it_or_outlives_it() {
    let bound = |text: &str| text.parse().ok();
    let within = |introduced, removed| Support {
        introduced: bound(introduced),
        removed: bound(removed),
        ..Support::on(Platform::MacOs)
    };
    let outer = within("13.0", "15.0");
    for (own, from, until) in [
        (within("11.0", "16.0"), "13.0", "15.0"),
        (within("14.0", "14.5"), "14.0", "14.5"),
        (within("all", ""), "13.0", "15.0"),
    ] {
        let support = own.under(outer);
        assert_eq!(
            (support.introduced, support.removed),
            (bound(from), bound(until))
        );
    }
}
