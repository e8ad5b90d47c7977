//! Payloads: the parts of a profile, known here or not.
//!
//! Each type of payload is a struct named after Apple's title for it, with a constructor for what it
//! requires, and has a module of the same name for what it is made of: [`Scep`] and [`scep::ScepContent`].
//! Its page says which systems take it, on what terms, and the same of each key. Payloads go into a
//! profile by [`ProfileBuilder`](crate::ProfileBuilder), and come out of one by [`RawPayload::decode`] or, whatever the type,
//! [`RawPayload::any`].
//!
#![cfg_attr(feature = "network", doc = "```")]
#![cfg_attr(not(feature = "network"), doc = "```ignore")]
//! use mdm_profiles::{Namespace, ProfileBuilder, payload::{WiFi, wifi::EncryptionType}};
//!
//! let wifi = WiFi::new().with(|wifi| {
//!     wifi.ssid_str = Some("Office".into());
//!     wifi.encryption_type = Some(EncryptionType::Wpa2);
//!     wifi.password = Some("correct horse".to_owned().into());
//! });
//! let mut profile = ProfileBuilder::new("com.example.office", Namespace::new("mdm.example.com"));
//! profile.add("wifi", &wifi)?;
//! let profile = profile.build()?;
//! let _to_sign_or_to_send: Vec<u8> = profile.to_xml()?;
//!
//! let again: WiFi = profile.payload("com.apple.wifi.managed").unwrap().decode()?;
//! assert_eq!(again, wifi);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod generated;

use std::{borrow::Cow, fmt};

use mdm_plist::{Dictionary, Value};
use mdm_schema::{Finding, Item, Kind, Rule, Schema, Target};

pub use self::generated::*;
use crate::error::Error;

/// The keys that every payload may have.
pub const COMMON_KEYS: &[&str] = &[
    "PayloadDescription",
    "PayloadDisplayName",
    "PayloadIdentifier",
    "PayloadOrganization",
    "PayloadType",
    "PayloadUUID",
    "PayloadVersion",
];

/// The keys of one type of payload, those that every payload has left aside.
///
/// A payload of one's own needs a table, a [`record!`](mdm_schema::record!), an
/// [`item!`](mdm_schema::item!), and this trait.
pub trait Payload: Item {
    /// `PayloadType`.
    const PAYLOAD_TYPE: &'static str = Self::SCHEMA.name;
}

/// A payload as it stands in the profile.
///
/// `Debug` shows the type and the identifier only: payloads hold passwords.
#[derive(Clone, Copy, PartialEq)]
pub struct RawPayload<'a> {
    keys: &'a Dictionary,
}

impl<'a> RawPayload<'a> {
    /// The keys of a payload.
    pub fn new(keys: &'a Dictionary) -> Self {
        Self { keys }
    }

    /// Every key.
    pub fn keys(&self) -> &'a Dictionary {
        self.keys
    }

    /// `PayloadType`.
    pub fn payload_type(&self) -> Option<&'a str> {
        self.text("PayloadType")
    }

    /// `PayloadIdentifier`.
    pub fn identifier(&self) -> Option<&'a str> {
        self.text("PayloadIdentifier")
    }

    /// `PayloadUUID`.
    pub fn uuid(&self) -> Option<&'a str> {
        self.text("PayloadUUID")
    }

    /// `PayloadVersion`.
    pub fn version(&self) -> Option<i64> {
        self.keys
            .get("PayloadVersion")
            .and_then(Value::as_signed_integer)
    }

    /// `PayloadDisplayName`.
    pub fn display_name(&self) -> Option<&'a str> {
        self.text("PayloadDisplayName")
    }

    /// The payload as its own type.
    ///
    /// # Errors
    /// [`Error::OtherType`] when `PayloadType` is another one; [`Error::Decode`] when a required key
    /// is missing or a key of the wrong type.
    pub fn decode<T: Payload>(&self) -> Result<T, Error> {
        self.is::<T>()?;
        Ok(T::from_dictionary(&self.own_keys(T::SCHEMA))?)
    }

    /// The payload as its own type, as far as it can be read, and what cannot.
    ///
    /// # Errors
    /// [`Error::OtherType`] when `PayloadType` is another one.
    pub fn decode_leniently<T: Payload>(&self) -> Result<(T, Vec<Finding>), Error> {
        self.is::<T>()?;
        Ok(T::from_dictionary_leniently(&self.own_keys(T::SCHEMA)))
    }

    /// The payload as whatever type it is, as far as it can be read, and what cannot.
    #[inline]
    pub fn any(&self) -> (AnyPayload, Vec<Finding>) {
        let keys = self.schema().map(|schema| self.own_keys(schema));
        let keys = keys.as_deref().unwrap_or(self.keys);
        AnyPayload::read(self.payload_type().unwrap_or_default(), keys)
    }

    /// What is known about payloads of this type; where several share the type, about the one that
    /// has most of the payload's keys.
    pub fn schema(&self) -> Option<&'static Schema> {
        mdm_schema::choose(Kind::Payload, self.payload_type()?, self.keys)
    }

    /// What is wrong with the payload's keys, and with a target also what that does not take.
    ///
    /// Nothing where the type is unknown. Whether the keys are there that every payload needs is for
    /// [`Profile::validate`](crate::Profile::validate) to say.
    pub fn validate(&self, target: Option<&Target>) -> Vec<Finding> {
        self.schema().map_or_else(Vec::new, |schema| {
            mdm_schema::validate(schema, self.keys, target)
        })
    }

    /// Where the keys stand that the payload's type does not have; none where the type is unknown.
    pub fn unknown_keys(&self) -> impl Iterator<Item = String> {
        let findings = self.validate(None).into_iter();
        findings
            .filter(|finding| finding.rule == Rule::UnknownKey)
            .map(|finding| finding.path)
    }

    /// The keys of the payload's type; with those of every payload where that does no harm. A type
    /// that takes any key would take them for its own.
    fn own_keys(&self, schema: &Schema) -> Cow<'a, Dictionary> {
        let mut keys = Cow::Borrowed(self.keys);
        if schema.keys.iter().any(|key| key.wildcard) {
            keys.to_mut()
                .retain(|key, _| !COMMON_KEYS.contains(&key.as_str()));
        }
        keys
    }

    fn is<T: Payload>(&self) -> Result<(), Error> {
        match self.payload_type() {
            Some(found) if T::SCHEMA.is_called(found) => Ok(()),
            found => Err(Error::OtherType {
                wanted: T::PAYLOAD_TYPE,
                found: found.unwrap_or_default().to_owned(),
            }),
        }
    }

    fn text(&self, key: &str) -> Option<&'a str> {
        self.keys.get(key)?.as_string()
    }
}

impl fmt::Debug for RawPayload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawPayload")
            .field("payload_type", &self.payload_type())
            .field("identifier", &self.identifier())
            .finish_non_exhaustive()
    }
}
