//! A device: what Apple told about it last, and what is wanted of it.

mod merge;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use mdm_core::{SerialNumber, open_enum};
use serde::{Deserialize, Serialize};

pub(crate) use merge::{Merged, Telling};

use super::{GiveUp, ReleaseAttempt};
use crate::{
    model::{Device, Outcome, ResponseStatus},
    sync::past,
};

/// All that is remembered of a device in one account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DeviceRecord {
    /// The serial number.
    pub serial_number: SerialNumber,
    /// What Apple told last; of records that Apple gives a date the one with the latest counts.
    pub device: Device,
    /// The latest `op_date` that Apple gave.
    pub op_date: Option<DateTime<Utc>>,
    /// Whether the device is the account's.
    pub presence: Presence,
    /// The number of the full fetch that named it last, see [`SyncState::sweep`](super::SyncState::sweep);
    /// 0 where it was never found, and smaller than it was where Apple has told of one moment that it is
    /// the account's and that it is not.
    pub sweep: u64,
    /// When it was first seen.
    pub first_seen: DateTime<Utc>,
    /// Where it stands with its profile.
    pub state: DeviceState,
    /// When it came into each state last.
    pub times: StateTimes,
    /// The profile that it is to have; none for leaving it alone.
    pub wanted_profile: Option<String>,
    /// The last attempt to give it a profile.
    pub attempt: Option<Attempt>,
    /// When it is to be given the profile that it lacks. None while it lacks nothing, and for a device
    /// that is released or being given up.
    pub due: Option<DateTime<Utc>>,
    /// Words of the vendor's own, handed over when the device enrols.
    pub tags: BTreeSet<String>,
    /// The user that the device is meant for, handed over when it enrols.
    pub user: Option<String>,
    /// Whether it replaces another device, and which.
    pub replacement: Option<Replacement>,
    /// When tags and user were handed over.
    pub handed_over: Option<DateTime<Utc>>,
    /// How far giving it up is.
    pub give_up: Option<GiveUp>,
    /// The last request to take its profile, or the device itself, away.
    pub release: Option<ReleaseAttempt>,
}

impl DeviceRecord {
    /// A device first seen at `now`, of which nothing is known or wanted.
    pub fn new(serial_number: SerialNumber, now: DateTime<Utc>) -> Self {
        Self {
            serial_number,
            device: Device::default(),
            op_date: None,
            presence: Presence::Present,
            sweep: 0,
            first_seen: now,
            state: DeviceState::Empty,
            times: StateTimes::default(),
            wanted_profile: None,
            attempt: None,
            due: None,
            tags: BTreeSet::new(),
            user: None,
            replacement: None,
            handed_over: None,
            give_up: None,
            release: None,
        }
    }

    /// Whether the device is the account's.
    pub fn is_present(&self) -> bool {
        self.presence == Presence::Present
    }

    /// When it was released, if it was.
    pub fn released(&self) -> Option<DateTime<Utc>> {
        match self.presence {
            Presence::Released { at } => Some(at),
            Presence::Present => None,
        }
    }

    /// The profile that it wants and that Apple does not have for it.
    pub fn lacks(&self) -> Option<&str> {
        let wanted = self.wanted_profile.as_deref()?;
        let has = matches!(self.state, DeviceState::Assigned | DeviceState::Pushed)
            && self.device.profile_uuid.as_deref() == Some(wanted);
        (!has).then_some(wanted)
    }

    /// Sets [`due`](Self::due) to what follows from the rest, after anything was changed. A time that
    /// stands already stays, and a device is left alone as long as the last attempt says, whatever
    /// else is wanted.
    pub fn settle(&mut self, now: DateTime<Utc>) {
        let waits = self.is_present()
            && self.give_up.is_none()
            && !self.is_replacing()
            && self.lacks().is_some();
        let earliest = match &self.attempt {
            // A clock was wrong that wrote it.
            Some(attempt) if past(Some(attempt.at), now).is_none() => None,
            attempt => self.due.max(attempt.as_ref().and_then(|a| a.until)),
        };
        self.due = waits.then(|| earliest.unwrap_or(now));
    }

    /// Whether it replaces a device that was not looked up yet.
    pub fn is_replacing(&self) -> bool {
        matches!(self.replacement, Some(Replacement::Pending { .. }))
    }
}

/// Whether a device is the account's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Presence {
    /// It is.
    Present,
    /// It was, until about then.
    Released {
        /// When Apple or a full fetch said so.
        at: DateTime<Utc>,
    },
}

open_enum! {
    /// Where a device stands with its profile.
    pub enum DeviceState {
        /// Known, without a profile.
        Empty = "empty",
        /// A profile is assigned, and the device has not fetched it.
        Assigned = "assigned",
        /// The device has fetched its profile. It may not have finished enrolment.
        Pushed = "pushed",
        /// The profile was taken away, be it by assigning the device to the server again.
        Removed = "removed",
    }
}

/// When a device came into each state last: as Apple says, else when it was noticed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct StateTimes {
    /// Into [`DeviceState::Empty`].
    pub empty: Option<DateTime<Utc>>,
    /// Into [`DeviceState::Assigned`].
    pub assigned: Option<DateTime<Utc>>,
    /// Into [`DeviceState::Pushed`].
    pub pushed: Option<DateTime<Utc>>,
    /// Into [`DeviceState::Removed`].
    pub removed: Option<DateTime<Utc>>,
}

impl StateTimes {
    /// The time of this state; none for one without a name.
    pub(crate) fn of(&mut self, state: &DeviceState) -> Option<&mut Option<DateTime<Utc>>> {
        match state {
            DeviceState::Empty => Some(&mut self.empty),
            DeviceState::Assigned => Some(&mut self.assigned),
            DeviceState::Pushed => Some(&mut self.pushed),
            DeviceState::Removed => Some(&mut self.removed),
            DeviceState::__Unknown(_) => None,
        }
    }
}

/// An attempt to give a device a profile. Written before the request is sent, and again when its
/// outcome is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Attempt {
    /// The profile.
    pub profile_uuid: String,
    /// When it was made.
    pub at: DateTime<Utc>,
    /// What became of it.
    pub outcome: AttemptOutcome,
    /// How many attempts at this profile failed one after another.
    pub failures: u32,
    /// The device is left alone until then.
    pub until: Option<DateTime<Utc>>,
}

impl Attempt {
    /// An attempt about to be made.
    pub fn new(profile_uuid: impl Into<String>, at: DateTime<Utc>) -> Self {
        Self {
            profile_uuid: profile_uuid.into(),
            at,
            outcome: AttemptOutcome::Sent,
            failures: 0,
            until: None,
        }
    }
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AttemptOutcome {
    /// On its way, or its answer was lost.
    Sent,
    /// Apple's verdict.
    Answered(ResponseStatus),
    /// Apple answered the request and left the device out.
    NotMentioned,
    /// The request failed, it was perhaps processed; why, in words.
    Failed(String),
    /// Not sent, because a request before failed.
    NotSent,
}

impl AttemptOutcome {
    /// Whether Apple says that it is done.
    pub fn is_success(&self) -> bool {
        *self == Self::Answered(ResponseStatus::Success)
    }
}

impl From<Outcome> for AttemptOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Answered(status) => Self::Answered(status),
            Outcome::NotMentioned => Self::NotMentioned,
            Outcome::RequestFailed(error) => Self::Failed(error.to_string()),
            Outcome::NotSent => Self::NotSent,
        }
    }
}

/// A device that replaces another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Replacement {
    /// Apple has not been asked yet which one.
    Pending {
        /// When to ask.
        due: DateTime<Utc>,
        /// How often asking has failed.
        failures: u32,
    },
    /// It replaces this device and has taken over its profile and tags, as far as they were known.
    TakenOver {
        /// The original device.
        original: SerialNumber,
    },
    /// Apple does not know which one, or policy leaves it alone.
    None,
}
