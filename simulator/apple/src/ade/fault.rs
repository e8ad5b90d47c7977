//! What can go wrong at Apple, on demand.

use std::{collections::HashSet, time::Duration};

/// A fault to switch on with [`FakeAde::fault`](super::FakeAde::fault).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The token's administrator is gone: `/session` answers 403 `FORBIDDEN` until a new token is
    /// made, and open sessions end.
    RevokeToken,
    /// The token's year is over: `/session` answers 403 `token_expiredForbidden` until a new token
    /// is made, and open sessions end.
    ExpireToken,
    /// New terms and conditions wait: everything but `/session` answers 403 `T_C_NOT_SIGNED`.
    TermsNotSigned,
    /// All sessions end now.
    DropSessions(SessionLoss),
    /// Every session ends right after it was opened, until cleared.
    KeepDroppingSessions,
    /// Cursors given so far are older than 7 days.
    ExpireCursors,
    /// Cursors given so far are not known.
    ForgetCursors,
    /// The next requests get this answer and are not processed.
    Answer {
        /// How many requests.
        times: u32,
        /// The status.
        status: u16,
        /// The body.
        body: String,
        /// The Retry-After header, as it stands.
        retry_after: Option<String>,
    },
    /// The next requests are processed, and the connection is closed in the answer's stead.
    HangUp {
        /// How many requests.
        times: u32,
    },
    /// These devices are `THROTTLED` when a profile is assigned (`FAILED` below protocol version 9).
    Throttle {
        /// The devices.
        serials: HashSet<String>,
        /// What `retry_after_seconds` says (protocol version 10).
        retry_after: Duration,
    },
    /// These devices are `FAILED` when a profile is assigned.
    FailAssign(HashSet<String>),
}

/// How a request in a lost session is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SessionLoss {
    /// 401.
    #[default]
    Unauthorized,
    /// 403 `FORBIDDEN`, as Apple's simulator does after a restart.
    Forbidden,
}

/// The faults that last.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) terms_not_signed: bool,
    pub(super) drop_new_sessions: bool,
    pub(super) answer: Option<Answer>,
    pub(super) hang_up: u32,
    pub(super) throttled: HashSet<String>,
    pub(super) throttled_for: Duration,
    pub(super) failing: HashSet<String>,
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) times: u32,
    pub(super) status: u16,
    pub(super) body: String,
    pub(super) retry_after: Option<String>,
}
