//! What Apple tells a device at activation: which server manages it, and whom to trust.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use mdm_pki::Certificate;
use serde_json::Value;

use crate::Error;

/// The part of an assigned ADE profile that Setup Assistant acts on.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Activation {
    /// Where to ask for the enrolment profile (`url`).
    pub url: String,
    /// Certificates that the server's chain and the profile's signer may end at (`anchor_certs`).
    pub anchors: Vec<Certificate>,
}

impl Activation {
    /// Reads the JSON of a profile as the device-assignment service delivers it.
    ///
    /// # Errors
    /// [`Error::Profile`] when `url` is missing or an anchor certificate cannot be read.
    pub fn from_json(profile: &Value) -> Result<Self, Error> {
        let url = profile["url"]
            .as_str()
            .ok_or(Error::Profile("url"))?
            .to_owned();
        let anchors = profile["anchor_certs"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|anchor| {
                let der = STANDARD.decode(anchor.as_str().unwrap_or_default()).ok();
                der.and_then(|der| Certificate::from_der(&der).ok())
                    .ok_or(Error::Profile("anchor_certs"))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { url, anchors })
    }
}
