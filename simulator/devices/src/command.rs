//! What a device answers to commands: raw dictionaries, as real devices send them.

use std::fmt;

use mdm_pki::{KeySpec, PrivateKey};
use mdm_plist::{Dictionary, Value};

use crate::{
    Attester, Hardware,
    checkin::{Name, put},
};

/// An answer to one command.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Answer {
    /// Done, with the keys of the response.
    Acknowledged(Dictionary),
    /// Failed, with one entry of the error chain: domain, code, description.
    Error(&'static str, i64, String),
    /// The command is not one that the device can read.
    CommandFormatError,
    /// Busy; offer it again after the next `Idle`.
    NotNow,
}

/// Answers commands in the device's stead: for a test that needs a device to be busy, broken or slow.
///
/// The device itself answers whatever this leaves (`None`).
pub trait Responder: fmt::Debug + Send + Sync {
    /// The answer to `command` (the inner dictionary), or `None` to let the device answer.
    fn answer(&self, request_type: &str, command: &Dictionary) -> Option<Answer>;
}

impl Answer {
    /// The message that carries this answer.
    pub(crate) fn into_message(self, name: Name<'_>, command_uuid: &str) -> Dictionary {
        let (status, keys) = match self {
            Self::Acknowledged(keys) => ("Acknowledged", keys),
            Self::Error(domain, code, description) => {
                ("Error", error_chain(domain, code, description))
            }
            Self::CommandFormatError => ("CommandFormatError", Dictionary::new()),
            Self::NotNow => ("NotNow", Dictionary::new()),
        };
        let mut message = Dictionary::new();
        put(&mut message, "CommandUUID", command_uuid);
        put(&mut message, "Status", status);
        name.put(&mut message);
        for (key, value) in keys {
            message.insert(key, value);
        }
        message
    }
}

/// `Idle`: the device is ready for a command.
pub(crate) fn idle(name: Name<'_>) -> Dictionary {
    let mut message = Dictionary::new();
    put(&mut message, "Status", "Idle");
    name.put(&mut message);
    message
}

fn error_chain(domain: &str, code: i64, description: String) -> Dictionary {
    let mut entry = Dictionary::new();
    put(&mut entry, "ErrorCode", code);
    put(&mut entry, "ErrorDomain", domain);
    put(&mut entry, "LocalizedDescription", description.clone());
    put(&mut entry, "USEnglishDescription", description);
    let mut keys = Dictionary::new();
    put(&mut keys, "ErrorChain", vec![Value::Dictionary(entry)]);
    keys
}

/// `DeviceInformation`: each query that this device knows; the others are left out, as devices do.
pub(crate) fn device_information(
    hardware: &Hardware,
    is_named: bool,
    attester: Option<&Attester>,
    command: &Dictionary,
) -> Answer {
    let Some(queries) = command.get("Queries").and_then(Value::as_array) else {
        return Answer::CommandFormatError;
    };
    let mut found = Dictionary::new();
    for query in queries.iter().filter_map(Value::as_string) {
        let value = match query {
            "DevicePropertiesAttestation" => attestation(hardware, attester, command),
            "SerialNumber" | "UDID" if !is_named => None,
            _ => query_response(hardware, query),
        };
        if let Some(value) = value {
            put(&mut found, query, value);
        }
    }
    let mut keys = Dictionary::new();
    put(&mut keys, "QueryResponses", found);
    Answer::Acknowledged(keys)
}

/// Apple's word for a key that is made for it; left out by hardware that cannot.
fn attestation(
    hardware: &Hardware,
    attester: Option<&Attester>,
    command: &Dictionary,
) -> Option<Value> {
    let attester = attester.filter(|_| hardware.attests)?;
    let nonce = command.get("DeviceAttestationNonce");
    let nonce = nonce.and_then(Value::as_data);
    let key = PrivateKey::generate(KeySpec::P384).ok()?;
    let chain = attester.chain(hardware, key.public_key(), nonce).ok()?;
    Some(
        chain
            .into_iter()
            .map(Value::Data)
            .collect::<Vec<_>>()
            .into(),
    )
}

fn query_response(hardware: &Hardware, query: &str) -> Option<Value> {
    Some(match query {
        "AvailableDeviceCapacity" => Value::Real(391.25),
        "BatteryLevel" => Value::Real(0.87),
        "BuildVersion" => hardware.build_version.as_str().into(),
        "DeviceCapacity" => Value::Real(494.384_795),
        "DeviceName" => hardware.device_name.as_str().into(),
        "IsSupervised" => true.into(),
        "Model" | "ProductName" => hardware.product_name.as_str().into(),
        "ModelName" => hardware.model_name.as_str().into(),
        "OSVersion" => hardware.os_version.as_str().into(),
        "SerialNumber" => hardware.serial_number.as_str().into(),
        "UDID" => hardware.udid.as_str().into(),
        _ => return None,
    })
}
