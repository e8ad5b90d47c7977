//! Commands: what the server tells a device to do.
//!
//! [`Command`] is the envelope of any command, known here or not. Each command is a struct named after
//! its `RequestType`: `new` takes what is required, `with` sets the rest, and the module of the same name
//! holds what it is made of. Its page says which systems take it, on what terms, and which type of
//! [`response`] answers it. `AnyCommand` is whichever of them a document turns out to be.
//!
//! ```
//! use mdm_protocol::{
//!     Command,
//!     command::{AnyCommand, DeviceLock, Settings, settings::{Bluetooth, DeviceName, Setting}},
//! };
//!
//! let lock = DeviceLock::new().with(|lock| lock.message = Some("Please bring it back.".into()));
//! let command = Command::new("C-1", &lock);
//! assert!(command.validate(Some(&"ios:18.2".parse()?)).is_empty());
//!
//! // Several settings go in one command; each is done or fails by itself.
//! let settings = Settings::new([
//!     Setting::DeviceName(DeviceName::new("Reception")),
//!     Setting::Bluetooth(Bluetooth::new(true)),
//! ]);
//! let xml = Command::new("C-2", &settings).to_xml()?;
//!
//! let (command, findings) = Command::decode(&xml)?.any();
//! assert!(matches!(command, AnyCommand::Settings(same) if *same == settings));
//! assert!(findings.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod findings;
#[cfg(feature = "commands")]
mod generated;

use std::fmt;

use mdm_plist::{Dictionary, Limits, Value};
use mdm_schema::{Finding, Item, Kind, Rule, Severity, Target};

#[cfg(feature = "commands")]
pub use self::generated::{device_information::Query, *};
use crate::{error::Error, findings::unknown_keys, response};

/// The keys of one type of command, and the type of its answer.
pub trait Request: Item {
    /// `RequestType`.
    const REQUEST_TYPE: &'static str = Self::SCHEMA.name;

    /// What the device answers with.
    type Response: response::Body;
}

/// Says what a command is answered with: [`NoBody`](response::NoBody) where the schema has no keys
/// for it.
#[cfg(feature = "commands")]
macro_rules! command {
    ($request:ident -> NoBody) => {
        impl $crate::command::Request for $request {
            type Response = $crate::response::NoBody;
        }
    };
    ($request:ident -> $response:ident) => {
        impl $crate::command::Request for $request {
            type Response = $response;
        }

        impl $crate::response::Body for $response {}
    };
}
#[cfg(feature = "commands")]
pub(crate) use command;

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
    pub fn new<R: Request>(command_uuid: impl Into<String>, request: &R) -> Self {
        let keys = request.to_dictionary();
        Self::assemble(command_uuid.into(), R::REQUEST_TYPE, keys)
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
    /// [`Error::OtherType`] when `RequestType` names another one; [`Error::Decode`] when a key is
    /// missing or of the wrong type.
    pub fn request<R: Request>(&self) -> Result<R, Error> {
        self.check_type::<R>()?;
        R::from_dictionary(&self.request).map_err(|mut error| {
            error.findings = under_command(error.findings);
            error.into()
        })
    }

    /// Whatever can be read of the command as its own type, and what could not: a required key that
    /// is missing or does not fit reads as empty, zero or false.
    ///
    /// # Errors
    /// [`Error::OtherType`] when `RequestType` names another one.
    pub fn request_leniently<R: Request>(&self) -> Result<(R, Vec<Finding>), Error> {
        self.check_type::<R>()?;
        let (request, findings) = R::from_dictionary_leniently(&self.request);
        Ok((request, under_command(findings)))
    }

    /// The command as the type that it says it is, whatever can be read of it, and what could not.
    #[cfg(feature = "commands")]
    #[inline]
    pub fn any(&self) -> (AnyCommand, Vec<Finding>) {
        let (command, findings) = AnyCommand::read(self.request_type(), &self.own_keys());
        (command, under_command(findings))
    }

    /// Changes the command's values. Keys that the type does not have, and values that were not
    /// touched, stay as they are.
    ///
    /// # Errors
    /// [`Error::OtherType`] when `RequestType` names another one.
    pub fn edit<R: Request>(&mut self, change: impl FnOnce(&mut R)) -> Result<(), Error> {
        let (mut request, _) = self.request_leniently()?;
        change(&mut request);
        self.replace(&request)
    }

    /// Puts these values in the place of the command's own. Keys that the type does not have, and
    /// values that are the same, stay as they are.
    ///
    /// # Errors
    /// [`Error::OtherType`] when `RequestType` names another one.
    pub fn replace<R: Request>(&mut self, request: &R) -> Result<(), Error> {
        self.check_type::<R>()?;
        self.request = request.write_over(std::mem::take(&mut self.request));
        Ok(())
    }

    fn check_type<R: Request>(&self) -> Result<(), Error> {
        if self.request_type() == R::REQUEST_TYPE {
            return Ok(());
        }
        Err(Error::OtherType {
            wanted: R::REQUEST_TYPE,
            found: self.request_type().to_owned(),
        })
    }

    /// The keys without `RequestType`, as the schema lists them.
    fn own_keys(&self) -> Dictionary {
        let mut keys = self.request.clone();
        keys.remove("RequestType");
        keys
    }

    /// What is noteworthy about the command's values beyond what the schema says, where the type is
    /// one that this version knows more about.
    pub fn findings(&self) -> Vec<Finding> {
        under_command(findings::of(self.request_type(), &self.request))
    }

    /// What the schema and [`findings`](Self::findings) say about the command, for any device or for
    /// this one.
    pub fn validate(&self, target: Option<&Target>) -> Vec<Finding> {
        let mut findings = match mdm_schema::find(Kind::Command, self.request_type()) {
            Some(schema) => mdm_schema::validate(schema, &self.own_keys(), target),
            None => vec![Finding::new(
                "RequestType",
                Rule::Enum,
                Severity::Warning,
                "is no command that is known here",
            )],
        };
        findings = under_command(findings);
        findings.extend(self.findings());
        findings.extend(unknown_keys(self.beside.keys(), "is no key of a command"));
        findings
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

fn under_command(findings: Vec<Finding>) -> Vec<Finding> {
    findings.into_iter().map(|f| f.under("Command")).collect()
}

fn nested(request: &Dictionary) -> bool {
    matches!(request.get("Command"), Some(Value::Dictionary(_)))
}

/// Removes a key that holds a text; one that holds anything else stays where it is.
fn take_text(dictionary: &mut Dictionary, key: &str) -> Option<String> {
    dictionary.get(key)?.as_string()?;
    dictionary.remove(key)?.into_string()
}
