//! What a device said at the command endpoint, and what it is answered.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use mdm_protocol::EnrollmentId;

use super::Sequence;
use crate::{Body, EscrowEntry, Event, Fingerprint, Reported};

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
    /// When to push again if the device does not call by itself.
    pub push: PushTimes,
    /// How old a time that only says when something was heard last may be before a report moves it: of the enrolment, and
    /// of what the device says of itself. Default 10 minutes. So a poll that changes nothing writes nothing.
    pub seen_every: TimeDelta,
}

impl Report {
    /// A report of `enrollment`.
    pub fn new(
        enrollment: EnrollmentId,
        certificate: Fingerprint,
        at: DateTime<Utc>,
        kind: ReportKind,
    ) -> Self {
        let report = Self {
            enrollment,
            certificate,
            at,
            kind,
            push: PushTimes::new(at, at),
            seen_every: TimeDelta::zero(),
        };
        report.at_pace(&ReportPace::default())
    }

    /// The report with the times of this pace.
    #[must_use]
    pub fn at_pace(mut self, pace: &ReportPace) -> Self {
        let [delivered, set_aside, seen_every] = pace.bounded();
        self.push = PushTimes::after(self.at, delivered, set_aside);
        self.seen_every = seen_every;
        self
    }

    /// The report after `edit`: sets several fields in one expression.
    #[must_use]
    pub fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }

    /// Whether an enrolment that was last heard of then is to be noted as heard of now.
    pub fn moves_last_seen(&self, last_seen_at: Option<DateTime<Utc>>) -> bool {
        last_seen_at.is_none_or(|seen| self.at - seen > self.seen_every)
    }

    /// What is known of the device once it told this too, if that is to be written: it is news, or was known for longer
    /// than [`seen_every`](Self::seen_every).
    pub fn joined(&self, known: Option<Reported>, told: &Reported) -> Option<Joined> {
        let Some(known) = known else {
            return Some(Joined {
                reported: told.clone(),
                is_news: true,
            });
        };
        let since = known.at;
        let reported = known.clone().merged(told.clone());
        let is_news = known.with(|known| known.at = reported.at) != reported;
        (is_news || self.moves_last_seen(Some(since))).then_some(Joined { reported, is_news })
    }
}

/// What is to be written of what a device says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Joined {
    /// All that is known now.
    pub reported: Reported,
    /// Whether it is more than a later time: then the device's version moves.
    pub is_news: bool,
}

/// How soon a device is pushed to again that does not call by itself, and how exactly it is noted that it called.
///
/// A bound that a span is beyond takes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReportPace {
    /// After a command was handed out, whose answer may get lost. A minute to 7 days; default 10 minutes.
    pub delivered: Duration,
    /// After all that waits was set aside (`NotNow`). A minute to 7 days; default 15 minutes.
    pub set_aside: Duration,
    /// How old a time that only says when something was heard last may be before a poll moves it. At most a day;
    /// default 10 minutes. With zero each poll writes.
    pub seen_every: Duration,
}

impl Default for ReportPace {
    fn default() -> Self {
        Self {
            delivered: Duration::from_secs(10 * 60),
            set_aside: Duration::from_secs(15 * 60),
            seen_every: Duration::from_secs(10 * 60),
        }
    }
}

impl ReportPace {
    /// The pace after `edit`: sets several fields in one expression.
    #[must_use]
    pub fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }

    fn bounded(&self) -> [TimeDelta; 3] {
        let within = |span: Duration, least: TimeDelta, most: TimeDelta| {
            TimeDelta::from_std(span).map_or(most, |span| span.clamp(least, most))
        };
        let (minute, week) = (TimeDelta::minutes(1), TimeDelta::days(7));
        [
            within(self.delivered, minute, week),
            within(self.set_aside, minute, week),
            within(self.seen_every, TimeDelta::zero(), TimeDelta::days(1)),
        ]
    }
}

/// When to push to a device after it reported, if it does not call by itself. With nothing left in
/// the queue no push is due.
///
/// A push that is due already stays where it is if that is neither later nor less than half as far
/// away ([`settled`](Self::settled)): so a session of many commands moves it once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PushTimes {
    /// After a command was handed out, whose answer may get lost. Default 10 minutes later.
    pub delivered: DateTime<Utc>,
    /// After all that waits was set aside (`NotNow`). Default 15 minutes later.
    pub set_aside: DateTime<Utc>,
}

impl PushTimes {
    /// These two times.
    pub const fn new(delivered: DateTime<Utc>, set_aside: DateTime<Utc>) -> Self {
        Self {
            delivered,
            set_aside,
        }
    }

    /// So long after `at`.
    pub fn after(at: DateTime<Utc>, delivered: TimeDelta, set_aside: TimeDelta) -> Self {
        let after = |span| at.checked_add_signed(span).unwrap_or(at);
        Self::new(after(delivered), after(set_aside))
    }

    /// When a push is due after a report at `at` that wants the next at `wanted`, and before which one
    /// was due at `due`.
    pub fn settled(
        at: DateTime<Utc>,
        due: Option<DateTime<Utc>>,
        wanted: Option<DateTime<Utc>>,
    ) -> Option<DateTime<Utc>> {
        let wanted = wanted?;
        let near_enough = |due: &DateTime<Utc>| *due <= wanted && *due - at >= wanted - *due;
        Some(due.filter(near_enough).unwrap_or(wanted))
    }
}

/// What a report says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
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
        /// What the device says of itself; joins what is known if this report settles the command.
        reported: Option<Reported>,
        /// Secrets that are kept if this report settles the command.
        escrow: Vec<EscrowEntry>,
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
            reported: None,
            escrow: Vec::new(),
        }
    }

    /// The same answer with what the device says of itself and what is to be kept. `Idle` and `NotNow`
    /// stay as they are.
    #[must_use]
    pub fn telling(mut self, told: Option<Reported>, secrets: Vec<EscrowEntry>) -> Self {
        if let Self::Final {
            reported, escrow, ..
        } = &mut self
        {
            *reported = told;
            *escrow = secrets;
        }
        self
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
    /// The command was settled or cancelled before, or has expired: what was first stands (Q17).
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_kept_within_its_bounds() {
        let id = EnrollmentId::device("D1").unwrap();
        let at = DateTime::UNIX_EPOCH;
        let paced = |seconds: u64| {
            let span = Duration::from_secs(seconds);
            let pace = ReportPace::default().with(|pace| {
                (pace.delivered, pace.set_aside, pace.seen_every) = (span, span, span);
            });
            let report = Report::new(id.clone(), Fingerprint::new([0; 32]), at, ReportKind::Idle);
            let report = report.at_pace(&pace);
            let after = |time: DateTime<Utc>| (time - at).num_seconds();
            let push = report.push;
            [
                after(push.delivered),
                after(push.set_aside),
                report.seen_every.num_seconds(),
            ]
        };
        assert_eq!(paced(0), [60, 60, 0]);
        assert_eq!(paced(900), [900, 900, 900]);
        assert_eq!(paced(u64::MAX), [604_800, 604_800, 86_400]);
    }
}
