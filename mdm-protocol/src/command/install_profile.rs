//! `InstallProfile`: puts a configuration profile on the device.

use std::fmt;

use mdm_plist::data;
use mdm_schema::{Finding, Rule, Severity};
use serde::{Deserialize, Serialize};

use crate::{command::Request, response};

/// Installs a configuration profile, signed or not.
///
/// The device installs a profile of an identifier that it has in place of the old one. Needs the
/// access right to install profiles. Apple: "InstallProfile".
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct InstallProfile {
    /// `Payload`: the profile's own bytes, XML or DER. They are base64 once, in the property list's
    /// `<data>`; never encode them beforehand (Q18).
    #[serde(with = "data::required")]
    pub payload: Vec<u8>,
}

impl InstallProfile {
    /// Installs these bytes, a profile as `mdm-profiles` or a signer wrote it.
    pub fn new(payload: impl Into<Vec<u8>>) -> Self {
        Self {
            payload: payload.into(),
        }
    }
}

impl fmt::Debug for InstallProfile {
    /// Shows the length only: profiles hold passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InstallProfile")
            .field("payload_bytes", &self.payload.len())
            .finish()
    }
}

impl Request for InstallProfile {
    const REQUEST_TYPE: &'static str = "InstallProfile";
    type Response = response::NoBody;

    fn findings(&self) -> Vec<Finding> {
        // `<?xml`, `<plist`, `bplist`, a DER SEQUENCE and PEM begin like this in base64.
        let text = self.payload.trim_ascii_start();
        let encoded = [
            &b"PD94"[..],
            b"PHBsaXN0",
            b"YnBsaXN0",
            b"MII",
            b"MIA",
            b"LS0tLS",
        ]
        .iter()
        .any(|start| text.starts_with(start));
        if encoded {
            return vec![Finding::new(
                "Payload",
                Rule::Format,
                Severity::Error,
                "is base64 inside the data, so it was encoded twice; the device refuses it",
            )];
        }
        Vec::new()
    }
}
