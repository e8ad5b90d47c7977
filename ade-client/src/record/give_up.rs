//! Giving a device up: unenrol, release, wipe, in this order.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::AttemptOutcome;

/// How far the giving up of a device is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GiveUp {
    /// How Apple's side is told.
    pub release: Release,
    /// What comes next.
    pub next: GiveUpStep,
    /// When it began.
    pub began: DateTime<Utc>,
    /// When the last step was done.
    pub advanced: DateTime<Utc>,
}

impl GiveUp {
    /// Begins.
    pub fn new(release: Release, now: DateTime<Utc>) -> Self {
        Self {
            release,
            next: GiveUpStep::Unenrol,
            began: now,
            advanced: now,
        }
    }
}

/// How a device leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Release {
    /// Its profile is taken away; it stays the organization's.
    Unassign,
    /// It leaves the organization, for good: nothing brings it back but buying it again.
    Disown,
}

/// The steps, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GiveUpStep {
    /// The MDM removes its profile from the device.
    Unenrol,
    /// Apple is told, by unassigning or disowning.
    Release,
    /// The device is wiped.
    Wipe,
    /// All is done.
    Done,
}

/// A request to take a device's profile, or the device itself, away. Written before it is sent, and
/// again when its outcome is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReleaseAttempt {
    /// What was asked for.
    pub release: Release,
    /// When it was sent.
    pub at: DateTime<Utc>,
    /// What became of it.
    pub outcome: AttemptOutcome,
}

impl ReleaseAttempt {
    /// A request about to be sent.
    pub fn new(release: Release, at: DateTime<Utc>) -> Self {
        Self {
            release,
            at,
            outcome: AttemptOutcome::Sent,
        }
    }
}
