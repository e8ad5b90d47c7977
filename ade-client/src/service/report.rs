//! What the worker tells of its work.

use chrono::{DateTime, Utc};

use crate::{
    Error,
    record::AccountId,
    sync::{RoundEnd, RoundKind},
};

/// What was done for one account.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct WorkReport {
    /// The round of the sync, where one was due or asked for.
    pub sync: Option<SyncReport>,
    /// What became of devices that were to get a profile.
    pub assigned: AssignCounts,
    /// Replacements that have taken over what their originals had, or have none.
    pub replaced: u64,
    /// Devices that want the replacement of their profile now.
    pub moved: u64,
    /// Released devices that were forgotten.
    pub retired: u64,
    /// The first error that Apple's side gave. Everything before it is stored, what is left is done
    /// later, and the account's [`trouble`](crate::record::AccountRecord::trouble) says so too.
    pub error: Option<Error>,
    /// When there is something to do next, as far as can be foreseen; none without a token.
    pub next: Option<DateTime<Utc>>,
}

impl WorkReport {
    /// Whether nothing was due.
    pub fn is_idle(&self) -> bool {
        self.sync.is_none()
            && self.error.is_none()
            && self.assigned == AssignCounts::default()
            && self.replaced + self.moved + self.retired == 0
    }
}

/// One round of a sync.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SyncReport {
    /// What the round was for: a full fetch that was asked for too early is a delta.
    pub kind: RoundKind,
    /// How it ended.
    pub end: RoundEnd,
    /// Pages that were stored.
    pub pages: u64,
    /// Device records on them.
    pub devices: u64,
    /// Devices that are the account's since.
    pub came: u64,
    /// Devices that are no longer.
    pub left: u64,
    /// Records that were older than what is known.
    pub stale: u64,
    /// Items that are no device, or have no serial number: logged, and nothing stored of them.
    pub unreadable: u64,
    /// Devices that a full fetch did not name, or that were in doubt, and that were asked about.
    pub verified: u64,
    /// Those among them that Apple said nothing about; they stay as they are.
    pub unanswered: u64,
}

impl SyncReport {
    pub(super) fn new(kind: RoundKind) -> Self {
        Self {
            kind,
            end: RoundEnd::Failed,
            pages: 0,
            devices: 0,
            came: 0,
            left: 0,
            stale: 0,
            unreadable: 0,
            verified: 0,
            unanswered: 0,
        }
    }

    /// Whether all that Apple knows is stored.
    pub fn is_complete(&self) -> bool {
        self.end == RoundEnd::Complete
    }
}

/// What became of devices that were to get a profile. Each device's record has its outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AssignCounts {
    /// Requests that were sent.
    pub requests: u64,
    /// Devices that have their profile.
    pub assigned: u64,
    /// Devices that Apple wants left alone for a while.
    pub throttled: u64,
    /// Devices that Apple refused, or gave no verdict on.
    pub refused: u64,
    /// Devices whose request failed, or was not sent.
    pub failed: u64,
}

/// What was done for all accounts.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct TickReport {
    /// Each account, in the order in which they were done. An error is one of the store's, or a
    /// [refusal](crate::Refusal) such as that another node works on the account.
    pub accounts: Vec<(AccountId, Result<WorkReport, Error>)>,
    /// When there is something to do next, as far as can be foreseen.
    pub next: Option<DateTime<Utc>>,
}
