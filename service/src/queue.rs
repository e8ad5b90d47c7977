//! Commands on their way to a device, and what the device reported of them.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use mdm_protocol::EnrollmentId;

use crate::{Body, Event, Fingerprint};

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
    /// When it was queued, for listings; the order does not depend on it.
    pub at: DateTime<Utc>,
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
        }
    }
}

/// What became of a command to be queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Enqueued {
    /// It is queued, at this place.
    Queued(Sequence),
    /// This enrolment already has a command of that UUID, whatever became of it: nothing changed.
    /// So an enqueue whose answer was lost may be repeated.
    Duplicate,
    /// There is no such enrolment, or it is disabled: nothing was queued.
    NotEnrolled,
}

/// What a device said at the command endpoint, with all that the store needs for one atomic step.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Who reports.
    pub enrollment: EnrollmentId,
    /// The certificate that the report came with.
    pub certificate: Fingerprint,
    /// When it came.
    pub at: DateTime<Utc>,
    /// What it says.
    pub kind: ReportKind,
}

impl Report {
    /// A report of `enrollment`.
    pub fn new(
        enrollment: EnrollmentId,
        certificate: Fingerprint,
        at: DateTime<Utc>,
        kind: ReportKind,
    ) -> Self {
        Self {
            enrollment,
            certificate,
            at,
            kind,
        }
    }
}

/// What a report says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReportKind {
    /// `Idle`: offers everything again that was set aside (Q17).
    Idle,
    /// `NotNow`: sets the command aside and asks for one that was never answered (Q17).
    #[non_exhaustive]
    NotNow {
        /// The command that has to wait.
        command_uuid: String,
    },
    /// Anything else that names a command: it is settled, however its body reads.
    #[non_exhaustive]
    Final {
        /// The command that is answered.
        command_uuid: String,
        /// The `Status`, as the device wrote it.
        status: String,
        /// The report as it came.
        body: Body,
        /// Goes to the outbox if this report settles the command.
        event: Event,
    },
}

impl ReportKind {
    /// `NotNow` for a command.
    pub fn not_now(command_uuid: impl Into<String>) -> Self {
        Self::NotNow {
            command_uuid: command_uuid.into(),
        }
    }

    /// A final answer to a command.
    pub fn settles(
        command_uuid: impl Into<String>,
        status: impl Into<String>,
        body: impl Into<Bytes>,
        event: Event,
    ) -> Self {
        Self::Final {
            command_uuid: command_uuid.into(),
            status: status.into(),
            body: Body::from(body.into()),
            event,
        }
    }
}

/// The store's answer to a [`Report`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Polled {
    /// The certificate is not the one pinned to the device: nothing was recorded.
    NotPinned,
    /// The report was taken.
    #[non_exhaustive]
    Taken {
        /// What it did.
        settlement: Settlement,
        /// What the device shall do next.
        next: Option<QueuedCommand>,
    },
}

impl Polled {
    /// The report was taken.
    pub fn taken(settlement: Settlement, next: Option<QueuedCommand>) -> Self {
        Self::Taken { settlement, next }
    }

    /// What the device shall do next, if the report was taken and there is something.
    pub fn next(&self) -> Option<&QueuedCommand> {
        match self {
            Self::Taken { next, .. } => next.as_ref(),
            Self::NotPinned => None,
        }
    }

    /// What the report did, if it was taken.
    pub fn settlement(&self) -> Option<Settlement> {
        match self {
            Self::Taken { settlement, .. } => Some(*settlement),
            Self::NotPinned => None,
        }
    }
}

/// What a report did to the command that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Settlement {
    /// The report names no command.
    NoCommand,
    /// The command is settled now, and the event is in the outbox.
    Settled,
    /// The command waits for the next `Idle`.
    SetAside,
    /// The command was settled or cancelled before: the first answer stands (Q17).
    Before,
    /// This enrolment has no command of that UUID: accepted all the same (Q17).
    Unknown,
}

/// A command as it is offered to the device.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueuedCommand {
    /// Its place in the queue.
    pub sequence: Sequence,
    /// Names it to the device.
    pub command_uuid: String,
    /// The property list for the device.
    pub body: Body,
}

impl QueuedCommand {
    /// A queued command.
    pub fn new(sequence: Sequence, command_uuid: impl Into<String>, body: Body) -> Self {
        Self {
            sequence,
            command_uuid: command_uuid.into(),
            body,
        }
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
    /// It was taken back before the device answered it: by `Authenticate` or `CheckOut`.
    #[non_exhaustive]
    Cancelled {
        /// When.
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
}
