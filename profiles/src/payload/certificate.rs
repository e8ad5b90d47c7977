//! `com.apple.security.root` and its relatives: a certificate to trust, or to refer to.

use mdm_plist::data;
use serde::{Deserialize, Serialize};

use super::Payload;

macro_rules! certificate_payload {
    ($($(#[$doc:meta])* $name:ident = $payload_type:literal;)+) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "PascalCase")]
        #[non_exhaustive]
        pub struct $name {
            /// `PayloadContent`: the certificate, DER or PEM.
            #[serde(with = "data::required")]
            pub payload_content: Vec<u8>,
            /// `PayloadCertificateFileName`: for people.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub payload_certificate_file_name: Option<String>,
        }

        impl $name {
            /// The certificate in DER.
            pub fn new(der: impl Into<Vec<u8>>) -> Self {
                Self {
                    payload_content: der.into(),
                    payload_certificate_file_name: None,
                }
            }
        }

        impl Payload for $name {
            const PAYLOAD_TYPE: &'static str = $payload_type;
        }
    )+ };
}

certificate_payload! {
    /// A root certificate, which the device then trusts (`com.apple.security.root`).
    RootCertificate = "com.apple.security.root";
    /// A certificate without trust of its own (`com.apple.security.pkcs1`): an intermediate one.
    Certificate = "com.apple.security.pkcs1";
}
