//! Commands: what the server tells a device to do.
//!
//! The envelope carries any command, known here or not; [`Request`] is the typed part of it.

mod device_information;
mod install_profile;

use std::fmt;

use mdm_plist::{Dictionary, Kept, KeyPath, Limits, Value};
use mdm_schema::{Finding, Rule, Severity};
use serde::{Serialize, de::DeserializeOwned};

pub use self::{
    device_information::{DeviceInformation, Query},
    install_profile::InstallProfile,
};
use crate::{error::Error, response};

/// The keys of one type of command, and the type of its answer.
pub trait Request: Serialize + DeserializeOwned {
    /// `RequestType`.
    const REQUEST_TYPE: &'static str;

    /// What the device answers with.
    type Response: response::Body;

    /// What is noteworthy about the values.
    fn findings(&self) -> Vec<Finding> {
        Vec::new()
    }
}

/// A command on its way to a device.
///
/// `Debug` shows the names of the keys only: a command may hold a PIN or a password.
#[derive(Clone, PartialEq)]
pub struct Command {
    command_uuid: String,
    request: Dictionary,
    beside: Dictionary,
}

impl Command {
    /// A command of a known type.
    ///
    /// `command_uuid` names it in the device's answer; any text that is unique for the device.
    ///
    /// # Errors
    /// [`Error::Plist`] for what a property list cannot hold.
    pub fn new<R: Request>(command_uuid: impl Into<String>, request: &R) -> Result<Self, Error> {
        let Value::Dictionary(keys) = mdm_plist::to_value(request)? else {
            return Err(Error::Invalid {
                key: "Command",
                problem: "no dictionary",
            });
        };
        Ok(Self::assemble(command_uuid.into(), R::REQUEST_TYPE, keys))
    }

    /// A command of any type, from its keys; they pass through untouched.
    pub fn from_keys(
        command_uuid: impl Into<String>,
        request_type: &str,
        keys: Dictionary,
    ) -> Self {
        Self::assemble(command_uuid.into(), request_type, keys)
    }

    fn assemble(command_uuid: String, request_type: &str, mut request: Dictionary) -> Self {
        request.insert("RequestType".to_owned(), request_type.into());
        Self {
            command_uuid,
            request,
            beside: Dictionary::new(),
        }
    }

    /// Decodes a command, XML or binary, within the default [`Limits`].
    ///
    /// Reads the shapes that are found in the wild as well: see [`from_dictionary`].
    ///
    /// # Errors
    /// [`Error::Plist`] for what is no property list, [`Error::Missing`] for what is no command.
    ///
    /// [`from_dictionary`]: Self::from_dictionary
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        Self::decode_with(bytes, &Limits::default())
    }

    /// Decodes a command within limits of the caller's choice.
    ///
    /// # Errors
    /// See [`decode`](Self::decode).
    pub fn decode_with(bytes: &[u8], limits: &Limits) -> Result<Self, Error> {
        let document = mdm_plist::from_slice_with(bytes, limits)?;
        Self::from_dictionary(document).map(|(command, _)| command)
    }

    /// Makes a command out of a document, and says what is odd about its shape.
    ///
    /// Some of Apple's own examples put `CommandUUID` inside `Command`, or the whole command into
    /// another one, or leave out `RequestType`. All are read, each with a finding; a missing
    /// `RequestType` or `CommandUUID` is then the empty text.
    ///
    /// # Errors
    /// [`Error::Missing`] where there is neither `Command` nor `RequestType`.
    pub fn from_dictionary(mut document: Dictionary) -> Result<(Self, Vec<Finding>), Error> {
        let mut findings = Vec::new();
        let mut command_uuid = take_text(&mut document, "CommandUUID");
        let mut request = match document.remove("Command") {
            Some(Value::Dictionary(request)) => request,
            Some(_) => {
                return Err(Error::Invalid {
                    key: "Command",
                    problem: "no dictionary",
                });
            }
            None if document.contains_key("RequestType") => {
                findings.push(Finding::new(
                    "Command",
                    Rule::Required,
                    Severity::Error,
                    "is missing: the keys of the command stand at the top level",
                ));
                std::mem::take(&mut document)
            }
            None => return Err(Error::Missing("Command")),
        };
        let mut path = "Command".to_owned();
        if !request.contains_key("RequestType") && nested(&request) {
            findings.push(Finding::new(
                "Command.Command",
                Rule::Misplaced,
                Severity::Error,
                "is a command inside another one; its keys belong to the outer one",
            ));
            if let Some(Value::Dictionary(inner)) = request.remove("Command") {
                let outer = std::mem::replace(&mut request, inner);
                for (key, value) in outer {
                    if !request.contains_key(&key) {
                        request.insert(key, value);
                    }
                }
            }
            path.push_str(".Command");
        }
        if command_uuid.is_none() && request.contains_key("CommandUUID") {
            findings.push(Finding::new(
                "Command.CommandUUID",
                Rule::Misplaced,
                Severity::Error,
                "belongs beside Command, not inside it",
            ));
            command_uuid = take_text(&mut request, "CommandUUID");
        } else if command_uuid.is_none() {
            findings.push(Finding::new(
                "CommandUUID",
                Rule::Required,
                Severity::Error,
                "is missing: the answer could not be told from others",
            ));
        }
        match request.get("RequestType") {
            Some(Value::String(_)) => {}
            found => {
                let rule = found.map_or(Rule::Required, |_| Rule::Type);
                findings.push(Finding::new(
                    mdm_schema::path::join(&path, "RequestType"),
                    rule,
                    Severity::Error,
                    "is missing or no string: the device cannot know what to do",
                ));
            }
        }
        let command = Self {
            command_uuid: command_uuid.unwrap_or_default(),
            request,
            beside: document,
        };
        Ok((command, findings))
    }

    /// `CommandUUID`: what the answer will carry.
    pub fn command_uuid(&self) -> &str {
        &self.command_uuid
    }

    /// `RequestType`; empty only in a decoded document that names none.
    pub fn request_type(&self) -> &str {
        self.request
            .get("RequestType")
            .and_then(Value::as_string)
            .unwrap_or_default()
    }

    /// The keys of the command, `RequestType` included, as they stand on the wire.
    pub fn keys(&self) -> &Dictionary {
        &self.request
    }

    /// Keys beside `Command` and `CommandUUID`; Apple knows none.
    pub fn beside(&self) -> &Dictionary {
        &self.beside
    }

    /// The command as its own type.
    ///
    /// # Errors
    /// [`Error::OtherType`] when `RequestType` names another one; [`Error::Plist`] when a key is
    /// missing or of the wrong type.
    pub fn request<R: Request>(&self) -> Result<R, Error> {
        self.request_and_unknown().map(|(request, _)| request)
    }

    /// The command as its own type, and the keys that the type does not have.
    ///
    /// # Errors
    /// See [`request`](Self::request).
    pub fn request_and_unknown<R: Request>(&self) -> Result<(R, Vec<KeyPath>), Error> {
        if self.request_type() != R::REQUEST_TYPE {
            return Err(Error::OtherType {
                wanted: R::REQUEST_TYPE,
                found: self.request_type().to_owned(),
            });
        }
        let mut keys = self.request.clone();
        keys.remove("RequestType");
        let kept = Kept::<R>::from_dictionary(keys)?;
        let unknown = kept.unknown().to_vec();
        Ok((kept.value, unknown))
    }

    /// What is noteworthy about the command's values, where the type is one this version knows.
    pub fn findings(&self) -> Vec<Finding> {
        fn check<R: Request>(command: &Command) -> Vec<Finding> {
            match command.request::<R>() {
                Ok(request) => request.findings(),
                Err(_) => vec![Finding::new(
                    "",
                    Rule::Type,
                    Severity::Error,
                    format!(
                        "a key of {} is missing or of the wrong type",
                        R::REQUEST_TYPE
                    ),
                )],
            }
        }
        let findings = match self.request_type() {
            DeviceInformation::REQUEST_TYPE => check::<DeviceInformation>(self),
            InstallProfile::REQUEST_TYPE => check::<InstallProfile>(self),
            _ => Vec::new(),
        };
        findings.into_iter().map(|f| f.under("Command")).collect()
    }

    /// The document to send, as a tree.
    pub fn to_dictionary(&self) -> Dictionary {
        let mut document = self.beside.clone();
        document.insert("Command".to_owned(), self.request.clone().into());
        document.insert("CommandUUID".to_owned(), self.command_uuid.as_str().into());
        document
    }

    /// Writes the command as the XML that answers a device's poll.
    ///
    /// # Errors
    /// [`Error::Plist`] for what a property list cannot hold.
    pub fn to_xml(&self) -> Result<Vec<u8>, Error> {
        Ok(mdm_plist::to_xml(&self.to_dictionary())?)
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command")
            .field("command_uuid", &self.command_uuid)
            .field("request_type", &self.request_type())
            .field("keys", &self.request.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

fn nested(request: &Dictionary) -> bool {
    matches!(request.get("Command"), Some(Value::Dictionary(_)))
}

/// Removes a key that holds a text; one that holds anything else stays where it is.
fn take_text(dictionary: &mut Dictionary, key: &str) -> Option<String> {
    dictionary.get(key)?.as_string()?;
    dictionary.remove(key)?.into_string()
}
