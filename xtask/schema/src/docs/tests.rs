use super::*;
use crate::ir::{ListId, SharedIpad, ValueType};

fn on(platform: &str, introduced: &str) -> Support {
    Support {
        introduced: Some(introduced.to_owned()),
        ..Support::on(platform)
    }
}

fn key(name: &str) -> Key {
    Key::new(name, ValueType::String)
}

fn erase_device() -> Document {
    Document {
        kind: Kind::Command,
        file: "mdm/commands/device.erase".to_owned(),
        name: "EraseDevice".to_owned(),
        id: "EraseDevice".to_owned(),
        title: "Erase Device Command".to_owned(),
        page: "https://example.com/erase".to_owned(),
        support: vec![
            Support {
                access_rights: Some("AllowDeviceErase".to_owned()),
                user_enrollment: Some("forbidden".to_owned()),
                ..on("iOS", "4.0")
            },
            Support {
                access_rights: Some("AllowDeviceErase".to_owned()),
                removed: Some("26.0".to_owned()),
                ..on("macOS", "10.7")
            },
            on("tvOS", "n/a"),
        ],
        apply: None,
        keys: ListId(0),
        reasons: Vec::new(),
        related_status_items: Vec::new(),
    }
}

#[test]
fn a_document_says_where_it_is_available_and_on_what_terms() {
    let lines = document(&erase_device(), Some("Erases the device."));
    assert_eq!(
        lines,
        [
            "Erases the device.",
            "`RequestType` is `EraseDevice`. [Apple's page](https://example.com/erase).",
            "| System | Versions | Terms |\n|---|---|---|\n\
             | iOS | 4.0 and later | not in user enrolment |\n\
             | macOS | 10.7 and later; removed in 26.0 |  |",
            "Not on tvOS. Needs the access right `AllowDeviceErase`.",
        ]
    );
}

#[test]
fn a_document_without_a_sentence_of_ours_has_its_title() {
    assert_eq!(
        document(&erase_device(), None)[0],
        "The command *Erase Device*."
    );
}

#[test]
fn a_field_says_what_it_is_and_then_the_facts() {
    let holder = [on("iOS", "4.0"), on("macOS", "10.7"), on("tvOS", "10.2")];
    let pin = Key {
        default: Some(Literal::String("none".to_owned())),
        range: Some((Some(1.0), None)),
        support: vec![on("iOS", "n/a"), on("macOS", "10.8"), on("tvOS", "n/a")],
        ..key("PIN")
    };
    assert_eq!(
        field(&pin, None, Some(&holder), Some("Six digits")),
        [
            "Six digits.",
            "`PIN`: optional; `none` where absent. At least 1. Only on macOS 10.8 and later.",
        ]
    );
    assert_eq!(field(&key("PIN"), None, None, None), ["`PIN`: optional."]);
}

#[test]
fn what_does_not_differ_from_the_holder_is_not_said_again() {
    let holder = [
        Support {
            supervised: Some(true),
            ..on("iOS", "11.0")
        },
        on("macOS", "n/a"),
    ];
    let own = [
        Support {
            supervised: Some(true),
            ..on("iOS", "11.0")
        },
        on("macOS", "n/a"),
    ];
    assert!(support::difference(&own, &holder).is_empty());
}

#[test]
fn terms_that_all_systems_share_are_said_once() {
    let holder = [on("iOS", "4.0"), on("tvOS", "9.0")];
    let supervised = |platform| Support {
        supervised: Some(true),
        ..Support::on(platform)
    };
    let both = [supervised("iOS"), supervised("tvOS")];
    assert_eq!(support::difference(&both, &holder), ["Supervised."]);
    assert_eq!(
        support::difference(&both[..1], &holder),
        ["On iOS: supervised."]
    );
}

#[test]
fn deprecation_removal_and_lifted_terms_are_told() {
    let holder = [Support {
        supervised: Some(true),
        ..on("iOS", "4.0")
    }];
    let own = [Support {
        deprecated: Some("16.0".to_owned()),
        removed: Some("27.0".to_owned()),
        supervised: Some(false),
        ..Support::on("iOS")
    }];
    assert_eq!(
        support::difference(&own, &holder),
        [
            "Deprecated in iOS 16.0.",
            "Removed in iOS 27.0.",
            "Also unsupervised."
        ]
    );
    let never = [Support {
        removed: Some("0".to_owned()),
        ..Support::on("iOS")
    }];
    assert_eq!(
        support::difference(&never, &holder),
        ["Removed in every iOS."]
    );
}

#[test]
fn a_shared_ipad_without_any_scope_is_none() {
    let mut document = erase_device();
    document.support = vec![Support {
        shared_ipad: Some(SharedIpad {
            scopes: Some(Vec::new()),
            ..SharedIpad::default()
        }),
        ..on("iOS", "15.0")
    }];
    assert!(self::document(&document, None)[2].contains("| not on Shared iPad |"));
}

#[test]
fn a_required_key_that_some_system_lacks_is_narrowed() {
    let holder = [on("iOS", "4.0"), on("macOS", "n/a")];
    assert!(narrowed(&[on("iOS", "n/a")], &holder));
    assert!(!narrowed(&[on("macOS", "n/a"), on("iOS", "12.0")], &holder));
    assert!(
        narrowed(&[on("macOS", "n/a")], &[]),
        "a document without terms is everywhere"
    );
}

#[test]
fn nothing_below_what_is_not_there_is_there() {
    let inherited = inherited(&[on("iOS", "12.0")], &[on("iOS", "n/a")]);
    assert_eq!(inherited[0].introduced.as_deref(), Some("n/a"));
}

#[test]
fn a_title_that_only_repeats_the_name_is_left_out() {
    let titled = |title: &str| Key {
        title: title.to_owned(),
        ..key("HostName")
    };
    for title in ["HostName", "Host name", "A Host Name."] {
        assert_eq!(
            field(&titled(title), None, None, None),
            ["`HostName`: optional."]
        );
    }
    assert_eq!(
        field(&titled("The server"), None, None, None)[0],
        "The server."
    );
}

#[test]
fn markup_in_titles_and_backticks_in_values_are_text() {
    let titled = Key {
        title: "Use <a> [b] c_d".to_owned(),
        ..key("Key")
    };
    assert_eq!(
        field(&titled, None, None, None)[0],
        "Use \\<a\\> \\[b\\] c\\_d."
    );
    assert_eq!(code("a`b"), "``a`b``");
    assert_eq!(value("x", "", &[], None), ["`x`."]);
}

#[test]
fn comments_are_wrapped_outside_of_code_and_links() {
    let word = "word ".repeat(19);
    let text = format!("{word}`some code` [a link](https://example.com)");
    let comment = comment(&[text, "| a | b |".to_owned()], 0);
    assert!(comment.lines().all(|line| line.len() <= 100), "{comment}");
    assert!(
        comment.contains("/// `some code` [a link](https://example.com)\n///\n/// | a | b |\n")
    );
}
