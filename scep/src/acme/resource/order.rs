//! Orders (RFC 8555 sections 7.1.3 and 7.4).

use chrono::{DateTime, Datelike, Utc};
use mdm_core::open_enum;
use serde::{Deserialize, Deserializer, Serialize};

use crate::acme::{ari::CertId, base64url, identifier::Identifier, problem::Problem};

open_enum! {
    /// How far an order is.
    pub enum OrderStatus {
        /// Not all of its authorizations are valid.
        Pending = "pending",
        /// It waits for its CSR.
        Ready = "ready",
        /// The certificate is being issued.
        Processing = "processing",
        /// The certificate is issued.
        Valid = "valid",
        /// It will come to nothing.
        Invalid = "invalid",
    }
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Order {
    /// How far it is.
    pub status: OrderStatus,
    /// Until when the server keeps it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<DateTime<Utc>>,
    /// What the certificate is for.
    pub identifiers: Vec<Identifier>,
    /// When the certificate's validity is to begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<DateTime<Utc>>,
    /// When it is to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<DateTime<Utc>>,
    /// Why it came to nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
    /// The URLs of what has to be proven.
    #[serde(default)]
    pub authorizations: Vec<String>,
    /// Where the CSR goes.
    pub finalize: String,
    /// Where the certificate is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// The certificate that this one takes the place of (RFC 9773 section 5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<CertId>,
    /// The profile that it is issued by (draft-aaron-acme-profiles).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}

impl Order {
    /// An order of these identifiers, whose CSR goes to `finalize`.
    pub fn new(
        status: OrderStatus,
        identifiers: Vec<Identifier>,
        finalize: impl Into<String>,
    ) -> Self {
        Self {
            status,
            expires: None,
            identifiers,
            not_before: None,
            not_after: None,
            error: None,
            authorizations: Vec::new(),
            finalize: finalize.into(),
            certificate: None,
            replaces: None,
            profile: None,
        }
    }

    /// The order with changes.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// A request for an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct NewOrder {
    /// What the certificate is for.
    pub identifiers: Vec<Identifier>,
    /// When the certificate's validity is to begin.
    #[serde(
        default,
        deserialize_with = "wished",
        skip_serializing_if = "Option::is_none"
    )]
    pub not_before: Option<DateTime<Utc>>,
    /// When it is to end.
    #[serde(
        default,
        deserialize_with = "wished",
        skip_serializing_if = "Option::is_none"
    )]
    pub not_after: Option<DateTime<Utc>>,
    /// The certificate that this one takes the place of (RFC 9773 section 5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<CertId>,
    /// A profile of the directory's (draft-aaron-acme-profiles).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}

/// A time that is asked for. smallstep's client writes the year 1 for one that is not, as Go has it.
fn wished<'de, D>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error>
where
    D: Deserializer<'de>,
{
    let time: Option<DateTime<Utc>> = Option::deserialize(deserializer)?;
    Ok(time.filter(|time| time.year() > 1))
}

impl NewOrder {
    /// A request for a certificate of these identifiers.
    pub fn new(identifiers: impl IntoIterator<Item = Identifier>) -> Self {
        Self {
            identifiers: identifiers.into_iter().collect(),
            not_before: None,
            not_after: None,
            replaces: None,
            profile: None,
        }
    }

    /// The request with changes.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// The last step of an order: its CSR.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Finalize {
    /// The CSR in DER; base64url in JSON.
    #[serde(with = "base64url::bytes")]
    pub csr: Vec<u8>,
}

impl Finalize {
    /// The CSR in DER.
    pub fn new(csr: impl Into<Vec<u8>>) -> Self {
        Self { csr: csr.into() }
    }
}
