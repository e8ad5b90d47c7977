//! What a vendor wants to hear of: written to the outbox in the same commit as what it tells.

use chrono::{DateTime, Utc};
use mdm_core::SerialNumber;
use mdm_protocol::EnrollmentId;
use serde::{Deserialize, Serialize};

use crate::{enrollment::EnrollmentDecision, queue::Sequence};

/// Something that happened to an enrolment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// Whose enrolment it is: the device's, or one of its users'.
    pub enrollment: EnrollmentId,
    /// When the service took it in.
    pub at: DateTime<Utc>,
    /// What happened.
    pub kind: EventKind,
}

impl Event {
    /// An event of `enrollment`.
    pub fn new(enrollment: EnrollmentId, at: DateTime<Utc>, kind: EventKind) -> Self {
        Self {
            enrollment,
            at,
            kind,
        }
    }
}

/// An event that a subscriber could not be given, kept until somebody looks.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetter {
    /// Its place among the subscriber's events.
    pub sequence: Sequence,
    /// The event.
    pub event: Event,
    /// Why it was given up.
    pub reason: String,
    /// When it was given up.
    pub at: DateTime<Utc>,
}

impl DeadLetter {
    /// An event that was given up.
    pub fn new(
        sequence: Sequence,
        event: Event,
        reason: impl Into<String>,
        at: DateTime<Utc>,
    ) -> Self {
        Self {
            sequence,
            event,
            reason: reason.into(),
            at,
        }
    }
}

/// What happened. Holds no secret: a vendor may log it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// A device began to enrol (`Authenticate`). What was queued for it and its users is cancelled, unless it was
    /// taken for a renewal: then only an `EraseDevice` is.
    #[non_exhaustive]
    Authenticated {
        /// What it was taken for, and why.
        decision: EnrollmentDecision,
    },
    /// A `TokenUpdate`, the first since `Authenticate` or since the enrolment was disabled: it can be
    /// pushed to from now on. Where a renewal turned out to be a device that was erased, its decision is another than
    /// the one that [`Authenticated`](Self::Authenticated) told, and what was queued is cancelled.
    #[non_exhaustive]
    Enrolled {
        /// Whether the device waits in Setup Assistant for `DeviceConfigured`.
        awaiting_configuration: bool,
        /// What it was taken for, and why; `None` for a user.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        decision: Option<EnrollmentDecision>,
    },
    /// A `TokenUpdate` of an enrolment that was enrolled already.
    #[non_exhaustive]
    TokenUpdated {
        /// How many since `Authenticate`, this one included.
        tally: u64,
    },
    /// The device came with a renewed certificate and without `Authenticate`. The certificate is pinned from now on, and
    /// nothing else changed.
    #[non_exhaustive]
    IdentityRenewed {
        /// What it was taken for, and why.
        decision: EnrollmentDecision,
    },
    /// A device asked for its profile, or sent `Authenticate`, and was not admitted.
    #[non_exhaustive]
    Refused {
        /// Where it stood.
        stage: RefusedAt,
        /// Why: the name of a [`DenialReason`](crate::DenialReason).
        reason: String,
        /// What the policy says about it, for logs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        /// The device's serial number, if it told one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        serial_number: Option<SerialNumber>,
        /// The account that it was to belong to, if there was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<String>,
    },
    /// `CheckOut`: the device, or the user, is managed no longer. What was queued is cancelled.
    CheckedOut,
    /// The vendor took the enrolment back. What was queued is cancelled; nothing was wiped.
    Retired,
    /// The device deposited its bootstrap token, or took it back.
    #[non_exhaustive]
    BootstrapToken {
        /// Whether there is one now.
        stored: bool,
    },
    /// A command got its final answer.
    #[non_exhaustive]
    CommandSettled {
        /// Which command.
        command_uuid: String,
        /// The `Status` that the device gave.
        status: String,
    },
    /// A command was not answered before its time was over, and is offered no more.
    #[non_exhaustive]
    CommandExpired {
        /// Which command.
        command_uuid: String,
    },
    /// What the store holds is of a kind that this version does not know: a newer one wrote it. No subscriber is given it;
    /// a node of that version may deliver it while [`EventPace::attempts`](crate::delivery::EventPace::attempts) last.
    /// As a dead letter it waits for whoever can read it, and revived there it is the event that it was.
    #[non_exhaustive]
    Unreadable {
        /// What the store holds, as it lies there.
        raw: String,
    },
}

impl EventKind {
    /// A command got its final answer.
    pub fn command_settled(command_uuid: impl Into<String>, status: impl Into<String>) -> Self {
        Self::CommandSettled {
            command_uuid: command_uuid.into(),
            status: status.into(),
        }
    }

    /// What a store holds and cannot read.
    pub fn unreadable(raw: impl Into<String>) -> Self {
        Self::Unreadable { raw: raw.into() }
    }

    /// A command was not answered before its time was over.
    pub fn command_expired(command_uuid: impl Into<String>) -> Self {
        Self::CommandExpired {
            command_uuid: command_uuid.into(),
        }
    }
}

/// How far a device had come that was not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RefusedAt {
    /// It asked for its profile.
    Profile,
    /// It sent `Authenticate`, or came back without one after it was disabled.
    Authenticate,
}
