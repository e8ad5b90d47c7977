//! Invitations between the profile that carries them and the device that spends them.

use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::StoreError;
use crate::Invitation;

/// Invitations. A commit spends them: [`Step::invitation`](crate::enrollment::decide::Step::invitation).
#[async_trait]
pub trait InvitationStore: fmt::Debug + Send + Sync {
    /// Keeps an invitation. One of that name that is there stays as it is.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed: then it is not kept.
    async fn invite(&self, invitation: Invitation) -> Result<(), StoreError>;

    /// The invitation of that name.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot answer.
    async fn invitation(&self, id: &str) -> Result<Option<Invitation>, StoreError>;

    /// Deletes invitations that expired by `now` and were never spent, at most `limit` at once, and
    /// tells how many.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed: then none is deleted.
    async fn forget_invitations(
        &self,
        now: DateTime<Utc>,
        limit: usize,
    ) -> Result<usize, StoreError>;
}
