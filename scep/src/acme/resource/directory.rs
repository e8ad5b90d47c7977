//! Where a server's resources are (RFC 8555 section 7.1.1).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::is_false;

/// The directory: URLs to begin with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Directory {
    /// Nonces.
    pub new_nonce: String,
    /// Accounts.
    pub new_account: String,
    /// Orders.
    pub new_order: String,
    /// Authorizations ahead of an order, where the server offers these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_authz: Option<String>,
    /// Revocation; some servers leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoke_cert: Option<String>,
    /// Key change; some servers leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_change: Option<String>,
    /// Advice on renewal, where the server gives it (RFC 9773).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewal_info: Option<String>,
    /// What else there is to know.
    #[serde(default)]
    pub meta: DirectoryMeta,
}

impl Directory {
    /// A directory of what every server has.
    pub fn new(
        new_nonce: impl Into<String>,
        new_account: impl Into<String>,
        new_order: impl Into<String>,
    ) -> Self {
        Self {
            new_nonce: new_nonce.into(),
            new_account: new_account.into(),
            new_order: new_order.into(),
            new_authz: None,
            revoke_cert: None,
            key_change: None,
            renewal_info: None,
            meta: DirectoryMeta::default(),
        }
    }

    /// The directory with changes.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// What a directory says of the server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct DirectoryMeta {
    /// Where the terms of service are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms_of_service: Option<String>,
    /// Where to read about the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub website: Option<String>,
    /// What the server calls itself in CAA records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub caa_identities: Vec<String>,
    /// Whether a new account needs an external account binding.
    #[serde(default, skip_serializing_if = "is_false")]
    pub external_account_required: bool,
    /// The profiles that an order may name, and what they are (draft-aaron-acme-profiles).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub profiles: BTreeMap<String, String>,
}

impl DirectoryMeta {
    /// This with changes.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}
