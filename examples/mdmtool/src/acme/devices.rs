//! Which device stands behind an identifier.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use clap::Args;
use mdm_core::{SerialNumber, Udid};
use mdm_pki::attestation::Verifier;
use mdm_scep::{
    acme::{
        DeviceAuthorizer, DeviceIdentity, DeviceQuery, ExpectedDevice, identifier::IdentifierType,
    },
    store::StoreError,
};
use mdmtool::{input, one_line};
use serde::Deserialize;

use crate::{failure::Failure, files};

/// The longest list of devices that is read, in bytes.
const MAX_LIST: usize = 64 * 1024 * 1024;

/// Whom to believe about devices, and which devices there are.
#[derive(Debug, Args)]
pub(super) struct Devices {
    /// Take orders of devices whose attestations end in this root, PEM or DER: Apple's is at
    /// https://www.apple.com/certificateauthority/private/.
    #[arg(long, value_name = "FILE", requires = "known")]
    attestation_root: Option<PathBuf>,
    /// The devices, a JSON array, read anew for each order: identifier, and what it has to attest, which is
    /// serial_number, udid or both, or for devices that withhold them user_enrollment: true; label and
    /// unattested: true as needed.
    #[arg(
        long,
        value_name = "FILE",
        requires = "attestation_root",
        group = "known"
    )]
    devices: Option<PathBuf>,
    /// Take each identifier for the serial number that the device has to attest: whoever has a genuine device gets
    /// a certificate for it.
    #[arg(long, requires = "attestation_root", group = "known")]
    identifiers_are_serials: bool,
}

/// A device in the list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    /// The `ClientIdentifier` of its profile.
    identifier: String,
    serial_number: Option<SerialNumber>,
    udid: Option<Udid>,
    /// Whether it is any device that withholds both.
    #[serde(default)]
    user_enrollment: bool,
    label: Option<String>,
    /// Whether it may answer without an attestation.
    #[serde(default)]
    unattested: bool,
}

/// Who knows the devices.
#[derive(Debug)]
pub(super) enum Known {
    List(PathBuf),
    BySerialNumber,
}

impl Devices {
    /// Who knows the devices and who verifies what they attest; none for a server without devices.
    pub(super) fn read(&self) -> Result<Option<(Known, Verifier)>, Failure> {
        let Some(root) = &self.attestation_root else {
            return Ok(None);
        };
        let roots = files::certificates(root)?;
        let verifier = Verifier::new(&roots).map_err(|error| {
            let next = "give the root that the attestations end in";
            Failure::input(format!("{}: {}", root.display(), one_line(&error)), next)
        })?;
        let known = match &self.devices {
            None => Known::BySerialNumber,
            Some(file) => {
                // Read for each order; what is wrong with it now is better told now.
                list(file).map_err(|problem| {
                    let next = "give a JSON array such as [{\"identifier\": \"..\", \"serial_number\": \"..\"}]";
                    Failure::input(problem, next)
                })?;
                Known::List(file.clone())
            }
        };
        Ok(Some((known, verifier)))
    }
}

fn list(file: &Path) -> Result<Vec<Listed>, String> {
    let bytes = input::read(file, MAX_LIST).map_err(|error| one_line(&error))?;
    let listed: Vec<Listed> =
        serde_json::from_slice(&bytes).map_err(|error| format!("{}: {error}", file.display()))?;
    match listed.iter().find(|device| device.identity().is_none()) {
        None => Ok(listed),
        Some(device) => Err(format!(
            "{}: {:?} has to have a serial_number or a udid, or else user_enrollment",
            file.display(),
            device.identifier
        )),
    }
}

#[async_trait]
impl DeviceAuthorizer for Known {
    async fn expect(&self, query: &DeviceQuery<'_>) -> Result<Option<ExpectedDevice>, StoreError> {
        if query.identifier.kind != IdentifierType::PermanentIdentifier {
            return Ok(None);
        }
        let value = query.identifier.value.as_str();
        Ok(match self {
            Self::BySerialNumber => SerialNumber::new(value)
                .ok()
                .map(|serial| ExpectedDevice::new(value, DeviceIdentity::SerialNumber(serial))),
            Self::List(file) => list(file)
                .map_err(StoreError::unavailable)?
                .into_iter()
                .find(|device| device.identifier == value)
                .and_then(Listed::expected),
        })
    }
}

impl Listed {
    /// What it has to attest; none for an entry that does not say exactly that.
    fn identity(&self) -> Option<DeviceIdentity> {
        let (serial, udid) = (self.serial_number.clone(), self.udid.clone());
        match (serial, udid, self.user_enrollment) {
            (Some(serial_number), Some(udid), false) => Some(DeviceIdentity::Both {
                serial_number,
                udid,
            }),
            (Some(serial_number), None, false) => Some(DeviceIdentity::SerialNumber(serial_number)),
            (None, Some(udid), false) => Some(DeviceIdentity::Udid(udid)),
            (None, None, true) => Some(DeviceIdentity::UserEnrollment),
            _ => None,
        }
    }

    fn expected(self) -> Option<ExpectedDevice> {
        let identity = self.identity()?;
        let label = self.label.unwrap_or(self.identifier);
        let device = ExpectedDevice::new(label, identity);
        Some(device.with(|device| device.unattested = self.unattested))
    }
}
