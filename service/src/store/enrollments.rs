//! Devices and their users.

use std::fmt;

use async_trait::async_trait;
use mdm_core::SerialNumber;
use mdm_protocol::EnrollmentId;

use super::StoreError;
use crate::{
    Enrollment, EnrollmentStatus, Fingerprint, PushTarget,
    enrollment::decide::{Loaded, Step, Version},
};

/// Devices, their users, the certificates pinned to them, and the places that they take.
#[async_trait]
pub trait EnrollmentStore: fmt::Debug + Send + Sync {
    /// What is known of the device of `id`, of the user if `id` is a user's, and of `certificate`.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot answer.
    async fn load(
        &self,
        id: &EnrollmentId,
        certificate: &Fingerprint,
    ) -> Result<Loaded, StoreError>;

    /// Commits a step as one: states, cascade, pinned certificate, places, invitation, escrow and
    /// events, or nothing of it.
    ///
    /// - `last_seen_at` is kept where the stored one is later.
    /// - No push is due any more for whom it does not leave [pushable](Enrollment::is_pushable); with
    ///   [`Step::wakes`] one is due for `id` at the step's time at the latest, if a command waits.
    ///
    /// # Errors
    /// [`CommitError`], the first that applies in the order of its variants; then nothing is recorded.
    async fn commit(
        &self,
        id: &EnrollmentId,
        version: Version,
        step: Step,
    ) -> Result<(), CommitError>;

    /// One enrolment as it is.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot answer.
    async fn enrollment(&self, id: &EnrollmentId) -> Result<Option<Enrollment>, StoreError>;

    /// The enrolments that `filter` takes, in the order of their ids' texts (byte by byte), after
    /// `after` and at most `limit`. One that comes or goes meanwhile repeats or hides no other.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot answer.
    async fn enrollments(
        &self,
        filter: &EnrollmentFilter,
        after: Option<&EnrollmentId>,
        limit: usize,
    ) -> Result<Vec<Enrollment>, StoreError>;

    /// How many devices have a place in the pool.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot answer.
    async fn places_taken(&self, pool: &str) -> Result<u64, StoreError>;

    /// Where to push each of `ids`, in their order; `None` for one that is not
    /// [pushable](Enrollment::is_pushable).
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot answer.
    async fn push_targets(
        &self,
        ids: &[EnrollmentId],
    ) -> Result<Vec<Option<PushTarget>>, StoreError>;
}

/// Which enrolments are listed: those that fulfil every condition that is set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct EnrollmentFilter {
    /// Those that came so far.
    pub status: Option<EnrollmentStatus>,
    /// Devices, and no users.
    pub devices_only: bool,
    /// The device of this enrolment, and its users.
    pub device: Option<EnrollmentId>,
    /// Those with this serial number.
    pub serial_number: Option<SerialNumber>,
    /// Those of this account.
    pub owner: Option<String>,
    /// Those that take a place in this pool.
    pub licence: Option<String>,
}

impl EnrollmentFilter {
    /// All enrolments.
    pub fn new() -> Self {
        Self::default()
    }

    /// The filter after `edit`: sets several conditions in one expression.
    #[must_use]
    pub fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }

    /// Whether it takes `enrollment`.
    pub fn takes(&self, enrollment: &Enrollment) -> bool {
        let id = &enrollment.id;
        let is =
            |wanted: &Option<String>, found: &Option<String>| wanted.is_none() || wanted == found;
        self.status.is_none_or(|status| enrollment.status == status)
            && !(self.devices_only && id.channel().is_user())
            && self
                .device
                .as_ref()
                .is_none_or(|device| id.of_device() == device.of_device())
            && (self.serial_number.is_none() || self.serial_number == enrollment.serial_number)
            && is(&self.owner, &enrollment.owner)
            && self
                .licence
                .as_ref()
                .is_none_or(|pool| enrollment.licences.contains(pool))
    }
}

/// Why a step was not committed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// The device's version is another, or the certificate was pinned to another device meanwhile:
    /// load and decide again.
    #[error("the enrolment was changed meanwhile")]
    Conflict,
    /// The invitation does not exist, has expired, or another device spent it.
    #[error("the invitation is spent, expired or unknown")]
    InvitationSpent,
    /// The device has no place in the pool, and none is left. One that has a place keeps it, whatever
    /// became of the limit.
    #[error("no place is left in {pool:?}")]
    #[non_exhaustive]
    PoolFull {
        /// Which pool.
        pool: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CommitError {
    /// No place is left.
    pub fn pool_full(pool: impl Into<String>) -> Self {
        Self::PoolFull { pool: pool.into() }
    }
}
