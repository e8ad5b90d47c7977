//! Telling devices to call: the trait that a push client fulfils, and the worker that drives it.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_core::{PushMagic, PushToken, Topic};
use mdm_protocol::EnrollmentId;

mod worker;

pub use worker::{PushPace, PushRound, PushWorker};

/// Sends pushes. `mdm-sdk` fulfils it with `mdm-apns`; a vendor may hand them to another service.
#[async_trait]
pub trait Pusher: std::fmt::Debug + Send + Sync {
    /// Pushes each target and answers for each: same length, same order. One that fails stops none
    /// of the others, so there is no outer error.
    async fn push(&self, batch: &[PushTarget]) -> Vec<PushOutcome>;
}

#[async_trait]
impl<P: Pusher + ?Sized> Pusher for std::sync::Arc<P> {
    async fn push(&self, batch: &[PushTarget]) -> Vec<PushOutcome> {
        (**self).push(batch).await
    }
}

/// One push to send.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PushTarget {
    /// Whom it is for.
    pub enrollment: EnrollmentId,
    /// Which push certificate to use.
    pub topic: Topic,
    /// The device's address.
    pub token: PushToken,
    /// The word that the device expects.
    pub magic: PushMagic,
}

impl PushTarget {
    /// A push to `enrollment`.
    pub fn new(enrollment: EnrollmentId, topic: Topic, token: PushToken, magic: PushMagic) -> Self {
        Self {
            enrollment,
            topic,
            token,
            magic,
        }
    }
}

/// A push that was due, and what it leaves behind.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PushSettled {
    /// The push as it was due.
    pub target: PushTarget,
    /// When to push again, unless the device called meanwhile; `None`: not before something is queued.
    pub next: Option<DateTime<Utc>>,
    /// Since when the token is dead, if it is (410, Q24).
    pub dead_at: Option<DateTime<Utc>>,
}

impl PushSettled {
    /// A push to be repeated at `next`, unless the device called meanwhile.
    pub fn again(target: PushTarget, next: Option<DateTime<Utc>>) -> Self {
        Self {
            target,
            next,
            dead_at: None,
        }
    }

    /// A push whose token is dead since `at`.
    pub fn dead(target: PushTarget, at: DateTime<Utc>) -> Self {
        Self {
            target,
            next: None,
            dead_at: Some(at),
        }
    }
}

/// What became of one push.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PushOutcome {
    /// Apple took it. Not that the device got it.
    #[non_exhaustive]
    Sent {
        /// Apple's name for it.
        apns_id: Option<String>,
    },
    /// The token is dead (410, Q24): only a `TokenUpdate` revives the enrolment.
    #[non_exhaustive]
    Unregistered {
        /// Since when, as Apple tells it.
        since: Option<DateTime<Utc>>,
    },
    /// Apple refused it for another reason: most often topic or environment are ours to correct.
    #[non_exhaustive]
    Refused {
        /// Apple's reason.
        reason: String,
    },
    /// It did not get through; a later attempt may.
    #[non_exhaustive]
    Failed {
        /// What went wrong.
        reason: String,
        /// How long Apple wants to be left alone with this push, where it said so.
        retry_after: Option<Duration>,
    },
    /// The enrolment cannot be pushed to, or there is no pusher: nothing was sent.
    NotPushable,
}

impl PushOutcome {
    /// Apple took it.
    pub fn sent(apns_id: Option<String>) -> Self {
        Self::Sent { apns_id }
    }

    /// The token is dead.
    pub fn unregistered(since: Option<DateTime<Utc>>) -> Self {
        Self::Unregistered { since }
    }

    /// Apple refused it.
    pub fn refused(reason: impl Into<String>) -> Self {
        Self::Refused {
            reason: reason.into(),
        }
    }

    /// It did not get through.
    pub fn failed(reason: impl Into<String>) -> Self {
        Self::Failed {
            reason: reason.into(),
            retry_after: None,
        }
    }

    /// Apple put it off.
    pub fn put_off(reason: impl Into<String>, retry_after: Duration) -> Self {
        Self::Failed {
            reason: reason.into(),
            retry_after: Some(retry_after),
        }
    }

    /// Whether Apple took it.
    pub fn is_sent(&self) -> bool {
        matches!(self, Self::Sent { .. })
    }
}
