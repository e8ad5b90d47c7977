//! What the tables are made of: a [`Schema`] for each document, a [`Key`] for each of its keys.
//!
//! Everything here is `'static` data without behaviour of its own. What the data means for a device
//! is [`availability`](crate::availability), what it means for a document is
//! [`validate`](crate::validate()).

use std::fmt;

use crate::{
    target::Platform,
    version::{Bound, OsVersion},
};

/// What sort of document a [`Schema`] describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A check-in message, from the device.
    CheckIn,
    /// What the server answers a check-in message with.
    CheckInResponse,
    /// A command, to the device.
    Command,
    /// The result of a command, from the device.
    Response,
    /// A payload of a configuration profile.
    Payload,
    /// A declaration that configures.
    Configuration,
    /// A declaration that configurations refer to.
    Asset,
    /// A declaration about the management itself.
    Management,
    /// A declaration that puts configurations into force.
    Activation,
    /// The JSON document that a credential asset points to.
    Credential,
    /// An item of a status report, from the device.
    StatusItem,
    /// A document of the declarative protocol.
    Protocol,
    /// The body of an HTTP error.
    ErrorBody,
    /// Any other document.
    Document,
}

impl Kind {
    /// Every kind.
    pub const ALL: &[Self] = &[
        Self::CheckIn,
        Self::CheckInResponse,
        Self::Command,
        Self::Response,
        Self::Payload,
        Self::Configuration,
        Self::Asset,
        Self::Management,
        Self::Activation,
        Self::Credential,
        Self::StatusItem,
        Self::Protocol,
        Self::ErrorBody,
        Self::Document,
    ];

    /// Whether a device writes documents of this kind. Their keys are all optional in Rust: devices
    /// leave out what the schema requires.
    pub const fn is_from_device(self) -> bool {
        matches!(self, Self::CheckIn | Self::Response | Self::StatusItem)
    }

    /// Whether documents of this kind are JSON; all others are property lists.
    pub const fn is_json(self) -> bool {
        matches!(
            self,
            Self::Configuration
                | Self::Asset
                | Self::Management
                | Self::Activation
                | Self::Credential
                | Self::StatusItem
                | Self::Protocol
                | Self::ErrorBody
        )
    }

    /// The keys that stand beside those of any document of this kind: known, and for who sends or
    /// receives it to look at.
    pub const fn envelope(self) -> &'static [&'static str] {
        match self {
            Self::Command => &["RequestType", "RequestRequiresNetworkTether"],
            Self::Response => &[
                "Status",
                "CommandUUID",
                "UDID",
                "UserID",
                "UserShortName",
                "UserLongName",
                "EnrollmentID",
                "EnrollmentUserID",
                "RequestType",
                "NotOnConsole",
                "ErrorChain",
            ],
            _ => &[],
        }
    }
}

/// One document of Apple's vocabulary.
#[derive(Debug)]
#[non_exhaustive]
pub struct Schema {
    /// What sort of document.
    pub kind: Kind,
    /// What the document calls itself on the wire: `RequestType`, `PayloadType`, `Type`, the name of
    /// the status item. Some payloads share it; see [`id`](Self::id).
    pub name: &'static str,
    /// Unique within the kind: the name, or where several share it the name with a word in
    /// parentheses, such as `com.apple.MCX(WiFi)`.
    pub id: &'static str,
    /// Where Apple's repository has it, without `.yaml`: `mdm/commands/device.erase`.
    pub file: &'static str,
    /// Apple's title.
    pub title: &'static str,
    /// Apple's page.
    pub page: &'static str,
    /// Which systems take the document, and on what terms. A system that is not listed does not.
    pub support: &'static [Support],
    /// What several declarations of this type come to.
    pub apply: Option<Apply>,
    /// The keys. A status item has one, named like the item.
    pub keys: &'static [Key],
    /// The codes with which a status report may explain itself.
    pub reasons: &'static [Reason],
    /// Status items that tell what became of the declaration.
    pub related_status_items: &'static [&'static str],
}

impl Schema {
    /// A schema with these names and nothing else, for `..Schema::new(...)`.
    pub const fn new(kind: Kind, name: &'static str, title: &'static str) -> Self {
        Self {
            kind,
            name,
            id: name,
            file: "",
            title,
            page: "",
            support: &[],
            apply: None,
            keys: &[],
            reasons: &[],
            related_status_items: &[],
        }
    }
}

/// One key of a document, or the element of an array.
#[derive(Debug)]
#[non_exhaustive]
pub struct Key {
    /// The key on the wire; for an element a name that never goes there.
    pub name: &'static str,
    /// Whether any key may stand here; [`name`](Self::name) then only describes it.
    pub wildcard: bool,
    /// Apple's title; empty where there is none.
    pub title: &'static str,
    /// The type of the value.
    pub value: ValueType,
    /// What the text means, where the schema says.
    pub text: Option<TextType>,
    /// Whether the key has to be there.
    pub required: bool,
    /// What the device assumes where the key is absent.
    pub default: Option<Literal>,
    /// The values that are allowed; empty for any.
    pub allowed: &'static [Choice],
    /// Whether the schema lists the [`allowed`](Self::allowed) values as keys below a text, and counts
    /// them as such.
    pub allowed_are_keys: bool,
    /// The bounds of a number, both inclusive.
    pub range: Option<Range>,
    /// The regular expression that a text has to match.
    pub format: Option<&'static str>,
    /// How many times an element may occur in its array.
    pub repetition: Option<Repetition>,
    /// How the values of several declarations are combined into one.
    pub combine: Option<Combine>,
    /// The types of the asset that a reference may lead to; empty for any.
    pub asset_types: &'static [&'static str],
    /// The media types that the asset's data may have; empty for any.
    pub asset_content_types: &'static [&'static str],
    /// Where this key differs from what holds it; each field that is set overrides.
    pub support: &'static [Support],
    /// What Apple calls the structure below; not unique.
    pub structure: &'static str,
    /// A dictionary's keys; an array's one element, or its alternatives, told apart by `Item`. May
    /// lead back to itself.
    pub keys: &'static [Key],
    /// Whether the value is a secret, and never shown.
    pub secret: bool,
    /// Whether Apple's list lacks the key, which is not counted then: what Apple says of the
    /// dictionary refers to another list for it, or leaves it to another vendor.
    pub added: bool,
}

impl Key {
    /// An optional key of this type and nothing else, for `..Key::new(...)`.
    pub const fn new(name: &'static str, value: ValueType) -> Self {
        Self {
            name,
            wildcard: false,
            title: "",
            value,
            text: None,
            required: false,
            default: None,
            allowed: &[],
            allowed_are_keys: false,
            range: None,
            format: None,
            repetition: None,
            combine: None,
            asset_types: &[],
            asset_content_types: &[],
            support: &[],
            structure: "",
            keys: &[],
            secret: false,
            added: false,
        }
    }
}

/// The type of a value on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ValueType {
    /// A text.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Real,
    /// True or false.
    Boolean,
    /// A date; text in JSON.
    Date,
    /// Bytes; base64 text in JSON.
    Data,
    /// An array.
    Array,
    /// A dictionary.
    Dictionary,
    /// Anything.
    Any,
}

/// What a text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TextType {
    /// A URL.
    Url,
    /// A host name.
    Hostname,
    /// An e-mail address.
    Email,
}

/// A value that the schema writes down.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Literal {
    /// A text.
    String(&'static str),
    /// A whole number.
    Integer(i64),
    /// A number.
    Real(f64),
    /// True or false.
    Boolean(bool),
}

impl fmt::Display for Literal {
    /// Texts in quotation marks.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String(text) => write!(f, "{text:?}"),
            Self::Integer(number) => number.fmt(f),
            Self::Real(number) => number.fmt(f),
            Self::Boolean(boolean) => boolean.fmt(f),
        }
    }
}

/// One of the values that a key allows.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Choice {
    /// The value.
    pub value: Literal,
    /// Where the value differs from its key; queries have an availability of their own.
    pub support: &'static [Support],
}

impl Choice {
    /// A value that is available wherever its key is.
    pub const fn new(value: Literal) -> Self {
        Self {
            value,
            support: &[],
        }
    }

    /// A text that is available wherever its key is.
    pub const fn text(value: &'static str) -> Self {
        Self::new(Literal::String(value))
    }

    /// A whole number that is available wherever its key is.
    pub const fn integer(value: i64) -> Self {
        Self::new(Literal::Integer(value))
    }
}

/// The bounds of a number, both inclusive.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Range {
    /// The least value.
    pub min: Option<f64>,
    /// The greatest value.
    pub max: Option<f64>,
}

impl Range {
    /// Bounds.
    pub const fn new(min: Option<f64>, max: Option<f64>) -> Self {
        Self { min, max }
    }
}

/// How many times an element may occur.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Repetition {
    /// At least.
    pub min: usize,
    /// At most.
    pub max: usize,
}

impl Repetition {
    /// Bounds.
    pub const fn new(min: usize, max: usize) -> Self {
        Self { min, max }
    }
}

/// What several declarations of one type come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Apply {
    /// One of them applies.
    Single,
    /// Each applies.
    Multiple,
    /// All are combined into one, key by key.
    Combined,
}

/// How the values of several declarations are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Combine {
    /// True where one is.
    BooleanOr,
    /// True where all are.
    BooleanAnd,
    /// The smallest.
    NumberMin,
    /// The largest.
    NumberMax,
    /// The one that stands first among the allowed values.
    EnumFirst,
    /// The one that stands last among the allowed values.
    EnumLast,
    /// The first that is processed.
    First,
    /// One array after the other.
    ArrayAppend,
    /// What is in any array, once.
    SetUnion,
    /// What is in every array, once.
    SetIntersection,
}

/// A code with which a status report may explain itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reason {
    /// The code.
    pub code: &'static str,
    /// The keys of `Details`, each with its type.
    pub details: &'static [(&'static str, ValueType)],
}

impl Reason {
    /// A code and the keys of its details.
    pub const fn new(code: &'static str, details: &'static [(&'static str, ValueType)]) -> Self {
        Self { code, details }
    }
}

/// On what terms one system takes a document, a key or a value.
///
/// A field that is `None` says nothing: a key takes it over from what holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Support {
    /// The system.
    pub platform: Platform,
    /// The first version that knows it.
    pub introduced: Option<Bound>,
    /// The first version that advises against it.
    pub deprecated: Option<Bound>,
    /// The first version that no longer knows it.
    pub removed: Option<Bound>,
    /// The access right that the enrolment needs, by Apple's name; `None`, `n/a` and `Special Case`
    /// are names too.
    pub access_rights: Option<&'static str>,
    /// Whether several of it may be installed.
    pub multiple: Option<bool>,
    /// Whether it may come through the device channel.
    pub device_channel: Option<bool>,
    /// Whether it may come through a user channel.
    pub user_channel: Option<bool>,
    /// Whether the device has to be supervised.
    pub supervised: Option<bool>,
    /// Whether the device has to be enrolled automatically.
    pub requires_dep: Option<bool>,
    /// Whether the user has to have approved the enrolment.
    pub user_approved: Option<bool>,
    /// Whether a person may install it by hand.
    pub manual_install: Option<bool>,
    /// The ways of enrolment that allow it.
    pub enrollments: Option<&'static [AllowedEnrollment]>,
    /// The scopes that allow it.
    pub scopes: Option<&'static [AllowedScope]>,
    /// What holds on a Shared iPad.
    pub shared_ipad: Option<SharedIpad>,
    /// What holds in user enrolment.
    pub user_enrollment: Option<Mode>,
    /// Whether Setup Assistant always skips the pane.
    pub always_skippable: Option<bool>,
    /// Whether it may still change.
    pub beta: Option<bool>,
}

impl Support {
    /// Says nothing about this system yet, for `..Support::on(...)`.
    pub const fn on(platform: Platform) -> Self {
        Self {
            platform,
            introduced: None,
            deprecated: None,
            removed: None,
            access_rights: None,
            multiple: None,
            device_channel: None,
            user_channel: None,
            supervised: None,
            requires_dep: None,
            user_approved: None,
            manual_install: None,
            enrollments: None,
            scopes: None,
            shared_ipad: None,
            user_enrollment: None,
            always_skippable: None,
            beta: None,
        }
    }

    /// On this system from a version on.
    pub const fn since(platform: Platform, version: OsVersion) -> Self {
        Self {
            introduced: Some(Bound::From(version)),
            ..Self::on(platform)
        }
    }

    /// Not on this system.
    pub const fn never(platform: Platform) -> Self {
        Self {
            introduced: Some(Bound::Never),
            ..Self::on(platform)
        }
    }
}

/// `allowed-enrollments`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AllowedEnrollment {
    /// A supervised device, however it is enrolled.
    Supervised,
    /// Device enrolment.
    Device,
    /// User enrolment.
    User,
    /// No server: installed by hand.
    Local,
}

/// `allowed-scopes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AllowedScope {
    /// The device.
    System,
    /// A user.
    User,
    /// Without a server.
    Local,
}

/// Whether something may be used where a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mode {
    /// With or without it.
    Allowed,
    /// Only where it holds.
    Required,
    /// Only where it does not hold.
    Forbidden,
    /// May be there, and has no effect where it holds.
    Ignored,
}

/// `sharedipad`: what holds on a Shared iPad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SharedIpad {
    /// Whether it may be used there.
    pub mode: Option<Mode>,
    /// Whether it may come through the device channel there.
    pub device_channel: Option<bool>,
    /// Whether it may come through a user channel there.
    pub user_channel: Option<bool>,
    /// The scopes that allow it there.
    pub scopes: Option<&'static [AllowedScope]>,
}

impl SharedIpad {
    /// Says nothing yet, for `..SharedIpad::NONE`.
    pub const NONE: Self = Self {
        mode: None,
        device_channel: None,
        user_channel: None,
        scopes: None,
    };
}
