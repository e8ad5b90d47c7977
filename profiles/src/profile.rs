//! A configuration profile, nothing lost: typed views over the dictionary it was read from.

mod check;

use std::fmt;

use chrono::{DateTime, Utc};
use mdm_plist::{Dictionary, Limits, Value};
use mdm_schema::{Finding, Log, Place, Rule, Severity, Target};

use crate::{
    detect::{Packing, locate},
    error::Error,
    payload::{Payload, RawPayload},
};

pub use crate::payload::top_level::PayloadScope as Scope;

/// A configuration profile.
///
/// Reading and writing keeps every key, known or not, and their order. `Debug` shows the names of
/// the keys only: profiles hold passwords.
#[derive(Clone, PartialEq)]
pub struct Profile {
    keys: Dictionary,
    wrapper: Option<String>,
}

impl Profile {
    /// The keys of every profile that Apple has defined at the top level.
    pub const KEYS: &[&str] = &[
        "ConsentText",
        "DurationUntilRemoval",
        "EncryptedPayloadContent",
        "HasRemovalPasscode",
        "IsEncrypted",
        "PayloadContent",
        "PayloadDescription",
        "PayloadDisplayName",
        "PayloadExpirationDate",
        "PayloadIdentifier",
        "PayloadOrganization",
        "PayloadRemovalDisallowed",
        "PayloadScope",
        "PayloadType",
        "PayloadUUID",
        "PayloadVersion",
        "RemovalDate",
        "TargetDeviceType",
    ];

    /// Decodes a plain profile, XML or binary, within the default [`Limits`].
    ///
    /// # Errors
    /// [`Error::Packed`] for a signed or encrypted one, which `verify::open` reads;
    /// [`Error::Plist`] for what is no property list, [`Error::NotAProfile`] for any other one.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        Self::decode_with(bytes, &Limits::default())
    }

    /// Decodes a plain profile within limits of the caller's choice.
    ///
    /// # Errors
    /// See [`decode`](Self::decode).
    pub fn decode_with(bytes: &[u8], limits: &Limits) -> Result<Self, Error> {
        let bytes = match locate(bytes) {
            Some((Packing::Cms | Packing::Pem, _)) => return Err(Error::Packed),
            Some((_, found)) => found,
            None => bytes,
        };
        let document = mdm_plist::from_slice_with(bytes, limits)?;
        Self::from_dictionary(document).map(|(profile, _)| profile)
    }

    /// Makes a profile out of a document, and says what is odd about the document's shape.
    ///
    /// A profile that lies under a single key of another dictionary, as in one of Apple's examples,
    /// is read with a finding; [`to_dictionary`](Self::to_dictionary) puts it back there.
    ///
    /// # Errors
    /// [`Error::NotAProfile`] for a dictionary without any of the keys that make a profile.
    pub fn from_dictionary(mut document: Dictionary) -> Result<(Self, Vec<Finding>), Error> {
        if is_profile(&document) {
            let profile = Self {
                keys: document,
                wrapper: None,
            };
            return Ok((profile, Vec::new()));
        }
        let mut keys = document.keys();
        if let (Some(key), None) = (keys.next().cloned(), keys.next())
            && let Some(Value::Dictionary(keys)) = document.remove(&key)
            && is_profile(&keys)
        {
            let finding = Finding::new(
                key.as_str(),
                Rule::Misplaced,
                Severity::Error,
                "holds the profile, which belongs at the top level",
            );
            let profile = Self {
                keys,
                wrapper: Some(key),
            };
            return Ok((profile, vec![finding]));
        }
        Err(Error::NotAProfile)
    }

    /// Every key at the top level.
    pub fn keys(&self) -> &Dictionary {
        &self.keys
    }

    /// Every key at the top level, to change.
    pub fn keys_mut(&mut self) -> &mut Dictionary {
        &mut self.keys
    }

    /// `PayloadIdentifier`: decides whether the device replaces a profile or adds one.
    pub fn identifier(&self) -> Option<&str> {
        self.text("PayloadIdentifier")
    }

    /// `PayloadUUID`.
    pub fn uuid(&self) -> Option<&str> {
        self.text("PayloadUUID")
    }

    /// `PayloadType`: `Configuration`, or `Profile Service` in over-the-air enrolment.
    pub fn payload_type(&self) -> Option<&str> {
        self.text("PayloadType")
    }

    /// `PayloadVersion`: 1.
    pub fn version(&self) -> Option<i64> {
        self.keys
            .get("PayloadVersion")
            .and_then(Value::as_signed_integer)
    }

    /// `PayloadDisplayName`.
    pub fn display_name(&self) -> Option<&str> {
        self.text("PayloadDisplayName")
    }

    /// `PayloadDescription`.
    pub fn description(&self) -> Option<&str> {
        self.text("PayloadDescription")
    }

    /// `PayloadOrganization`.
    pub fn organization(&self) -> Option<&str> {
        self.text("PayloadOrganization")
    }

    /// `PayloadScope`.
    pub fn scope(&self) -> Option<Scope> {
        self.text("PayloadScope").map(Scope::from)
    }

    /// `PayloadRemovalDisallowed`; where absent, the user may remove the profile.
    pub fn removal_disallowed(&self) -> bool {
        self.flag("PayloadRemovalDisallowed")
    }

    /// `RemovalDate`: when the device removes the profile.
    pub fn removal_date(&self) -> Option<DateTime<Utc>> {
        let date = self.keys.get("RemovalDate")?.as_date()?;
        Some(mdm_plist::date::to_chrono(date))
    }

    /// Whether the payloads are encrypted to a device and cannot be seen.
    pub fn is_encrypted(&self) -> bool {
        self.flag("IsEncrypted") || self.keys.contains_key("EncryptedPayloadContent")
    }

    /// The payloads, in order; none where they are encrypted, and none in a `Profile Service`.
    pub fn payloads(&self) -> impl Iterator<Item = RawPayload<'_>> {
        self.numbered().map(|(_, payload)| payload)
    }

    /// The payloads with their places in `PayloadContent`.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (usize, RawPayload<'_>)> {
        self.keys
            .get("PayloadContent")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .enumerate()
            .filter_map(|(index, payload)| Some((index, RawPayload::new(payload.as_dictionary()?))))
    }

    /// The first payload of a type.
    pub fn payload(&self, payload_type: &str) -> Option<RawPayload<'_>> {
        self.payloads()
            .find(|payload| payload.payload_type() == Some(payload_type))
    }

    /// The payload of a UUID, as other payloads refer to it; letters in either case.
    pub fn payload_by_uuid(&self, uuid: &str) -> Option<RawPayload<'_>> {
        self.payloads().find(|payload| {
            payload
                .uuid()
                .is_some_and(|found| found.eq_ignore_ascii_case(uuid))
        })
    }

    /// Changes the payload with this `PayloadIdentifier`, the first where several have it.
    ///
    /// The order of its keys, those that its type does not know, and what could not be read stay as
    /// they are, unless `change` sets them. So does `PayloadUUID`: the device updates the payload
    /// instead of replacing it.
    ///
    /// # Errors
    /// [`Error::NoSuchPayload`] where no payload has the identifier; [`Error::OtherType`] where it is
    /// of another type.
    pub fn edit<T: Payload>(
        &mut self,
        identifier: &str,
        change: impl FnOnce(&mut T),
    ) -> Result<(), Error> {
        let payloads = match self.keys.get_mut("PayloadContent") {
            Some(Value::Array(payloads)) => payloads.as_mut_slice(),
            _ => &mut [],
        };
        let named =
            |payload: &&mut Dictionary| RawPayload::new(payload).identifier() == Some(identifier);
        let mut payloads = payloads.iter_mut().filter_map(Value::as_dictionary_mut);
        let keys = payloads.find(named).ok_or(Error::NoSuchPayload)?;
        let (mut payload, _) = RawPayload::new(keys).decode_leniently::<T>()?;
        let before = payload.to_dictionary();
        change(&mut payload);
        *keys = mdm_plist::merge(std::mem::take(keys), &before, payload.to_dictionary());
        Ok(())
    }

    /// What is wrong with the profile: its own keys and those of every payload whose type is known,
    /// what identifiers and references mean together, and with a target also what that does not take.
    ///
    /// Each mistake is found once.
    pub fn validate(&self, target: Option<&Target>) -> Vec<Finding> {
        self.found(check::validate(self, target))
    }

    /// What is wrong with the profile as a whole: required keys, types, identifiers, references.
    ///
    /// The part of [`validate`](Self::validate) that needs no table: the payloads' own keys are not
    /// looked into.
    pub fn findings(&self) -> Vec<Finding> {
        self.found(check::findings(self))
    }

    /// Findings as the document has their paths.
    fn found(&self, findings: Vec<Finding>) -> Vec<Finding> {
        match self.wrapped_at() {
            Some(at) => findings.into_iter().map(|f| f.under(&at)).collect(),
            None => findings,
        }
    }

    /// The key of another dictionary that the profile lay under, as findings tell it: cut where it is
    /// very long.
    pub(crate) fn wrapped_at(&self) -> Option<String> {
        let log = Log::default();
        let key = self.wrapper.as_ref()?;
        Some(Place::root(&log).key(key).path())
    }

    /// The document as it was read, with every change that was made since.
    pub fn to_dictionary(&self) -> Dictionary {
        match &self.wrapper {
            None => self.keys.clone(),
            Some(key) => {
                let mut document = Dictionary::new();
                document.insert(key.clone(), self.keys.clone().into());
                document
            }
        }
    }

    /// Writes the profile as XML, unsigned.
    ///
    /// # Errors
    /// [`Error::Plist`] for what a property list cannot hold.
    pub fn to_xml(&self) -> Result<Vec<u8>, Error> {
        Ok(match &self.wrapper {
            None => mdm_plist::dictionary_to_xml(&self.keys)?,
            Some(_) => mdm_plist::dictionary_to_xml(&self.to_dictionary())?,
        })
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.keys.get(key)?.as_string()
    }

    fn flag(&self, key: &str) -> bool {
        self.keys.get(key).and_then(Value::as_boolean) == Some(true)
    }
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Profile")
            .field("identifier", &self.identifier())
            .field("uuid", &self.uuid())
            .field("keys", &self.keys.keys().collect::<Vec<_>>())
            .field("payloads", &self.payloads().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// Whether a dictionary holds what no other document of Apple's has at its top level.
fn is_profile(document: &Dictionary) -> bool {
    let kind = document.get("PayloadType").and_then(Value::as_string);
    matches!(kind, Some("Configuration" | "Profile Service"))
        || document.contains_key("EncryptedPayloadContent")
        || (document.contains_key("PayloadContent") && says_what_it_is(document))
}

/// Whether payloads in the open would make it a profile.
pub(crate) fn says_what_it_is(document: &Dictionary) -> bool {
    [
        "PayloadIdentifier",
        "PayloadUUID",
        "PayloadType",
        "PayloadVersion",
    ]
    .iter()
    .any(|key| document.contains_key(key))
}
