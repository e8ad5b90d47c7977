//! Revocation (RFC 8555 section 7.6).

use mdm_pki::RevocationReason;
use serde::{Deserialize, Serialize};

use crate::acme::base64url;

/// A request to revoke a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RevokeCert {
    /// The certificate in DER; base64url in JSON.
    #[serde(with = "base64url::bytes")]
    pub certificate: Vec<u8>,
    /// Why, as a number of RFC 5280 section 5.3.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<u8>,
}

impl RevokeCert {
    /// A request to revoke this certificate (DER); `None` gives no reason.
    pub fn new(certificate: impl Into<Vec<u8>>, reason: Option<RevocationReason>) -> Self {
        Self {
            certificate: certificate.into(),
            reason: reason.map(RevocationReason::number),
        }
    }

    /// The reason, where it is one that a full revocation list can hold; none given is
    /// [`RevocationReason::Unspecified`]. `None` is for `badRevocationReason`.
    pub fn reason(&self) -> Option<RevocationReason> {
        self.reason
            .map_or(Some(RevocationReason::Unspecified), |number| {
                RevocationReason::from_number(number)
            })
    }
}
