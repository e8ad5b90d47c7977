//! `com.apple.security.scep`: the device makes a key and has a SCEP server certify it.

use mdm_core::Secret;
use mdm_plist::data;
use serde::{Deserialize, Serialize};

use super::Payload;

/// A SCEP enrolment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct Scep {
    /// `PayloadContent`.
    pub payload_content: ScepContent,
}

impl Scep {
    /// A payload of this content.
    pub fn new(payload_content: ScepContent) -> Self {
        Self { payload_content }
    }
}

impl Payload for Scep {
    const PAYLOAD_TYPE: &'static str = "com.apple.security.scep";
}

/// Where and how to enrol.
///
/// Where `keysize` is absent some clients make a key of 1024 bits (Q7), so `new` asks for 2048.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct ScepContent {
    /// `URL` of the SCEP server.
    #[serde(rename = "URL")]
    pub url: String,
    /// `Name`: what the server calls itself; some servers want it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `Subject`: a list of relative names, each a list of pairs of attribute and value, such as
    /// `[[["O", "Example"]], [["CN", "%SerialNumber%"]]]`. Attributes are short names or dotted
    /// numbers; the device fills in `%SerialNumber%`, `%HardwareUUID%`, `%ComputerName%`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Vec<Vec<(String, String)>>>,
    /// `Challenge`: the word that lets the request through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge: Option<Secret<String>>,
    /// `Keysize` in bits: 1024, 2048 or 4096.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keysize: Option<u32>,
    /// `Key Type`: `RSA` is the only one.
    #[serde(rename = "Key Type", default, skip_serializing_if = "Option::is_none")]
    pub key_type: Option<String>,
    /// `Key Usage`: 1 to sign, 4 to encrypt, 5 both.
    #[serde(rename = "Key Usage", default, skip_serializing_if = "Option::is_none")]
    pub key_usage: Option<u32>,
    /// `CAFingerprint`: SHA-1, SHA-256 or another digest of the authority's certificate; the device
    /// then takes no other.
    #[serde(
        rename = "CAFingerprint",
        default,
        with = "data::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub ca_fingerprint: Option<Vec<u8>>,
    /// `Retries`: how often to ask while the server answers "pending".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
    /// `RetryDelay` between two such questions, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_delay: Option<u32>,
    /// `SubjectAltName`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_alt_name: Option<SubjectAltName>,
    /// `KeyIsExtractable`: whether the private key may leave the Mac's keychain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_is_extractable: Option<bool>,
    /// `AllowAllAppsAccess`: whether every app of the Mac may use the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_all_apps_access: Option<bool>,
}

impl ScepContent {
    /// An RSA key of 2048 bits to sign and to encrypt, certified by the server at `url`.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            name: None,
            subject: None,
            challenge: None,
            keysize: Some(2048),
            key_type: Some("RSA".to_owned()),
            key_usage: Some(5),
            ca_fingerprint: None,
            retries: None,
            retry_delay: None,
            subject_alt_name: None,
            key_is_extractable: None,
            allow_all_apps_access: None,
        }
    }

    /// Sets optional keys.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Self)) -> Self {
        set(&mut self);
        self
    }

    /// Sets a subject with one common name, which may hold a variable such as `%SerialNumber%`.
    #[must_use]
    pub fn common_name(self, name: impl Into<String>) -> Self {
        let pair = ("CN".to_owned(), name.into());
        self.with(|content| content.subject.get_or_insert_default().push(vec![pair]))
    }
}

/// Further names; each takes one text, or a list of them except `ntPrincipalName` (Q7).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SubjectAltName {
    /// `rfc822Name`: mail addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "one_or_many")]
    pub rfc822_name: Vec<String>,
    /// `dNSName`: host names.
    #[serde(
        rename = "dNSName",
        default,
        skip_serializing_if = "Vec::is_empty",
        with = "one_or_many"
    )]
    pub dns_name: Vec<String>,
    /// `uniformResourceIdentifier`.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "one_or_many")]
    pub uniform_resource_identifier: Vec<String>,
    /// `ntPrincipalName`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nt_principal_name: Option<String>,
}

impl SubjectAltName {
    /// Sets some names.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Self)) -> Self {
        set(&mut self);
        self
    }
}

/// A string or an array of them; written as the string where there is one.
mod one_or_many {
    use mdm_plist::Value;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(texts: &[String], s: S) -> Result<S::Ok, S::Error> {
        match texts {
            [one] => one.serialize(s),
            many => many.serialize(s),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<String>, D::Error> {
        let wrong = || D::Error::custom("expected a string or an array of strings");
        match Value::deserialize(d)? {
            Value::String(one) => Ok(vec![one]),
            Value::Array(many) => many
                .into_iter()
                .map(|value| value.into_string().ok_or_else(wrong))
                .collect(),
            _ => Err(wrong()),
        }
    }
}
