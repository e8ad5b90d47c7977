//! Accounts elsewhere that new accounts are bound to (RFC 8555 section 7.3.4).

use std::{fmt, sync::Arc};

use async_trait::async_trait;

use crate::{acme::jws::ExternalAccountKey, store::StoreError};

/// Knows the keys that somebody was given out of band.
#[async_trait]
pub trait ExternalAccounts: fmt::Debug + Send + Sync {
    /// The key of this name, if its account may be bound. Each is bound to one account of ACME and no other.
    ///
    /// # Errors
    /// Where that cannot be said now.
    async fn key(&self, kid: &str) -> Result<Option<ExternalAccountKey>, StoreError>;
}

/// Whether new accounts are bound to accounts elsewhere.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ExternalAccountRule {
    /// They are not; whoever tries is refused.
    Off,
    /// They may be.
    Optional(Arc<dyn ExternalAccounts>),
    /// They have to be. Apple's devices cannot: below a secret segment of the directory, accounts are made without a
    /// binding, and such accounts can order for devices alone.
    Required(Arc<dyn ExternalAccounts>),
}

impl ExternalAccountRule {
    pub(super) fn is_required(&self) -> bool {
        matches!(self, Self::Required(_))
    }

    pub(super) fn accounts(&self) -> Option<&dyn ExternalAccounts> {
        match self {
            Self::Off => None,
            Self::Optional(accounts) | Self::Required(accounts) => Some(&**accounts),
        }
    }
}
