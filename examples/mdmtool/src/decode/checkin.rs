//! Check-in messages, and MachineInfo, which comes before them.

use mdm_plist::{Dictionary, Kept, Value};
use mdm_protocol::{
    CheckIn, Error as ProtocolError,
    checkin::{
        GetBootstrapTokenResponse, GetTokenResponse, ReturnToServiceResponse,
        UserAuthenticateResponse,
    },
    enroll::MachineInfo,
    id::HasIds,
};
use mdm_schema::{Finding, Rule, Severity};

use super::Options;
use crate::{
    document::{Document, Kind},
    error::Error,
    json,
};

/// Whether it has the keys in capitals that only MachineInfo has.
pub(super) fn is_machine_info(document: &Dictionary) -> bool {
    document.contains_key("PRODUCT")
        && ["SERIAL", "UDID", "VERSION", "LANGUAGE"]
            .iter()
            .any(|key| document.contains_key(key))
}

/// Which answer of the server it is, where a single key tells.
pub(super) fn answer(document: &Dictionary) -> Option<&'static str> {
    let mut keys = document.keys().filter(|key| *key != "PreserveDataPlan");
    match (keys.next()?.as_str(), keys.next()) {
        ("BootstrapToken", None) => Some("GetBootstrapTokenResponse"),
        ("TokenData", None) => Some("GetTokenResponse"),
        ("ReturnToService", None) => Some("ReturnToServiceResponse"),
        ("DigestChallenge" | "AuthToken", None) => Some("UserAuthenticateResponse"),
        _ => None,
    }
}

pub(super) fn decode(mut document: Dictionary, options: &Options) -> Result<Document, Error> {
    let name = options.name_for(Kind::Checkin);
    let body = json::dictionary(&document);
    if name == Some("MachineInfo") || (name.is_none() && is_machine_info(&document)) {
        return typed::<MachineInfo>("MachineInfo", document);
    }
    match name.or_else(|| answer(&document)) {
        Some("UserAuthenticateResponse") => {
            return typed::<UserAuthenticateResponse>("UserAuthenticateResponse", document);
        }
        Some("GetBootstrapTokenResponse") => {
            return typed::<GetBootstrapTokenResponse>("GetBootstrapTokenResponse", document);
        }
        Some("GetTokenResponse") => {
            return typed::<GetTokenResponse>("GetTokenResponse", document);
        }
        Some("ReturnToServiceResponse") => {
            return typed::<ReturnToServiceResponse>("ReturnToServiceResponse", document);
        }
        _ => {}
    }
    if let Some(name) = name
        && !document.contains_key("MessageType")
    {
        document.insert("MessageType".to_owned(), name.into());
    }
    let message_type = document
        .get("MessageType")
        .and_then(Value::as_string)
        .map(str::to_owned);
    let mut told = Document::new(Kind::Checkin, message_type.as_deref(), body);
    let at_fault = |message: String| Finding::new("", Rule::Type, Severity::Error, message);
    match CheckIn::from_dictionary(document) {
        Ok((message, unknown)) => {
            told.list_unknown(unknown);
            if let Err(error) = message.enrollment_id() {
                told.findings.push(Finding::new(
                    "",
                    Rule::Required,
                    Severity::Error,
                    error.to_string(),
                ));
            }
            if let CheckIn::DeclarativeManagement(message) = &message
                && let Err(error) = message.endpoint()
            {
                told.findings.push(Finding::new(
                    "Endpoint",
                    Rule::Enum,
                    Severity::Error,
                    error.to_string(),
                ));
            }
        }
        Err(ProtocolError::UnknownMessageType(_)) => told.findings.push(Finding::new(
            "MessageType",
            Rule::Enum,
            Severity::Error,
            "is no type of check-in message that is known here",
        )),
        Err(ProtocolError::Plist(error)) => told.findings.push(at_fault(error.to_string())),
        Err(error) => {
            return Err(Error::NotAs {
                kind: Kind::Checkin.as_str(),
                problem: error.to_string(),
            });
        }
    }
    Ok(told)
}

fn typed<T: serde::de::DeserializeOwned>(
    name: &str,
    document: Dictionary,
) -> Result<Document, Error> {
    let body = json::dictionary(&document);
    let mut told = Document::new(Kind::Checkin, Some(name), body);
    match Kept::<T>::from_dictionary(document) {
        Ok(kept) => told.list_unknown(kept.unknown()),
        Err(error) => told.findings.push(Finding::new(
            "",
            Rule::Type,
            Severity::Error,
            error.to_string(),
        )),
    }
    Ok(told)
}
