//! Commands on their way to a device, and what the device reported of them.

use std::fmt;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use mdm_protocol::EnrollmentId;

use crate::Body;

mod report;

pub use report::{
    Joined, Polled, PushTimes, QueuedCommand, Report, ReportKind, ReportPace, Settlement,
};

/// A place in an order that only grows: of commands in a store, or of events in the outbox.
///
/// The order of enqueue is the order of sequences and never that of a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Sequence(u64);

impl Sequence {
    /// Before everything.
    pub const START: Self = Self(0);

    /// Takes a number that the store gave out.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A command to be queued for one enrolment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewCommand {
    /// Whom it is for.
    pub enrollment: EnrollmentId,
    /// Names it to the device; unique per enrolment.
    pub command_uuid: String,
    /// What is asked, for listings.
    pub request_type: String,
    /// The property list that the device will get, as it is.
    pub body: Body,
    /// When it was queued: a push is due from then on. The order does not depend on it.
    pub at: DateTime<Utc>,
    /// What is offered first: the higher, and of the same the one that was queued first. 0 unless set.
    pub priority: i16,
    /// From when on it is not offered any more.
    pub expires_at: Option<DateTime<Utc>>,
    /// While a command of that key waits for the enrolment, another is not queued.
    pub key: Option<String>,
}

impl NewCommand {
    /// A command for `enrollment`.
    pub fn new(
        enrollment: EnrollmentId,
        command_uuid: impl Into<String>,
        request_type: impl Into<String>,
        body: impl Into<Bytes>,
        at: DateTime<Utc>,
    ) -> Self {
        Self {
            enrollment,
            command_uuid: command_uuid.into(),
            request_type: request_type.into(),
            body: Body::from(body.into()),
            at,
            priority: 0,
            expires_at: None,
            key: None,
        }
    }

    /// The command after `edit`: sets several fields in one expression.
    #[must_use]
    pub fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }

    /// Whether its time is over.
    pub fn has_expired(&self, now: DateTime<Utc>) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

/// What became of a command to be queued.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Enqueued {
    /// It is queued, at this place.
    Queued(Sequence),
    /// This enrolment already has a command of that UUID, whatever became of it: nothing changed.
    /// So an enqueue whose answer was lost may be repeated.
    Duplicate,
    /// A command of the same key waits for this enrolment already: nothing was queued.
    #[non_exhaustive]
    Merged {
        /// The command that waits.
        command_uuid: String,
    },
    /// There is no such enrolment, or it is disabled: nothing was queued.
    NotEnrolled,
}

impl Enqueued {
    /// A command of the same key waits.
    pub fn merged(command_uuid: impl Into<String>) -> Self {
        Self::Merged {
            command_uuid: command_uuid.into(),
        }
    }
}

/// Which commands are listed; what is `None` does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CommandFilter {
    /// Those that wait, or those that are finished.
    pub waiting: Option<bool>,
    /// Those of one `RequestType`.
    pub request_type: Option<String>,
}

impl CommandFilter {
    /// All commands.
    pub fn new() -> Self {
        Self::default()
    }

    /// The filter after `edit`.
    #[must_use]
    pub fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }
}

/// Everything that is known of one command.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommandRecord {
    /// The command as it was queued.
    pub command: NewCommand,
    /// Its place in the queue.
    pub sequence: Sequence,
    /// What became of it.
    pub state: CommandState,
}

impl CommandRecord {
    /// A record.
    pub fn new(command: NewCommand, sequence: Sequence, state: CommandState) -> Self {
        Self {
            command,
            sequence,
            state,
        }
    }
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandState {
    /// It waits; the device never answered it.
    Queued,
    /// It waits; the device said `NotNow`.
    NotNow,
    /// The device answered it.
    #[non_exhaustive]
    Settled {
        /// The `Status`, as the device wrote it.
        status: String,
        /// The report as it came, whether it can be decoded or not.
        body: Body,
        /// When it came.
        at: DateTime<Utc>,
    },
    /// It was taken back before the device answered it: by `Authenticate` or `CheckOut`, or by
    /// whoever queued it.
    #[non_exhaustive]
    Cancelled {
        /// When.
        at: DateTime<Utc>,
    },
    /// Its time was over before the device answered it.
    #[non_exhaustive]
    Expired {
        /// When that was noticed.
        at: DateTime<Utc>,
    },
}

impl CommandState {
    /// The device's answer.
    pub fn settled(status: impl Into<String>, body: Body, at: DateTime<Utc>) -> Self {
        Self::Settled {
            status: status.into(),
            body,
            at,
        }
    }

    /// Taken back.
    pub fn cancelled(at: DateTime<Utc>) -> Self {
        Self::Cancelled { at }
    }

    /// Not answered in time.
    pub fn expired(at: DateTime<Utc>) -> Self {
        Self::Expired { at }
    }

    /// Whether the device may still answer it.
    pub fn is_waiting(&self) -> bool {
        matches!(self, Self::Queued | Self::NotNow)
    }

    /// When it was finished, if it is.
    pub fn finished_at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Queued | Self::NotNow => None,
            Self::Settled { at, .. } | Self::Cancelled { at } | Self::Expired { at } => Some(*at),
        }
    }
}
