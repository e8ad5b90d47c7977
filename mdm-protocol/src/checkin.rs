//! Check-in messages: what a device PUTs to `CheckInURL`.
//!
//! Source: Apple, *Device Management*, "Check-in"; the schema's `mdm/checkin`.

mod authenticate;
mod bootstrap_token;
mod check_out;
mod declarative_management;
mod get_token;
mod return_to_service;
mod token_update;
mod user_authenticate;

use mdm_plist::{Dictionary, Kept, KeyPath, Limits, Value};
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

/// A check-in message.
///
/// Secrets inside are redacted in `Debug`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "MessageType")]
#[non_exhaustive]
pub enum CheckIn {
    /// A device wants to enrol.
    Authenticate(Authenticate),
    /// Where pushes go; the enrolment is complete, or its token has changed.
    TokenUpdate(TokenUpdate),
    /// The device, or one user of it, leaves.
    CheckOut(CheckOut),
    /// A user of a Mac logs in.
    UserAuthenticate(UserAuthenticate),
    /// The Mac asks for its bootstrap token.
    GetBootstrapToken(GetBootstrapToken),
    /// The Mac hands over its bootstrap token.
    SetBootstrapToken(SetBootstrapToken),
    /// The device asks for a token of some service.
    GetToken(GetToken),
    /// Declarative management, tunnelled.
    DeclarativeManagement(DeclarativeManagement),
    /// The device is being erased and asks how to come back.
    ReturnToService(ReturnToService),
}

/// Calls `$then` with the message inside, whichever it is.
macro_rules! each {
    ($checkin:expr, $message:ident => $then:expr) => {
        match $checkin {
            CheckIn::Authenticate($message) => $then,
            CheckIn::TokenUpdate($message) => $then,
            CheckIn::CheckOut($message) => $then,
            CheckIn::UserAuthenticate($message) => $then,
            CheckIn::GetBootstrapToken($message) => $then,
            CheckIn::SetBootstrapToken($message) => $then,
            CheckIn::GetToken($message) => $then,
            CheckIn::DeclarativeManagement($message) => $then,
            CheckIn::ReturnToService($message) => $then,
        }
    };
}

impl CheckIn {
    /// Every `MessageType` that has a variant.
    pub const MESSAGE_TYPES: &[&str] = &[
        "Authenticate",
        "TokenUpdate",
        "CheckOut",
        "UserAuthenticate",
        "GetBootstrapToken",
        "SetBootstrapToken",
        "GetToken",
        "DeclarativeManagement",
        "ReturnToService",
    ];

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
        macro_rules! by_type {
            ($($variant:ident),+) => {
                match message_type.as_str() {
                    $(stringify!($variant) => {
                        mdm_plist::from_slice_with(bytes, limits).map(Self::$variant)?
                    })+
                    _ => {
                        let body: Dictionary = mdm_plist::from_slice_with(bytes, limits)?;
                        let unknown = UnknownMessage::new(message_type, body);
                        return Err(Error::UnknownMessageType(Box::new(unknown)));
                    }
                }
            };
        }
        Ok(by_type!(
            Authenticate,
            TokenUpdate,
            CheckOut,
            UserAuthenticate,
            GetBootstrapToken,
            SetBootstrapToken,
            GetToken,
            DeclarativeManagement,
            ReturnToService
        ))
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
        macro_rules! by_type {
            ($($variant:ident),+) => {
                match message_type.as_str() {
                    $(stringify!($variant) => {
                        let kept = Kept::<$variant>::from_dictionary(body)?;
                        let unknown = kept.unknown().to_vec();
                        (Self::$variant(kept.value), unknown)
                    })+
                    _ => {
                        body.insert("MessageType".to_owned(), message_type.as_str().into());
                        let unknown = UnknownMessage::new(message_type, body);
                        return Err(Error::UnknownMessageType(Box::new(unknown)));
                    }
                }
            };
        }
        Ok(by_type!(
            Authenticate,
            TokenUpdate,
            CheckOut,
            UserAuthenticate,
            GetBootstrapToken,
            SetBootstrapToken,
            GetToken,
            DeclarativeManagement,
            ReturnToService
        ))
    }

    /// Writes the message as XML, `MessageType` included.
    ///
    /// # Errors
    /// [`Error::Plist`] for what a property list cannot hold.
    pub fn to_xml(&self) -> Result<Vec<u8>, Error> {
        Ok(mdm_plist::to_xml(self)?)
    }

    /// `MessageType`.
    pub fn message_type(&self) -> &'static str {
        match self {
            Self::Authenticate(_) => "Authenticate",
            Self::TokenUpdate(_) => "TokenUpdate",
            Self::CheckOut(_) => "CheckOut",
            Self::UserAuthenticate(_) => "UserAuthenticate",
            Self::GetBootstrapToken(_) => "GetBootstrapToken",
            Self::SetBootstrapToken(_) => "SetBootstrapToken",
            Self::GetToken(_) => "GetToken",
            Self::DeclarativeManagement(_) => "DeclarativeManagement",
            Self::ReturnToService(_) => "ReturnToService",
        }
    }
}

impl HasIds for CheckIn {
    fn ids(&self) -> Ids<'_> {
        each!(self, message => message.ids())
    }
}

#[derive(Deserialize)]
struct Tag {
    #[serde(rename = "MessageType")]
    message_type: String,
}

macro_rules! into_checkin {
    ($($message:ident),+) => { $(
        impl From<$message> for CheckIn {
            fn from(message: $message) -> Self {
                Self::$message(message)
            }
        }
    )+ };
}

into_checkin!(
    Authenticate,
    TokenUpdate,
    CheckOut,
    UserAuthenticate,
    GetBootstrapToken,
    SetBootstrapToken,
    GetToken,
    DeclarativeManagement,
    ReturnToService
);
