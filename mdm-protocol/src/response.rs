//! Reports: what a device PUTs to `ServerURL`, a command's result or a mere "idle".
//!
//! Two steps: [`Envelope`] is read wherever it can be read at all and settles the command; the typed
//! body is a second, fallible step over the kept bytes. A body that nobody can decode can therefore
//! never block a queue.

mod device_information;
mod infer;
mod rest;
mod tree;

use std::fmt;

use mdm_core::{Udid, open_enum};
use mdm_plist::{Dictionary, Limits, Value};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};

use self::tree::Tree;
pub use self::{
    device_information::{
        AccessibilitySettings, AdminAccount, DeviceInformationResponse, MdmOptions,
        OrganizationInfo, OsUpdateSettings, QueryResponses, ServiceSubscription,
        SoftwareUpdateSettings,
    },
    infer::infer_request_type,
    rest::Rest,
};
use crate::{error::Error, id::has_ids};

open_enum! {
    /// What became of a command, or of the wish for one.
    pub enum Status {
        /// Done; the result is in the body.
        Acknowledged = "Acknowledged",
        /// Not done; why is in the error chain.
        Error = "Error",
        /// Not understood; often without an error chain (Q17).
        CommandFormatError = "CommandFormatError",
        /// No result: the device asks for the next command.
        Idle = "Idle",
        /// Not now, because of what the user does; offer it again after an `Idle` (Q17).
        NotNow = "NotNow",
    }
}

impl Status {
    /// Whether this answers a command for good: neither `Idle` nor `NotNow`.
    ///
    /// An unknown status counts as final, so that it cannot keep a command in the queue for ever.
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Idle | Self::NotNow)
    }
}

/// What a report says about itself: from whom, about which command, how it went.
///
/// Only `Status` is required. A key with an unusable value counts as absent: one of a wrong type, or a
/// number, date or data whose text says nothing valid.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct Envelope {
    /// `Status`.
    pub status: Status,
    /// `CommandUUID`; absent with `Idle`.
    #[serde(rename = "CommandUUID", default, deserialize_with = "lenient")]
    pub command_uuid: Option<String>,
    /// `UDID`; absent in User Enrolment.
    #[serde(rename = "UDID", default, deserialize_with = "lenient_udid")]
    pub udid: Option<Udid>,
    /// `UserID`: on a user channel.
    #[serde(rename = "UserID", default, deserialize_with = "lenient")]
    pub user_id: Option<String>,
    /// `UserShortName`.
    #[serde(default, deserialize_with = "lenient")]
    pub user_short_name: Option<String>,
    /// `UserLongName`.
    #[serde(default, deserialize_with = "lenient")]
    pub user_long_name: Option<String>,
    /// `EnrollmentID`; User Enrolment only.
    #[serde(rename = "EnrollmentID", default, deserialize_with = "lenient")]
    pub enrollment_id: Option<String>,
    /// `EnrollmentUserID`; the user channel of User Enrolment only.
    #[serde(rename = "EnrollmentUserID", default, deserialize_with = "lenient")]
    pub enrollment_user_id: Option<String>,
    /// `RequestType`: some macOS versions send it, most devices do not; route by `command_uuid`
    /// (Q17).
    #[serde(default, deserialize_with = "lenient")]
    pub request_type: Option<String>,
    /// `NotOnConsole`: the user is logged in but not at the screen.
    #[serde(default, deserialize_with = "lenient_bool")]
    pub not_on_console: Option<bool>,
    /// `ErrorChain`: why it failed, outermost first; empty where nothing was said (Q17).
    #[serde(default, deserialize_with = "error_chain")]
    pub error_chain: Vec<ErrorChainItem>,
    /// The report as it came.
    #[serde(skip)]
    pub raw: Vec<u8>,
    #[serde(skip)]
    limits: Limits,
}

impl Envelope {
    /// The keys of every report.
    pub const KEYS: &[&str] = &[
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
    ];

    /// Reads a report, XML or binary, within the default [`Limits`].
    ///
    /// # Errors
    /// [`Error::Plist`] for what is no property list, exceeds the limits or has no `Status`.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        Self::decode_with(bytes, &Limits::default())
    }

    /// Reads a report within limits of the caller's choice.
    ///
    /// # Errors
    /// See [`decode`](Self::decode).
    pub fn decode_with(bytes: &[u8], limits: &Limits) -> Result<Self, Error> {
        let mut envelope: Self = match mdm_plist::from_slice_with(bytes, limits) {
            Err(error) if tree::is_malformed(&error) => {
                let keys = tree::read(bytes, limits)?.keys;
                mdm_plist::from_value(keys.into()).map_err(|_| error)?
            }
            result => result?,
        };
        envelope.raw = bytes.to_vec();
        envelope.limits = *limits;
        Ok(envelope)
    }

    /// The result as the type that the command asked for, from the kept bytes, within the limits that
    /// the envelope was read within.
    ///
    /// A value of a type that does not fit, or a malformed number, date or data, is left out where
    /// `T` can do without it, so that one wrong scalar does not lose a whole inventory. At most 16
    /// are, the malformed ones counted wherever in the report they are; of an array with one in it
    /// nothing is kept. [`body_and_rest`](Self::body_and_rest) names them.
    ///
    /// # Errors
    /// [`Error::OtherType`] when the report names another `RequestType`; [`Error::Plist`] when a key
    /// that the result must have is missing, unreadable or of the wrong type, or when more than 16
    /// values would have to be left out, [`Error::Invalid`] when more than 16 are malformed.
    pub fn body<T: Body>(&self) -> Result<T, Error> {
        self.check_type::<T>()?;
        match mdm_plist::from_slice_with(&self.raw, &self.limits) {
            Ok(body) => Ok(body),
            Err(error) if error.is_data() || tree::is_malformed(&error) => {
                Ok(rest::decode(self.tree()?)?.0)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The result, and what of the report did not go into it.
    ///
    /// # Errors
    /// See [`body`](Self::body). More than 16 malformed values are an error here also where `T` does
    /// not ask for them.
    pub fn body_and_rest<T: Body>(&self) -> Result<(T, Rest), Error> {
        self.check_type::<T>()?;
        let mut tree = self.tree()?;
        for key in Self::KEYS {
            tree.keys.remove(key);
        }
        rest::decode(tree)
    }

    fn check_type<T: Body>(&self) -> Result<(), Error> {
        match &self.request_type {
            Some(found) if !T::REQUEST_TYPE.is_empty() && found != T::REQUEST_TYPE => {
                Err(Error::OtherType {
                    wanted: T::REQUEST_TYPE,
                    found: found.clone(),
                })
            }
            _ => Ok(()),
        }
    }

    /// Every key of the report, without numbers, dates and data that are malformed; of an array with
    /// one in it nothing is kept.
    ///
    /// # Errors
    /// [`Error::Plist`] where [`decode`](Self::decode) passed over something that is unreadable for
    /// another reason, such as text in a wrong encoding, or the bytes were changed since.
    pub fn dictionary(&self) -> Result<Dictionary, Error> {
        Ok(self.tree()?.keys)
    }

    fn tree(&self) -> Result<Tree, Error> {
        Ok(tree::read(&self.raw, &self.limits)?)
    }
}

has_ids! {
    Envelope { udid, user_id, user_short_name, enrollment_id, enrollment_user_id }
}

impl fmt::Debug for Envelope {
    /// Shows the length of the body only: it may hold unlock tokens and keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("status", &self.status)
            .field("command_uuid", &self.command_uuid)
            .field("udid", &self.udid)
            .field("user_id", &self.user_id)
            .field("enrollment_id", &self.enrollment_id)
            .field("enrollment_user_id", &self.enrollment_user_id)
            .field("request_type", &self.request_type)
            .field("error_chain", &self.error_chain)
            .field("raw", &format_args!("{} bytes", self.raw.len()))
            .finish_non_exhaustive()
    }
}

/// The typed result of one type of command.
pub trait Body: DeserializeOwned {
    /// `RequestType` of the command; empty for a body that fits any.
    const REQUEST_TYPE: &'static str;
}

/// The result of a command that has none but its status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NoBody {}

impl Body for NoBody {
    const REQUEST_TYPE: &'static str = "";
}

/// One reason of a failure; any part of it may be missing (Q17).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct ErrorChainItem {
    /// `ErrorCode`: means something within its domain only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<i64>,
    /// `ErrorDomain`: such as `MCProfileErrorDomain`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_domain: Option<String>,
    /// `LocalizedDescription`: in the device's language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub localized_description: Option<String>,
    /// `USEnglishDescription`: in English.
    #[serde(
        rename = "USEnglishDescription",
        skip_serializing_if = "Option::is_none"
    )]
    pub us_english_description: Option<String>,
}

impl ErrorChainItem {
    /// Sets some keys.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Self)) -> Self {
        set(&mut self);
        self
    }

    /// Takes what is usable.
    fn from_value(value: &Value) -> Option<Self> {
        let item = value.as_dictionary()?;
        let text = |key| item.get(key).and_then(Value::as_string).map(str::to_owned);
        Some(Self {
            error_code: item.get("ErrorCode").and_then(Value::as_signed_integer),
            error_domain: text("ErrorDomain"),
            localized_description: text("LocalizedDescription"),
            us_english_description: text("USEnglishDescription"),
        })
    }
}

fn lenient<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Value::deserialize(deserializer)?.into_string())
}

fn lenient_udid<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Udid>, D::Error> {
    Ok(lenient(deserializer)?.and_then(|text| Udid::new(text).ok()))
}

fn lenient_bool<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    Ok(Value::deserialize(deserializer)?.as_boolean())
}

fn error_chain<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<ErrorChainItem>, D::Error> {
    let items = match Value::deserialize(deserializer)? {
        Value::Array(items) => items,
        one => vec![one],
    };
    Ok(items
        .iter()
        .filter_map(ErrorChainItem::from_value)
        .collect())
}
