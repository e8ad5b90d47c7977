//! What a certificate is asked for (RFC 8555 section 9.7.7; draft-ietf-acme-device-attest sections 3 and 4).

use std::fmt;

use mdm_core::open_enum;
use mdm_pki::GeneralName;
use serde::{Deserialize, Serialize};

use super::attest::general_name;

open_enum! {
    /// The kind of an identifier. An unknown one is kept.
    pub enum IdentifierType {
        /// A host name, with `*.` in front for a wildcard in an order.
        Dns = "dns",
        /// An IP address (RFC 8738).
        Ip = "ip",
        /// A name of a device that lasts (RFC 4043): the `ClientIdentifier` of Apple's ACME payload.
        PermanentIdentifier = "permanent-identifier",
        /// A serial number of a hardware module (RFC 4108).
        HardwareModule = "hardware-module",
    }
}

/// One name that is to be proven and certified. Its text is kept as it came; who issues decides what it may be.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Identifier {
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: IdentifierType,
    /// The name itself.
    pub value: String,
}

impl Identifier {
    /// An identifier of this kind.
    pub fn new(kind: IdentifierType, value: impl Into<String>) -> Self {
        Self {
            kind,
            value: value.into(),
        }
    }

    /// A host name.
    pub fn dns(name: impl Into<String>) -> Self {
        Self::new(IdentifierType::Dns, name)
    }

    /// A device by the `ClientIdentifier` of its ACME payload.
    pub fn permanent_identifier(value: impl Into<String>) -> Self {
        Self::new(IdentifierType::PermanentIdentifier, value)
    }

    /// As names of its kind are compared: host names have no case (RFC 4343), and stand in lower case.
    pub(crate) fn folded(&self) -> Self {
        let value = match self.kind {
            IdentifierType::Dns => self.value.to_ascii_lowercase(),
            _ => self.value.clone(),
        };
        Self::new(self.kind.clone(), value)
    }

    /// The alternative name that stands for a device's identifier in its certificate (RFC 4043, RFC 4108); nothing for
    /// what is none. The authority takes it from what was proven, whatever the CSR says.
    pub fn general_name(&self) -> Option<GeneralName> {
        general_name(self)
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.kind, self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_and_unknown_kinds_survive_a_round_trip() {
        for json in [
            r#"{"type":"dns","value":"*.example.com"}"#,
            r#"{"type":"permanent-identifier","value":"C02XK0AAJGH5"}"#,
            r#"{"type":"hardware-module","value":"AAE"}"#,
            r#"{"type":"email","value":"ada@example.com"}"#,
        ] {
            let read: Identifier = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), json);
        }
        let read: Identifier = serde_json::from_str(r#"{"type":"dns","value":"a","x":1}"#).unwrap();
        assert_eq!(read, Identifier::dns("a"));
        assert!(serde_json::from_str::<Identifier>(r#"{"type":"dns"}"#).is_err());
        let twice = r#"{"type":"dns","value":"a","value":"b"}"#;
        assert!(serde_json::from_str::<Identifier>(twice).is_err());
    }

    #[test]
    fn a_name_is_shown_without_line_breaks() {
        let shown = Identifier::permanent_identifier("a\nb").to_string();
        assert_eq!(shown, r#"permanent-identifier "a\nb""#);
    }
}
