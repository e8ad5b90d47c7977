//! Authorizations and their challenges (RFC 8555 sections 7.1.4, 7.1.5 and 8).

use chrono::{DateTime, Utc};
use mdm_core::open_enum;
use serde::{Deserialize, Serialize};

use super::is_false;
use crate::acme::{base64url, identifier::Identifier, json::present, problem::Problem};

open_enum! {
    /// How far an authorization is.
    pub enum AuthorizationStatus {
        /// It waits for one of its challenges.
        Pending = "pending",
        /// The identifier is proven.
        Valid = "valid",
        /// It was not proven.
        Invalid = "invalid",
        /// Its account's holder has given it up.
        Deactivated = "deactivated",
        /// It was valid once.
        Expired = "expired",
        /// The server has taken it away.
        Revoked = "revoked",
    }
}

/// An account's right to a certificate of one identifier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Authorization {
    /// What is to be proven.
    pub identifier: Identifier,
    /// How far it is.
    pub status: AuthorizationStatus,
    /// Until when it is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<DateTime<Utc>>,
    /// The ways to prove it, of which one is enough; of a valid one, the way that was taken.
    #[serde(default)]
    pub challenges: Vec<Challenge>,
    /// Whether the order was for a wildcard of the host name.
    #[serde(default, skip_serializing_if = "is_false")]
    pub wildcard: bool,
}

impl Authorization {
    /// An authorization for this identifier.
    pub fn new(
        identifier: Identifier,
        status: AuthorizationStatus,
        challenges: Vec<Challenge>,
    ) -> Self {
        Self {
            identifier,
            status,
            expires: None,
            challenges,
            wildcard: false,
        }
    }

    /// The authorization with changes.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Why it came to nothing: the problem of a challenge.
    pub fn problem(&self) -> Option<&Problem> {
        self.challenges
            .iter()
            .find_map(|challenge| challenge.error.as_ref())
    }
}

/// A request for an authorization ahead of any order (RFC 8555 section 7.4.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NewAuthorization {
    /// What is to be proven, as it is to stand in certificates: no wildcard.
    pub identifier: Identifier,
}

impl NewAuthorization {
    /// For this identifier.
    pub fn new(identifier: Identifier) -> Self {
        Self { identifier }
    }
}

/// A change of an authorization: its holder gives it up (RFC 8555 section 7.5.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AuthorizationUpdate {
    /// [`AuthorizationStatus::Deactivated`].
    pub status: AuthorizationStatus,
}

impl AuthorizationUpdate {
    /// The holder gives it up.
    pub fn deactivate() -> Self {
        Self {
            status: AuthorizationStatus::Deactivated,
        }
    }
}

open_enum! {
    /// A way to prove an identifier.
    pub enum ChallengeType {
        /// A file on the host's web server (RFC 8555 section 8.3).
        Http01 = "http-01",
        /// A TXT record (RFC 8555 section 8.4).
        Dns01 = "dns-01",
        /// A certificate shown by TLS (RFC 8737).
        TlsAlpn01 = "tls-alpn-01",
        /// An attestation by the device's maker (draft-ietf-acme-device-attest section 5).
        DeviceAttest01 = "device-attest-01",
    }
}

open_enum! {
    /// How far a challenge is.
    pub enum ChallengeStatus {
        /// It waits for its response.
        Pending = "pending",
        /// The server looks at the response.
        Processing = "processing",
        /// The response was right.
        Valid = "valid",
        /// It was not.
        Invalid = "invalid",
    }
}

/// A challenge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Challenge {
    /// What to do.
    #[serde(rename = "type")]
    pub kind: ChallengeType,
    /// Where the response goes.
    pub url: String,
    /// How far it is.
    pub status: ChallengeStatus,
    /// When the server found the response right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validated: Option<DateTime<Utc>>,
    /// Why the server found it wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
    /// What makes the challenge fresh: all types that are known here have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

impl Challenge {
    /// A challenge that waits for its response.
    pub fn new(kind: ChallengeType, url: impl Into<String>, token: impl Into<String>) -> Self {
        Self {
            kind,
            url: url.into(),
            status: ChallengeStatus::Pending,
            validated: None,
            error: None,
            token: Some(token.into()),
        }
    }

    /// The challenge with changes.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// The response to a challenge: empty, but for `device-attest-01`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct AttestationResponse {
    /// The attestation in CBOR, base64url in JSON; `None` from a device that does not attest.
    #[serde(
        default,
        deserialize_with = "optional_bytes",
        serialize_with = "write_bytes",
        skip_serializing_if = "Option::is_none"
    )]
    pub att_obj: Option<Vec<u8>>,
}

impl AttestationResponse {
    /// A response with this attestation.
    pub fn new(att_obj: impl Into<Vec<u8>>) -> Self {
        Self {
            att_obj: Some(att_obj.into()),
        }
    }
}

#[derive(Deserialize)]
struct Bytes(#[serde(with = "base64url::bytes")] Vec<u8>);

fn optional_bytes<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<u8>>, D::Error> {
    Ok(present::<Bytes, D>(deserializer)?.map(|bytes| bytes.0))
}

#[allow(clippy::ref_option)] // serde gives a reference to the member
fn write_bytes<S: serde::Serializer>(
    bytes: &Option<Vec<u8>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    base64url::bytes::serialize(bytes.as_deref().unwrap_or_default(), serializer)
}
