//! Hand-written schemas for the tests of this crate: each thing that Apple's files hold, once.

use crate::{
    model::*,
    target::Platform::{Ios, MacOs, TvOs},
    version::{Bound, OsVersion},
};

const fn from(major: u16, minor: u16) -> Option<Bound> {
    Some(Bound::From(OsVersion::new(major, minor, 0)))
}

/// A command with a key of each sort.
pub(crate) static COMMAND: Schema = Schema {
    support: &[
        Support {
            introduced: from(16, 0),
            access_rights: Some("AllowSettings"),
            ..Support::on(Ios)
        },
        Support {
            introduced: from(13, 0),
            user_enrollment: Some(Mode::Forbidden),
            ..Support::on(MacOs)
        },
        Support::never(TvOs),
    ],
    keys: &[
        Key {
            required: true,
            ..Key::new("Name", ValueType::String)
        },
        Key {
            allowed: &[
                Choice::text("Fast"),
                Choice::text("Slow"),
                Choice {
                    support: &[Support {
                        introduced: from(18, 0),
                        supervised: Some(true),
                        ..Support::on(Ios)
                    }],
                    ..Choice::text("Silent")
                },
            ],
            ..Key::new("Mode", ValueType::String)
        },
        Key {
            range: Some(Range::new(Some(1.0), Some(10.0))),
            ..Key::new("Count", ValueType::Integer)
        },
        Key {
            allowed: &[
                Choice::new(Literal::Real(0.0)),
                Choice::new(Literal::Real(1.5)),
            ],
            ..Key::new("Ratio", ValueType::Real)
        },
        Key {
            format: Some("^([0-9A-Fa-f]{2}:){5}([0-9A-Fa-f]{2})$"),
            ..Key::new("Address", ValueType::String)
        },
        Key {
            text: Some(TextType::Url),
            ..Key::new("Link", ValueType::String)
        },
        Key {
            secret: true,
            allowed: &[Choice::text("0000")],
            ..Key::new("Pin", ValueType::String)
        },
        Key::new("Quietly", ValueType::Boolean),
        Key::new("When", ValueType::Date),
        Key::new("Blob", ValueType::Data),
        Key::new("Anything", ValueType::Any),
        Key::new("Free", ValueType::Dictionary),
        Key {
            keys: &[Key {
                repetition: Some(Repetition::new(2, 2)),
                ..Key::new("PairItem", ValueType::String)
            }],
            ..Key::new("Pair", ValueType::Array)
        },
        Key {
            keys: &[
                Key {
                    keys: &[
                        Key {
                            required: true,
                            ..Key::new("Item", ValueType::String)
                        },
                        Key {
                            required: true,
                            ..Key::new("Enabled", ValueType::Boolean)
                        },
                    ],
                    ..Key::new("Roaming", ValueType::Dictionary)
                },
                Key {
                    support: &[Support {
                        supervised: Some(true),
                        ..Support::on(Ios)
                    }],
                    keys: &[Key::new("Text", ValueType::String)],
                    ..Key::new("Banner", ValueType::Dictionary)
                },
            ],
            ..Key::new("Settings", ValueType::Array)
        },
        Key {
            keys: &[Key {
                wildcard: true,
                keys: &[Key {
                    required: true,
                    ..Key::new("Version", ValueType::Integer)
                }],
                ..Key::new("ANY app", ValueType::Dictionary)
            }],
            ..Key::new("Apps", ValueType::Dictionary)
        },
        Key {
            keys: &FOLDER,
            ..Key::new("Folder", ValueType::Dictionary)
        },
        Key {
            required: true,
            support: &[Support::never(Ios)],
            ..Key::new("MacOnly", ValueType::String)
        },
        Key {
            support: &[Support {
                supervised: Some(true),
                user_enrollment: Some(Mode::Ignored),
                deprecated: from(17, 0),
                removed: from(26, 0),
                ..Support::on(Ios)
            }],
            keys: &[Key {
                support: &[Support {
                    introduced: from(16, 2),
                    supervised: Some(true),
                    ..Support::on(Ios)
                }],
                ..Key::new("Inner", ValueType::Boolean)
            }],
            ..Key::new("Old", ValueType::Dictionary)
        },
    ],
    ..Schema::new(Kind::Command, "DoTest", "Do a test")
};

static FOLDER: [Key; 2] = [
    Key::new("Title", ValueType::String),
    Key {
        keys: &FOLDER,
        ..Key::new("Folder", ValueType::Dictionary)
    },
];

/// A declaration on terms of its own: scopes, enrolments, a Shared iPad.
pub(crate) static COMBINED: Schema = Schema {
    support: &[
        Support {
            introduced: Some(Bound::Always),
            enrollments: Some(&[AllowedEnrollment::Supervised, AllowedEnrollment::Local]),
            scopes: Some(&[AllowedScope::System]),
            shared_ipad: Some(SharedIpad {
                scopes: Some(&[AllowedScope::User]),
                ..SharedIpad::NONE
            }),
            ..Support::on(Ios)
        },
        Support {
            introduced: from(13, 0),
            enrollments: Some(&[AllowedEnrollment::Device]),
            requires_dep: Some(true),
            ..Support::on(MacOs)
        },
    ],
    apply: Some(Apply::Combined),
    keys: &[
        Key {
            combine: Some(Combine::BooleanOr),
            ..Key::new("Force", ValueType::Boolean)
        },
        Key {
            combine: Some(Combine::First),
            ..Key::new("Page", ValueType::String)
        },
        Key {
            keys: &[Key::new("Regex", ValueType::String)],
            ..Key::new("Custom", ValueType::Dictionary)
        },
        Key::new("Stamp", ValueType::Date),
        Key {
            support: &[Support {
                shared_ipad: Some(SharedIpad {
                    scopes: Some(&[]),
                    ..SharedIpad::NONE
                }),
                ..Support::on(Ios)
            }],
            ..Key::new("Siri", ValueType::Boolean)
        },
    ],
    ..Schema::new(Kind::Configuration, "com.example.combined", "Combined")
};

/// A declaration of which one applies.
pub(crate) static SINGLE: Schema = Schema {
    apply: Some(Apply::Single),
    ..Schema::new(Kind::Configuration, "com.example.single", "Single")
};

/// A payload that may be installed once on iOS.
pub(crate) static PAYLOAD: Schema = Schema {
    support: &[
        Support {
            introduced: from(4, 0),
            multiple: Some(false),
            manual_install: Some(false),
            user_approved: Some(true),
            device_channel: Some(true),
            user_channel: Some(false),
            shared_ipad: Some(SharedIpad {
                mode: Some(Mode::Allowed),
                device_channel: Some(false),
                user_channel: Some(true),
                scopes: None,
            }),
            ..Support::on(Ios)
        },
        Support {
            multiple: Some(true),
            ..Support::on(MacOs)
        },
    ],
    keys: &[
        Key {
            support: &[Support {
                user_enrollment: Some(Mode::Required),
                ..Support::on(Ios)
            }],
            ..Key::new("OwnDevice", ValueType::Boolean)
        },
        Key {
            support: &[Support {
                shared_ipad: Some(SharedIpad {
                    mode: Some(Mode::Required),
                    ..SharedIpad::NONE
                }),
                ..Support::on(Ios)
            }],
            ..Key::new("Classroom", ValueType::Boolean)
        },
        Key {
            support: &[Support {
                shared_ipad: Some(SharedIpad {
                    mode: Some(Mode::Ignored),
                    ..SharedIpad::NONE
                }),
                ..Support::on(Ios)
            }],
            ..Key::new("Footnote", ValueType::String)
        },
    ],
    ..Schema::new(Kind::Payload, "com.example.payload", "Payload")
};

/// A status item whose entries can be taken back.
pub(crate) static STATUS: Schema = Schema {
    keys: &[Key {
        required: true,
        keys: &[Key {
            keys: &[
                Key {
                    required: true,
                    ..Key::new("identifier", ValueType::String)
                },
                Key::new("_removed", ValueType::Boolean),
                Key {
                    required: true,
                    ..Key::new("state", ValueType::String)
                },
            ],
            ..Key::new("ListItem", ValueType::Dictionary)
        }],
        ..Key::new("test.list", ValueType::Array)
    }],
    ..Schema::new(Kind::StatusItem, "test.list", "List")
};
