//! Reports: what a device PUTs to `ServerURL`, a command's result or a mere "idle".
//!
//! Two steps: [`Envelope`] is read wherever it can be read at all and settles the command; the typed
//! body is a second step over the kept bytes, which leaves out what does not fit. A body that nobody
//! can decode can therefore never block a queue. The body's type is named after the command, and so is
//! the module in [`command`](crate::command) that holds what it is made of. Devices leave out what their
//! system does not have and at times what the schema requires, so every key is an `Option`.
//!
//! ```
//! use mdm_protocol::response::{Envelope, SecurityInfoResponse};
//!
//! let report = Envelope::decode(br#"<plist version="1.0"><dict>
//!     <key>CommandUUID</key><string>C-1</string>
//!     <key>Status</key><string>Acknowledged</string>
//!     <key>UDID</key><string>00008101-001938611EE9001E</string>
//!     <key>SecurityInfo</key><dict>
//!         <key>PasscodePresent</key><true/>
//!         <key>PasscodeCompliant</key><string>yes</string>
//!     </dict>
//! </dict></plist>"#)?;
//!
//! let (body, findings) = report.body_and_findings::<SecurityInfoResponse>()?;
//! let security = body.security_info.unwrap_or_default();
//! assert_eq!(security.passcode_present, Some(true));
//! assert_eq!(security.passcode_compliant, None);
//! assert_eq!(findings[0].path, "SecurityInfo.PasscodeCompliant");
//! # Ok::<(), mdm_protocol::Error>(())
//! ```

mod check;
#[cfg(feature = "commands")]
mod generated;
mod infer;
#[cfg(feature = "commands")]
mod results;

use std::fmt;

use mdm_core::{Udid, open_enum};
use mdm_plist::{Dictionary, ErrorKind, Limits, Value};
use mdm_schema::{Finding, Item, Kind, Place, Record, Schema, Target};
use serde::{Deserialize, Deserializer, Serialize};

#[cfg(feature = "commands")]
pub use self::generated::*;
pub use self::infer::infer_request_type;
#[cfg(feature = "commands")]
pub use self::results::SettingResult;
#[cfg(feature = "commands")]
pub use crate::command::device_information::QueryResponses;
use crate::{error::Error, id::has_ids, lenient};

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
    #[serde(rename = "CommandUUID", default, deserialize_with = "lenient::string")]
    pub command_uuid: Option<String>,
    /// `UDID`; absent in User Enrolment.
    #[serde(rename = "UDID", default, deserialize_with = "lenient::id")]
    pub udid: Option<Udid>,
    /// `UserID`: on a user channel.
    #[serde(rename = "UserID", default, deserialize_with = "lenient::string")]
    pub user_id: Option<String>,
    /// `UserShortName`.
    #[serde(default, deserialize_with = "lenient::string")]
    pub user_short_name: Option<String>,
    /// `UserLongName`.
    #[serde(default, deserialize_with = "lenient::string")]
    pub user_long_name: Option<String>,
    /// `EnrollmentID`; User Enrolment only.
    #[serde(rename = "EnrollmentID", default, deserialize_with = "lenient::string")]
    pub enrollment_id: Option<String>,
    /// `EnrollmentUserID`; the user channel of User Enrolment only.
    #[serde(
        rename = "EnrollmentUserID",
        default,
        deserialize_with = "lenient::string"
    )]
    pub enrollment_user_id: Option<String>,
    /// `RequestType`: some macOS versions send it, most devices do not; route by `command_uuid`
    /// (Q17).
    #[serde(default, deserialize_with = "lenient::string")]
    pub request_type: Option<String>,
    /// `NotOnConsole`: the user is logged in but not at the screen.
    #[serde(default, deserialize_with = "lenient::boolean")]
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
    pub const KEYS: &[&str] = Kind::Response.envelope();

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
            Err(error) if is_malformed(&error) => {
                let (keys, _) = mdm_plist::from_slice_leniently(bytes, limits)?;
                mdm_plist::from_value(keys).map_err(|_| error)?
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
    /// A value of a type that does not fit, or a malformed number, date or data, is left out, so that
    /// one wrong scalar does not lose a whole inventory; of an array with one in it nothing is kept.
    /// [`body_and_findings`](Self::body_and_findings) names them.
    ///
    /// # Errors
    /// [`Error::OtherType`] when the report names another `RequestType`; [`Error::Plist`] as
    /// [`dictionary`](Self::dictionary).
    pub fn body<T: Body>(&self) -> Result<T, Error> {
        self.body_and_findings().map(|(body, _)| body)
    }

    /// The result, and what of the report did not go into it: values of a wrong type, and malformed
    /// ones anywhere. At most 1000 of either.
    ///
    /// # Errors
    /// See [`body`](Self::body).
    pub fn body_and_findings<T: Body>(&self) -> Result<(T, Vec<Finding>), Error> {
        if !T::REQUEST_TYPE.is_empty() {
            self.check_type(T::REQUEST_TYPE)?;
        }
        let (keys, mut findings) = self.read()?;
        let (body, misfits) = T::from_dictionary_leniently(&keys);
        findings.extend(misfits);
        Ok((body, findings))
    }

    /// The result of a command of this type, as its own type, and what did not go into it; `None`
    /// where such a command is answered by a status alone.
    ///
    /// # Errors
    /// See [`body`](Self::body).
    #[cfg(feature = "commands")]
    #[inline]
    pub fn any_body(
        &self,
        request_type: &str,
    ) -> Result<(Option<AnyResponse>, Vec<Finding>), Error> {
        if let Some(schema) = mdm_schema::find(Kind::Command, request_type) {
            self.check_type(schema.name)?;
        }
        let (keys, mut findings) = self.read()?;
        let schema = mdm_schema::find(Kind::Response, request_type);
        if schema.is_some_and(|schema| schema.keys.is_empty()) {
            return Ok((None, findings));
        }
        let keys = check::own_keys(keys, schema);
        let (body, misfits) = AnyResponse::read(request_type, &keys);
        findings.extend(misfits);
        Ok((Some(body), findings))
    }

    /// What is wrong with the report: with the envelope, and with the result where the report or the
    /// caller names the command; for any device or for this one.
    pub fn validate(&self, request_type: Option<&str>, target: Option<&Target>) -> Vec<Finding> {
        check::report(self, request_type, target)
    }

    fn check_type(&self, wanted: &'static str) -> Result<(), Error> {
        match &self.request_type {
            Some(found) if found != wanted => Err(Error::OtherType {
                wanted,
                found: found.clone(),
            }),
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
        self.read().map(|(keys, _)| keys)
    }

    /// The keys, and what is malformed.
    fn read(&self) -> Result<(Dictionary, Vec<Finding>), Error> {
        let (keys, malformed) = mdm_plist::from_slice_leniently(&self.raw, &self.limits)?;
        let keys = keys.into_dictionary().ok_or(Error::Missing("Status"))?;
        Ok((keys, check::malformed(&malformed)))
    }
}

/// Whether a scalar is to blame whose text says nothing valid; the document around it is sound.
fn is_malformed(error: &mdm_plist::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Malformed(_) | ErrorKind::IntegerRange
    )
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
///
/// Every key is optional: a device leaves out what it does not know or may not tell.
pub trait Body: Item {
    /// `RequestType` of the command; empty for a body that fits any.
    const REQUEST_TYPE: &'static str = Self::SCHEMA.name;
}

/// The result of a command that has none but its status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NoBody {}

impl Record for NoBody {
    fn read(_: &Dictionary, _: &Place<'_>) -> Self {
        Self {}
    }

    fn write(&self, _: &mut Dictionary) {}
}

impl Item for NoBody {
    const SCHEMA: &'static Schema = {
        static NO_BODY: Schema = Schema::new(Kind::Response, "", "");
        &NO_BODY
    };
}

impl Body for NoBody {}

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
    pub(crate) fn from_value(value: &Value) -> Option<Self> {
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
