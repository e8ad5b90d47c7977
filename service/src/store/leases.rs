//! Which of many nodes does a piece of work.

use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::StoreError;

/// Work that one node does at a time, by name.
#[async_trait]
pub trait LeaseStore: fmt::Debug + Send + Sync {
    /// Takes or renews the lease of that name until `until`; whether `holder` has it now. It has not if
    /// somebody else's ends after `now`.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed: then nobody else's lease has changed.
    async fn lease(
        &self,
        name: &str,
        holder: &str,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<bool, StoreError>;

    /// Gives the lease back, if `holder` has it.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed: then it ends by itself.
    async fn release(&self, name: &str, holder: &str) -> Result<(), StoreError>;
}
