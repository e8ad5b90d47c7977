//! Secrets that are kept for good.

use std::fmt;

use async_trait::async_trait;
use mdm_protocol::EnrollmentId;

use super::StoreError;
use crate::{EscrowEntry, EscrowKind, queue::Sequence};

/// Secrets that open devices. Entries are added and never changed: the one before the last may be the
/// one that fits.
#[async_trait]
pub trait EscrowStore: fmt::Debug + Send + Sync {
    /// Keeps all entries, in their order, or none.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed: then none is kept.
    async fn escrow(&self, entries: Vec<EscrowEntry>) -> Result<(), StoreError>;

    /// The entries of one enrolment, of one kind or of all, the newest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot answer.
    async fn escrowed(
        &self,
        id: &EnrollmentId,
        kind: Option<&EscrowKind>,
        limit: usize,
    ) -> Result<Vec<EscrowEntry>, StoreError>;

    /// All entries after `after`, the oldest first, at most `limit`: for a backup.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot answer.
    async fn escrow_page(
        &self,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<(Sequence, EscrowEntry)>, StoreError>;
}
