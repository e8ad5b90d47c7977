//! Who has to be told to call.

use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_protocol::EnrollmentId;

use super::StoreError;
use crate::{PushTarget, push::PushSettled};

/// When a push is due for each enrolment. One time for each: whatever is queued meanwhile needs no
/// further push.
///
/// [`CommandStore`](super::CommandStore) and [`EnrollmentStore`](super::EnrollmentStore) move it with
/// what they do; nothing is ever due for an enrolment that is not
/// [pushable](crate::Enrollment::is_pushable).
#[async_trait]
pub trait PushStore: fmt::Debug + Send + Sync {
    /// Those to push to now, the longest due first, at most `limit`; each is due again at `lease`.
    ///
    /// Choosing and leasing are one step, so that of many nodes one pushes, and another takes over at
    /// `lease` what a node that died has left.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed: then all is as it was.
    async fn due_pushes(
        &self,
        now: DateTime<Utc>,
        lease: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<PushTarget>, StoreError>;

    /// Takes in what became of pushes that were leased until `lease`.
    ///
    /// `next` applies where the push is still due at `lease`: not where the device called, something
    /// was queued or another node took over. `dead_at` applies where the stored token is the one that
    /// was pushed: the enrolment is no more [pushable](crate::Enrollment::is_pushable), and its device's
    /// version moves.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed: then all is as it was.
    async fn settle_pushes(
        &self,
        lease: DateTime<Utc>,
        outcomes: &[PushSettled],
    ) -> Result<(), StoreError>;

    /// Makes a push due for each at `at` at the latest, whether or not a command waits. Who is not
    /// [pushable](crate::Enrollment::is_pushable) is left out.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed: then all is as it was.
    async fn wake(&self, ids: &[EnrollmentId], at: DateTime<Utc>) -> Result<(), StoreError>;
}
