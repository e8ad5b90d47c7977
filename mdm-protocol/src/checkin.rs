//! Check-in messages: what a device PUTs to `CheckInURL`.
//!
//! Source: Apple, *Device Management*, "Check-in"; the schema's `mdm/checkin`.

mod authenticate;
mod bootstrap_token;
mod check_out;
mod declarative_management;
#[cfg(feature = "crypto")]
pub mod digest;
mod get_token;
mod return_to_service;
mod token_update;
mod user_authenticate;

use mdm_plist::{Dictionary, Kept, KeyPath, Limits, Value};
use mdm_schema::{Finding, Kind, Rule, Severity, Target};
use serde::{Deserialize, Serialize};

pub use self::{
    authenticate::Authenticate,
    bootstrap_token::{GetBootstrapToken, GetBootstrapTokenResponse, SetBootstrapToken},
    check_out::CheckOut,
    declarative_management::DeclarativeManagement,
    get_token::{GetToken, GetTokenResponse, TokenServiceType},
    return_to_service::{ReturnToService, ReturnToServiceResponse, ReturnToServiceSettings},
    token_update::TokenUpdate,
    user_authenticate::{UserAuthenticate, UserAuthenticateResponse},
};
use crate::{
    error::{Error, UnknownMessage},
    id::{HasIds, Ids},
};

/// The beginning of the content type that tells a check-in message from a command report, where
/// one URL takes both (Q10).
pub const CONTENT_TYPE: &str = "application/x-apple-aspen-mdm-checkin";

/// Declares the messages, each in one place: the variant, its name, the way in and the way out.
macro_rules! messages {
    ($( $(#[$doc:meta])* $message:ident, )+) => {
        /// A check-in message.
        ///
        /// Secrets inside are redacted in `Debug`.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(tag = "MessageType")]
        #[non_exhaustive]
        pub enum CheckIn {
            $( $(#[$doc])* $message($message), )+
        }

        impl CheckIn {
            /// Every `MessageType` that has a variant.
            pub const MESSAGE_TYPES: &[&str] = &[$( stringify!($message) ),+];

            /// `MessageType`.
            pub fn message_type(&self) -> &'static str {
                match self {
                    $( Self::$message(_) => stringify!($message), )+
                }
            }

            /// The message of this type, if the type has a variant.
            fn read(message_type: &str, bytes: &[u8], limits: &Limits) -> Result<Option<Self>, Error> {
                Ok(match message_type {
                    $( stringify!($message) => {
                        Some(Self::$message(mdm_plist::from_slice_with(bytes, limits)?))
                    } )+
                    _ => None,
                })
            }

            /// The message of this type and its unknown keys, or the body where the type has no variant.
            fn take(
                message_type: &str,
                body: Dictionary,
            ) -> Result<Result<(Self, Vec<KeyPath>), Dictionary>, Error> {
                Ok(match message_type {
                    $( stringify!($message) => {
                        let kept = Kept::<$message>::from_dictionary(body)?;
                        let unknown = kept.unknown().to_vec();
                        Ok((Self::$message(kept.value), unknown))
                    } )+
                    _ => Err(body),
                })
            }
        }

        impl HasIds for CheckIn {
            fn ids(&self) -> Ids<'_> {
                match self {
                    $( Self::$message(message) => message.ids(), )+
                }
            }
        }

        $( impl From<$message> for CheckIn {
            fn from(message: $message) -> Self {
                Self::$message(message)
            }
        } )+
    };
}

messages! {
    /// A device wants to enrol.
    Authenticate,
    /// Where pushes go; the enrolment is complete, or its token has changed.
    TokenUpdate,
    /// The device, or one user of it, leaves.
    CheckOut,
    /// A user of a Mac logs in.
    UserAuthenticate,
    /// The Mac asks for its bootstrap token.
    GetBootstrapToken,
    /// The Mac hands over its bootstrap token.
    SetBootstrapToken,
    /// The device asks for a token of some service.
    GetToken,
    /// Declarative management, tunnelled.
    DeclarativeManagement,
    /// The device is being erased and asks how to come back.
    ReturnToService,
}

impl CheckIn {
    /// Decodes a message, XML or binary, within the default [`Limits`].
    ///
    /// # Errors
    /// [`Error::Plist`] for what is no property list or lacks a key that the message must have;
    /// [`Error::UnknownMessageType`] for a type without a variant, with the message inside (Q13).
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        Self::decode_with(bytes, &Limits::default())
    }

    /// Decodes a message within limits of the caller's choice.
    ///
    /// # Errors
    /// See [`decode`](Self::decode).
    pub fn decode_with(bytes: &[u8], limits: &Limits) -> Result<Self, Error> {
        // The type may be the document's last key, so it is read first and by itself; the reader
        // steps over the rest faster than it could be kept.
        let Tag { message_type } = mdm_plist::from_slice_with(bytes, limits)?;
        match Self::read(&message_type, bytes, limits)? {
            Some(message) => Ok(message),
            None => {
                let body = mdm_plist::from_slice_with(bytes, limits)?;
                Err(unknown(message_type, body))
            }
        }
    }

    /// Decodes a message that has been read into a tree already, and names the keys that its type
    /// does not have.
    ///
    /// To change a message and write it back with those keys in their places, decode it as
    /// [`Kept`] of its type.
    ///
    /// # Errors
    /// See [`decode`](Self::decode).
    pub fn from_dictionary(mut body: Dictionary) -> Result<(Self, Vec<KeyPath>), Error> {
        let message_type = match body.remove("MessageType") {
            Some(Value::String(message_type)) => message_type,
            Some(_) => {
                return Err(Error::Invalid {
                    key: "MessageType",
                    problem: "no string",
                });
            }
            None => return Err(Error::Missing("MessageType")),
        };
        Self::take(&message_type, body)?.map_err(|mut body| {
            body.insert("MessageType".to_owned(), message_type.as_str().into());
            unknown(message_type, body)
        })
    }

    /// What is wrong with the message, for any device or for this one.
    ///
    /// `GetBootstrapToken` and `SetBootstrapToken` may come from any device: schema and documentation
    /// disagree about which systems send them.
    pub fn validate(&self, target: Option<&Target>) -> Vec<Finding> {
        let from_any = matches!(
            self,
            Self::GetBootstrapToken(_) | Self::SetBootstrapToken(_)
        );
        let target = target.filter(|_| !from_any);
        let schema = mdm_schema::find(Kind::CheckIn, self.message_type());
        let findings = match (schema, mdm_plist::to_value(self)) {
            (Some(schema), Ok(Value::Dictionary(keys))) => {
                mdm_schema::validate(schema, &keys, target)
            }
            _ => vec![Finding::new(
                "",
                Rule::Unreadable,
                Severity::Error,
                "cannot be written",
            )],
        };
        // The types know keys that devices send and the schema leaves out.
        let is_known = |f: &Finding| f.rule == Rule::UnknownKey && !f.path.contains('.');
        findings.into_iter().filter(|f| !is_known(f)).collect()
    }

    /// Writes the message as XML, `MessageType` included.
    ///
    /// # Errors
    /// [`Error::Plist`] for what a property list cannot hold.
    pub fn to_xml(&self) -> Result<Vec<u8>, Error> {
        Ok(mdm_plist::to_xml(self)?)
    }
}

#[derive(Deserialize)]
struct Tag {
    #[serde(rename = "MessageType")]
    message_type: String,
}

fn unknown(message_type: String, body: Dictionary) -> Error {
    Error::UnknownMessageType(Box::new(UnknownMessage::new(message_type, body)))
}
