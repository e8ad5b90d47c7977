//! Accounts (RFC 8555 sections 7.1.2 and 7.3).

use mdm_core::open_enum;
use serde::{Deserialize, Serialize};

use super::{if_readable, is_false, or_default};
use crate::acme::{jwk::Jwk, jws::FlattenedJws};

open_enum! {
    /// What has become of an account.
    pub enum AccountStatus {
        /// It may be used.
        Valid = "valid",
        /// Its holder has given it up.
        Deactivated = "deactivated",
        /// The server has taken it away.
        Revoked = "revoked",
    }
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Account {
    /// What has become of it.
    pub status: AccountStatus,
    /// How to reach its holder: URLs, mostly `mailto:`.
    #[serde(
        default,
        deserialize_with = "or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub contact: Vec<String>,
    /// Whether the terms of service were agreed to.
    #[serde(
        default,
        deserialize_with = "or_default",
        skip_serializing_if = "is_false"
    )]
    pub terms_of_service_agreed: bool,
    /// Where its orders are listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orders: Option<String>,
    /// By what it was bound to an account with the server's operator, as it was asked for; nothing where the server tells it in
    /// a form of its own.
    #[serde(
        default,
        deserialize_with = "if_readable",
        skip_serializing_if = "Option::is_none"
    )]
    pub external_account_binding: Option<FlattenedJws>,
}

impl Account {
    /// An account of this status.
    pub fn new(status: AccountStatus) -> Self {
        Self {
            status,
            contact: Vec::new(),
            terms_of_service_agreed: false,
            orders: None,
            external_account_binding: None,
        }
    }

    /// The account with changes.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// A request for an account, signed with the account's key itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct NewAccount {
    /// How to reach its holder.
    #[serde(
        default,
        deserialize_with = "or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub contact: Vec<String>,
    /// Whether the holder agrees to the terms of service.
    #[serde(
        default,
        deserialize_with = "or_default",
        skip_serializing_if = "is_false"
    )]
    pub terms_of_service_agreed: bool,
    /// Whether to answer with the account that the key has, and to make none.
    #[serde(
        default,
        deserialize_with = "or_default",
        skip_serializing_if = "is_false"
    )]
    pub only_return_existing: bool,
    /// The account with the server's operator that this one belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_account_binding: Option<FlattenedJws>,
}

impl NewAccount {
    /// A request with changes to nothing.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// A change of an account (RFC 8555 sections 7.3.2 and 7.3.6). What is not there stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct AccountUpdate {
    /// How to reach its holder from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<Vec<String>>,
    /// Whether the holder agrees to new terms of service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms_of_service_agreed: Option<bool>,
    /// [`AccountStatus::Deactivated`], to give it up for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<AccountStatus>,
}

impl AccountUpdate {
    /// An update with changes to nothing.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// What the new key signs when an account changes its key (RFC 8555 section 7.3.5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct KeyChange {
    /// The account's URL.
    pub account: String,
    /// The key that it has so far.
    pub old_key: Jwk,
}

impl KeyChange {
    /// A change of this account's key, which so far is `old_key`.
    pub fn new(account: impl Into<String>, old_key: Jwk) -> Self {
        Self {
            account: account.into(),
            old_key,
        }
    }
}

/// A page of an account's orders (RFC 8555 section 7.1.2.1); the next one is a `Link` of the answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OrderList {
    /// The orders' URLs.
    #[serde(default)]
    pub orders: Vec<String>,
}

impl OrderList {
    /// A page.
    pub fn new(orders: Vec<String>) -> Self {
        Self { orders }
    }
}
