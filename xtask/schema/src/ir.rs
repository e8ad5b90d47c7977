//! Apple's schema after the traps: what the emitters write from.
//!
//! Lists of keys that the YAML shares by an alias are one [`List`] here, also where a list leads back
//! to itself.

use std::collections::BTreeSet;
use std::ops::Index;

/// A checkout of the schema, with the overlay's corrections.
#[derive(Debug, Default)]
pub(crate) struct Schema {
    /// Sorted by kind and id.
    pub(crate) documents: Vec<Document>,
    pub(crate) keys: Vec<Key>,
    pub(crate) lists: Vec<List>,
}

impl Index<KeyId> for Schema {
    type Output = Key;

    fn index(&self, id: KeyId) -> &Key {
        &self.keys[id.0]
    }
}

impl Index<ListId> for Schema {
    type Output = [KeyId];

    fn index(&self, id: ListId) -> &[KeyId] {
        &self.lists[id.0].keys
    }
}

impl Schema {
    /// The keys that a list has of its own, without those that the overlay added.
    pub(crate) fn own(&self, list: ListId) -> &[KeyId] {
        let List { keys, added } = &self.lists[list.0];
        &keys[..keys.len() - added]
    }

    /// Whether a list may have any key beside those that it names.
    pub(crate) fn is_open(&self, list: ListId) -> bool {
        let added = &self[list][self.own(list).len()..];
        added.iter().any(|id| self[*id].wildcard)
    }

    /// The lists of a document: its own keys, and what lies below them.
    pub(crate) fn lists_of(&self, document: &Document) -> BTreeSet<ListId> {
        let mut lists = BTreeSet::new();
        let mut next = vec![document.keys];
        while let Some(list) = next.pop() {
            if lists.insert(list) {
                next.extend(self.own(list).iter().filter_map(|id| self[*id].keys));
            }
        }
        lists
    }

    /// The keys of a document at any depth, without those that the overlay added.
    pub(crate) fn own_keys(&self, document: &Document) -> BTreeSet<KeyId> {
        let lists = self.lists_of(document).into_iter();
        lists.flat_map(|list| self.own(list)).copied().collect()
    }

    /// The keys that a document's lists have from another document.
    pub(crate) fn borrowed(&self, document: &Document) -> BTreeSet<KeyId> {
        let own = self.own_keys(document);
        let lists = self.lists_of(document).into_iter();
        let keys = lists.flat_map(|list| &self[list]).copied();
        keys.filter(|id| !own.contains(id) && !self[*id].wildcard)
            .collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct KeyId(pub(crate) usize);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ListId(pub(crate) usize);

#[derive(Debug, Clone, Default)]
pub(crate) struct List {
    pub(crate) keys: Vec<KeyId>,
    /// How many of the keys, the last, the overlay added.
    pub(crate) added: usize,
}

/// As `mdm_schema::Kind`, in the same order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    CheckIn,
    CheckInResponse,
    Command,
    Response,
    Payload,
    Configuration,
    Asset,
    Management,
    Activation,
    Credential,
    StatusItem,
    Protocol,
    ErrorBody,
    Document,
}

impl Kind {
    pub(crate) const ALL: [Self; 14] = [
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

    /// The module and folder of its tables: `check_in`.
    pub(crate) fn module(self) -> &'static str {
        match self {
            Self::CheckIn => "check_in",
            Self::CheckInResponse => "check_in_response",
            Self::Command => "command",
            Self::Response => "response",
            Self::Payload => "payload",
            Self::Configuration => "configuration",
            Self::Asset => "asset",
            Self::Management => "management",
            Self::Activation => "activation",
            Self::Credential => "credential",
            Self::StatusItem => "status_item",
            Self::Protocol => "protocol",
            Self::ErrorBody => "error_body",
            Self::Document => "document",
        }
    }

    /// Whether it is what the other side answers: its keys are the file's `responsekeys`.
    pub(crate) fn is_answer(self) -> bool {
        matches!(self, Self::CheckInResponse | Self::Response)
    }
}

#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) kind: Kind,
    /// Below the checkout, without `.yaml`: `mdm/commands/device.erase`.
    pub(crate) file: String,
    /// On the wire. For the five errors their `code`; for documents without a type their title.
    pub(crate) name: String,
    /// Unique within the kind.
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) page: String,
    pub(crate) support: Vec<Support>,
    /// `single`, `multiple`, `combined`.
    pub(crate) apply: Option<String>,
    pub(crate) keys: ListId,
    pub(crate) reasons: Vec<Reason>,
    pub(crate) related_status_items: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Reason {
    pub(crate) code: String,
    /// Key and type.
    pub(crate) details: Vec<(String, ValueType)>,
}

#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) name: String,
    /// `ANY`, `ANY app identifier`, `Category Name`, ...
    pub(crate) wildcard: bool,
    /// Apple's title, or empty.
    pub(crate) title: String,
    pub(crate) value: ValueType,
    /// `url`, `hostname`, `email`.
    pub(crate) text: Option<String>,
    pub(crate) required: bool,
    pub(crate) default: Option<Literal>,
    /// `rangelist`, or the subkeys of a string that has some.
    pub(crate) allowed: Vec<Choice>,
    /// Whether `allowed` stems from subkeys, which count as keys.
    pub(crate) allowed_are_keys: bool,
    pub(crate) range: Option<(Option<f64>, Option<f64>)>,
    pub(crate) format: Option<String>,
    pub(crate) repetition: Option<(usize, usize)>,
    pub(crate) combine: Option<String>,
    pub(crate) asset_types: Vec<String>,
    pub(crate) asset_content_types: Vec<String>,
    pub(crate) support: Vec<Support>,
    /// `subkeytype`, or empty.
    pub(crate) structure: String,
    pub(crate) keys: Option<ListId>,
    pub(crate) secret: bool,
}

impl Key {
    /// An optional key of this type and nothing else.
    pub(crate) fn new(name: &str, value: ValueType) -> Self {
        Self {
            name: name.to_owned(),
            wildcard: false,
            title: String::new(),
            value,
            text: None,
            required: false,
            default: None,
            allowed: Vec::new(),
            allowed_are_keys: false,
            range: None,
            format: None,
            repetition: None,
            combine: None,
            asset_types: Vec::new(),
            asset_content_types: Vec::new(),
            support: Vec::new(),
            structure: String::new(),
            keys: None,
            secret: false,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ValueType {
    String,
    Integer,
    Real,
    Boolean,
    Date,
    Data,
    Array,
    Dictionary,
    Any,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    String(String),
    Integer(i64),
    Real(f64),
    Boolean(bool),
}

#[derive(Debug, Clone)]
pub(crate) struct Choice {
    pub(crate) value: Literal,
    /// Apple's title of the value, or empty.
    pub(crate) title: String,
    pub(crate) support: Vec<Support>,
}

/// One system's block under `supportedOS`; a field that is absent there is `None`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Support {
    /// As Apple writes it: `iOS`.
    pub(crate) platform: String,
    /// As Apple writes them: `11.0`, `n/a`, `all`, `0`.
    pub(crate) introduced: Option<String>,
    pub(crate) deprecated: Option<String>,
    pub(crate) removed: Option<String>,
    pub(crate) access_rights: Option<String>,
    pub(crate) multiple: Option<bool>,
    pub(crate) device_channel: Option<bool>,
    pub(crate) user_channel: Option<bool>,
    pub(crate) supervised: Option<bool>,
    pub(crate) requires_dep: Option<bool>,
    pub(crate) user_approved: Option<bool>,
    pub(crate) manual_install: Option<bool>,
    pub(crate) enrollments: Option<Vec<String>>,
    pub(crate) scopes: Option<Vec<String>>,
    pub(crate) shared_ipad: Option<SharedIpad>,
    /// `userenrollment.mode`.
    pub(crate) user_enrollment: Option<String>,
    pub(crate) always_skippable: Option<bool>,
    pub(crate) beta: Option<bool>,
}

impl Support {
    /// A block that says nothing.
    pub(crate) fn on(platform: &str) -> Self {
        Self {
            platform: platform.to_owned(),
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
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct SharedIpad {
    pub(crate) mode: Option<String>,
    pub(crate) device_channel: Option<bool>,
    pub(crate) user_channel: Option<bool>,
    pub(crate) scopes: Option<Vec<String>>,
}
