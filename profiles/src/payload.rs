//! Payloads: the parts of a profile, known here or not.

mod certificate;
mod mdm;
mod scep;

use std::fmt;

use mdm_plist::{Dictionary, Value};
use serde::{Serialize, de::DeserializeOwned};

pub use self::{
    certificate::{Certificate, RootCertificate},
    mdm::Mdm,
    scep::{Scep, ScepContent, SubjectAltName},
};
use crate::error::Error;

/// The keys of one type of payload, those that every payload has left aside.
pub trait Payload: Serialize + DeserializeOwned {
    /// `PayloadType`.
    const PAYLOAD_TYPE: &'static str;
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
    /// [`Error::OtherType`] when `PayloadType` is another one; [`Error::Plist`] when a key is
    /// missing or of the wrong type.
    pub fn decode<T: Payload>(&self) -> Result<T, Error> {
        if self.payload_type() != Some(T::PAYLOAD_TYPE) {
            return Err(Error::OtherType {
                wanted: T::PAYLOAD_TYPE,
                found: self.payload_type().unwrap_or_default().to_owned(),
            });
        }
        Ok(mdm_plist::from_value(Value::Dictionary(self.keys.clone()))?)
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
