//! What is different between two profiles, by what they mean: the order of keys is nothing, a secret
//! is never shown.

mod order;
mod pair;
mod walk;

use std::fmt;

use mdm_plist::{Dictionary, Value};
use mdm_schema::{path, payload};
use serde::Serialize;

pub use self::pair::Matched;
pub use crate::shown::Shown;
use crate::{payload::RawPayload, profile::Profile, shown::Known};

/// What has changed from one profile to another.
///
/// ```
/// use mdm_plist::Value;
/// use mdm_profiles::{Namespace, ProfileBuilder, diff, payload::CertificateRoot};
///
/// let mut old = ProfileBuilder::new("com.example.office", Namespace::new("mdm.example.com"));
/// old.add("root", &CertificateRoot::new(*b"0\0"))?;
/// let mut new = old.clone().with(|profile| profile.display_name = Some("Office".into()));
/// new.add_keys("agent", "com.example.agent", [("Level", Value::from(3))].into_iter().collect())?;
///
/// let diff = diff(&old.build()?, &new.build()?);
/// let agent = &diff.payloads[0];
/// assert_eq!(agent.identifier.as_deref(), Some("com.example.office.agent"));
/// assert!(agent.is_added());
/// assert!(diff.to_string().contains("+ PayloadDisplayName: \"Office\""));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Diff {
    /// What has changed at the top level, the payloads left aside.
    pub changes: Vec<Change>,
    /// The payloads that are not what and where they were.
    pub payloads: Vec<PayloadDiff>,
}

/// What has changed of one payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PayloadDiff {
    /// `PayloadType`; empty where there is none.
    pub payload_type: String,
    /// `PayloadIdentifier`: the new one, the old one of a payload that is gone.
    pub identifier: Option<String>,
    /// The place among the old payloads; `None` for a new payload.
    pub old: Option<usize>,
    /// The place among the new payloads; `None` for one that is gone.
    pub new: Option<usize>,
    /// What told that the two are one; `None` where there is only one.
    pub matched: Option<Matched>,
    /// Whether it stands elsewhere among the payloads that both profiles have.
    pub moved: bool,
    /// What has changed; for a payload that came or went, nothing.
    pub changes: Vec<Change>,
}

/// One key, or one element of an array, that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Change {
    /// Where, in the new profile, or in the old one for what is gone: `PayloadContent[0].SSID_STR`.
    pub path: String,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened to a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum What {
    /// It came.
    Added {
        /// The value.
        new: Shown,
    },
    /// It went.
    Removed {
        /// The value.
        old: Shown,
    },
    /// It is another one.
    Changed {
        /// What it was.
        old: Shown,
        /// What it is.
        new: Shown,
    },
    /// It is the same in another place.
    Moved {
        /// Where it was, in the old profile.
        from: String,
    },
    /// It refers to the same payload as before, which has another UUID.
    Followed {
        /// The UUID that the payload had.
        old: Shown,
        /// The UUID that it has.
        new: Shown,
    },
}

/// Compares two profiles.
///
/// Payloads are the same where they have the same `PayloadIdentifier`, else the same `PayloadUUID`,
/// else the same type and keys.
pub fn diff(old: &Profile, new: &Profile) -> Diff {
    let pairs = pair::pair(old, new);
    let renamed = pairs.iter().filter_map(|pair| pair.renamed());
    let mut walk = walk::Walk::new(renamed);

    let top_level = Known::new(payload::TOP_LEVEL.keys);
    let [old_keys, new_keys] = [old, new].map(without_payloads);
    walk.dictionary(["", ""], top_level, &old_keys, &new_keys);
    let mut diff = Diff {
        changes: walk.finish(),
        payloads: Vec::new(),
    };
    for pair in &pairs {
        let one = pair.new.or(pair.old).map(|(_, payload)| payload);
        let Some(one) = one else { continue };
        if let (Some((old_place, old)), Some((new_place, new))) = (pair.old, pair.new) {
            let known = Known::new(new.schema().or(old.schema()).map_or(&[], |s| s.keys));
            let places = [old_place, new_place].map(|place| path::index("PayloadContent", place));
            let [old_at, new_at] = &places;
            walk.dictionary([old_at, new_at], known, old.keys(), new.keys());
        }
        let found = PayloadDiff {
            payload_type: one.payload_type().unwrap_or_default().to_owned(),
            identifier: one.identifier().map(str::to_owned),
            old: pair.old.map(|(place, _)| place),
            new: pair.new.map(|(place, _)| place),
            matched: pair.matched,
            moved: pair.moved,
            changes: walk.finish(),
        };
        if found.matched.is_none() || found.moved || !found.changes.is_empty() {
            diff.payloads.push(found);
        }
    }
    diff
}

/// The keys at the top level, and of `PayloadContent` what is no payload.
fn without_payloads(profile: &Profile) -> Dictionary {
    let mut keys = profile.keys().clone();
    if let Some(Value::Array(values)) = keys.get_mut("PayloadContent") {
        values.retain(|value| value.as_dictionary().is_none());
    }
    keys
}

impl Diff {
    /// Whether the profiles say the same.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.payloads.is_empty()
    }
}

impl PayloadDiff {
    /// Whether only the new profile has it.
    pub fn is_added(&self) -> bool {
        self.old.is_none()
    }

    /// Whether only the old profile has it.
    pub fn is_removed(&self) -> bool {
        self.new.is_none()
    }
}

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for change in &self.changes {
            writeln!(f, "{change}")?;
        }
        for payload in &self.payloads {
            writeln!(f, "{payload}")?;
            for change in &payload.changes {
                writeln!(f, "  {change}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for PayloadDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match (self.old, self.new) {
            (None, _) => '+',
            (_, None) => '-',
            _ if self.changes.is_empty() => '>',
            _ => '~',
        };
        let identifier = self.identifier.as_deref().unwrap_or("without identifier");
        write!(f, "{sign} {} ({identifier})", self.payload_type)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match &self.what {
            What::Added { new } => write!(f, "+ {path}: {new}"),
            What::Removed { old } => write!(f, "- {path}: {old}"),
            What::Changed { old, new } => write!(f, "~ {path}: {old} -> {new}"),
            What::Moved { from } => write!(f, "> {path}: was {from}"),
            What::Followed { old, new } => write!(f, "= {path}: {old} -> {new}, the same payload"),
        }
    }
}

/// A payload and its place among them all.
type Placed<'a> = (usize, RawPayload<'a>);
