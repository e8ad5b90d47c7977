//! Commands.

use mdm_plist::{Dictionary, Value};
use mdm_profiles::{Profile, detect};
use mdm_protocol::{Command, command::InstallProfile};
use mdm_schema::{Finding, Rule, Severity, path};

use super::{Options, certificate};
use crate::{
    document::{Document, Kind},
    error::Error,
    json,
};

pub(super) fn decode(document: Dictionary, options: &Options) -> Result<Document, Error> {
    let body = json::dictionary(&document);
    let (mut command, findings) =
        Command::from_dictionary(document).map_err(|error| Error::NotAs {
            kind: Kind::Command.as_str(),
            problem: error.to_string(),
        })?;
    if let Some(name) = options.name_for(Kind::Command)
        && command.request_type().is_empty()
    {
        command = Command::from_keys(command.command_uuid(), name, command.keys().clone());
    }
    let name = match command.request_type() {
        "" => guess(command.keys()),
        named => Some(named),
    };
    let mut told = Document::new(Kind::Command, name, body);
    told.findings = findings;
    told.findings.extend(command.findings());
    told.list_unknown(command.beside().keys());
    embedded(&command, &mut told.findings);
    Ok(told)
}

/// The type of a command that names none, by a key that only one type has.
fn guess(keys: &Dictionary) -> Option<&'static str> {
    let telling = [
        ("RequestList", "LOMDeviceRequest"),
        ("Queries", "DeviceInformation"),
        ("ProvisioningProfile", "InstallProvisioningProfile"),
        ("Payload", "InstallProfile"),
        ("KeyType", "RotateFileVaultKey"),
        ("UnlockToken", "ClearPasscode"),
        ("Updates", "ScheduleOSUpdate"),
        ("Settings", "Settings"),
    ];
    let found = telling.iter().find(|(key, _)| keys.contains_key(key))?;
    Some(found.1)
}

/// What commands carry inside: profiles and certificates.
fn embedded(command: &Command, findings: &mut Vec<Finding>) {
    if let Ok(install) = command.request::<InstallProfile>() {
        let readable = match detect::packing(install.payload.expose()) {
            Some(detect::Packing::Cms | detect::Packing::Pem) => true,
            _ => Profile::decode(install.payload.expose()).is_ok(),
        };
        if !readable {
            findings.push(Finding::new(
                "Command.Payload",
                Rule::Unreadable,
                Severity::Error,
                "is no configuration profile",
            ));
        }
    }
    let keys = command.keys();
    for key in ["ReplyEncryptionCertificate", "NewCertificate"] {
        if let Some(Value::Data(bytes)) = keys.get(key) {
            findings.extend(certificate::finding(&path::join("Command", key), bytes));
        }
    }
    let pins = keys
        .get("ManifestURLPinningCerts")
        .and_then(Value::as_array);
    for (index, pin) in pins.into_iter().flatten().enumerate() {
        if let Value::Data(bytes) = pin {
            let at = path::index("Command.ManifestURLPinningCerts", index);
            findings.extend(certificate::finding(&at, bytes));
        }
    }
}
