//! What can go wrong at Apple, on demand.

use std::{collections::HashSet, time::Duration};

use chrono::{DateTime, Utc};

use super::state::lasts;

/// A fault to switch on with [`AdeService::fault`](super::AdeService::fault), or at a certain
/// request with [`AdeService::arm`](super::AdeService::arm).
///
/// A fault waits until a request comes that it fits: a page fault for a page with devices in it, a
/// cursor fault for a request with a cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The token's administrator is gone: `/session` answers 403 `FORBIDDEN` until a new token is
    /// made, and open sessions end.
    RevokeToken,
    /// The token's year is over: `/session` answers 403 `token_expiredForbidden` until a new token
    /// is made, and open sessions end. 400 with
    /// [`Shapes::expired_token_is_400`](super::Shapes::expired_token_is_400).
    ExpireToken,
    /// Somebody downloads a newer token: `/session` answers 401 `token_rejected`, or
    /// `signature_invalid` with [`Shapes`](super::Shapes), and open sessions end.
    NewerToken,
    /// New terms and conditions wait: everything but `/session` answers 403 `T_C_NOT_SIGNED`, until
    /// cleared.
    TermsNotSigned,
    /// All sessions end now.
    DropSessions(SessionLoss),
    /// Every session ends right after it was opened, until cleared.
    KeepDroppingSessions,
    /// Cursors given so far are older than 7 days.
    ExpireCursors,
    /// Cursors given so far are not known: `INVALID_CURSOR`.
    ForgetCursors,
    /// Cursors given so far are `EXHAUSTED_CURSOR`.
    ExhaustCursors,
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
    /// The next requests are not processed, and are told when to come again. Who comes sooner is
    /// counted in [`Traffic::premature_requests`](super::Traffic::premature_requests).
    Busy {
        /// How many requests.
        times: u32,
        /// 429 or 503.
        status: u16,
        /// How long to wait, in whole seconds.
        wait: Duration,
        /// Whether Retry-After is an HTTP-date instead of seconds.
        as_date: bool,
    },
    /// The connection is closed before the next requests are processed: a network that fails on
    /// the way there.
    Unreachable {
        /// How many requests.
        times: u32,
    },
    /// The next requests are processed, and the connection is closed in the answer's stead.
    HangUp {
        /// How many requests.
        times: u32,
    },
    /// The next answer with a body ends in its middle, under a right Content-Length.
    TruncateBody,
    /// The next answer with a body loses it.
    EmptyBody,
    /// The next answer comes after this time: [`Delay`](crate::http::Delay) in its extensions,
    /// which the server over sockets keeps.
    Slow(Duration),
    /// The next page is given once more under the next cursor.
    DuplicatePage,
    /// The cursor of the request comes back with more_to_follow.
    RepeatCursor {
        /// How many requests.
        times: u32,
    },
    /// The page after the next one begins with the last records of the one before.
    OverlapPages {
        /// How many records.
        records: usize,
    },
    /// A page of `/devices/sync` ends with records that were given before and are out of date
    /// since: their op_date tells, unless
    /// [`Shapes::equal_op_dates`](super::Shapes::equal_op_dates) is on.
    StaleRecords {
        /// How many records at most.
        records: usize,
    },
    /// These devices are `THROTTLED` when a profile is assigned (`FAILED` below protocol version
    /// 9), from the first time that one is named and for `retry_after` from then on.
    Throttle {
        /// The devices.
        serials: HashSet<String>,
        /// How long each cools down; what `retry_after_seconds` says (protocol version 10).
        retry_after: Duration,
    },
    /// These devices are `FAILED` when a profile is assigned, until cleared.
    FailAssign(HashSet<String>),
    /// The first devices that the next request for outcomes names: assign, define, remove, disown,
    /// lock.
    NextDevices {
        /// How many devices of that request.
        count: usize,
        /// What becomes of them.
        outcome: Outcome,
    },
}

/// What becomes of a device in [`Fault::NextDevices`]; in no case what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// `FAILED`.
    Failed,
    /// `NOT_ACCESSIBLE`.
    NotAccessible,
    /// The answer says nothing about it.
    LeftOut,
    /// `THROTTLED`, and it cools down for this long. In assignments only; `FAILED` elsewhere.
    Throttled(Duration),
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

/// At which request a fault happens: the first that it fits, from this one on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    nth: u64,
    path: Option<String>,
}

/// A fault that has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fired {
    /// What [`AdeService::arm`](super::AdeService::arm) returned for it.
    pub id: u64,
    /// [`Fault::kind`].
    pub kind: &'static str,
    /// The number of the request at which it happened first; that of the last one before, where it
    /// happened between requests.
    pub request: u64,
    /// The path of that request.
    pub path: String,
    /// When it happened first, by the clock of the [`Config`](super::Config).
    pub at: DateTime<Utc>,
    /// How many requests or devices it has struck.
    pub times: u64,
}

impl Fault {
    /// The name of its variant.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::RevokeToken => "RevokeToken",
            Self::ExpireToken => "ExpireToken",
            Self::NewerToken => "NewerToken",
            Self::TermsNotSigned => "TermsNotSigned",
            Self::DropSessions(_) => "DropSessions",
            Self::KeepDroppingSessions => "KeepDroppingSessions",
            Self::ExpireCursors => "ExpireCursors",
            Self::ForgetCursors => "ForgetCursors",
            Self::ExhaustCursors => "ExhaustCursors",
            Self::Answer { .. } => "Answer",
            Self::Busy { .. } => "Busy",
            Self::Unreachable { .. } => "Unreachable",
            Self::HangUp { .. } => "HangUp",
            Self::TruncateBody => "TruncateBody",
            Self::EmptyBody => "EmptyBody",
            Self::Slow(_) => "Slow",
            Self::DuplicatePage => "DuplicatePage",
            Self::RepeatCursor { .. } => "RepeatCursor",
            Self::OverlapPages { .. } => "OverlapPages",
            Self::StaleRecords { .. } => "StaleRecords",
            Self::Throttle { .. } => "Throttle",
            Self::FailAssign(_) => "FailAssign",
            Self::NextDevices { .. } => "NextDevices",
        }
    }

    /// How many requests it strikes.
    fn times(&self) -> u32 {
        match self {
            Self::Answer { times, .. }
            | Self::Busy { times, .. }
            | Self::Unreachable { times }
            | Self::HangUp { times }
            | Self::RepeatCursor { times } => *times,
            _ => 1,
        }
    }
}

impl Trigger {
    /// The next request.
    #[must_use]
    pub fn next() -> Self {
        Self::request(1)
    }

    /// The `nth` request from now on, of any path; the next one is the first.
    #[must_use]
    pub fn request(nth: u64) -> Self {
        Self { nth, path: None }
    }

    /// The `nth` request for this path from now on.
    #[must_use]
    pub fn path(path: &str, nth: u64) -> Self {
        Self {
            nth,
            path: Some(path.to_owned()),
        }
    }
}

/// The faults that wait, those that last, and those that have happened.
#[derive(Debug, Default)]
pub(super) struct Faults {
    armed: Vec<Armed>,
    made: u64,
    pub(super) fired: Vec<Fired>,
    request: u64,
    path: String,
    pub(super) lasting: Lasting,
}

#[derive(Debug)]
struct Armed {
    source: Source,
    fault: Fault,
    trigger: Trigger,
    seen: u64,
    left: u32,
}

/// Each with the fault that it is from.
#[derive(Debug, Default)]
pub(super) struct Lasting {
    pub(super) terms_not_signed: Option<Source>,
    pub(super) drop_new_sessions: Option<Source>,
    pub(super) throttled: Option<(Source, HashSet<String>, Duration)>,
    pub(super) failing: Option<(Source, HashSet<String>)>,
}

/// Which fault, for the list of those that have happened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    id: u64,
    kind: &'static str,
}

impl Faults {
    pub(super) fn arm(&mut self, trigger: Trigger, fault: Fault) -> u64 {
        let source = self.source(&fault);
        self.armed.push(Armed {
            source,
            left: fault.times(),
            fault,
            trigger,
            seen: 0,
        });
        source.id
    }

    /// A name for a fault that does not wait.
    pub(super) fn source(&mut self, fault: &Fault) -> Source {
        self.made += 1;
        Source {
            id: self.made,
            kind: fault.kind(),
        }
    }

    /// Ends what waits and what lasts; what has happened stays known.
    pub(super) fn clear(&mut self) {
        self.armed.clear();
        self.lasting = Lasting::default();
    }

    /// A request comes.
    pub(super) fn arrive(&mut self, request: u64, path: &str) {
        self.request = request;
        path.clone_into(&mut self.path);
        for armed in &mut self.armed {
            if armed
                .trigger
                .path
                .as_deref()
                .is_none_or(|wanted| wanted == path)
            {
                armed.seen += 1;
            }
        }
    }

    /// The first fault whose time has come and that is `wanted`; it happens now.
    pub(super) fn take(
        &mut self,
        now: DateTime<Utc>,
        wanted: impl Fn(&Fault) -> bool,
    ) -> Option<(Source, Fault)> {
        let at = self.armed.iter().position(|armed| {
            // A path once reached, a fault waits on that path for a request that it fits.
            let here = armed
                .trigger
                .path
                .as_ref()
                .is_none_or(|path| *path == self.path);
            here && armed.seen >= armed.trigger.nth && armed.left > 0 && wanted(&armed.fault)
        })?;
        let armed = self.armed.get_mut(at)?;
        armed.left -= 1;
        let (source, fault) = (armed.source, armed.fault.clone());
        if armed.left == 0 {
            self.armed.remove(at);
        }
        if !lasts(&fault) {
            self.note(source, now);
        }
        Some((source, fault))
    }

    /// Whether a fault of this sort waits at all.
    pub(super) fn waits(&self, wanted: impl Fn(&Fault) -> bool) -> bool {
        self.armed.iter().any(|armed| wanted(&armed.fault))
    }

    /// The kinds of faults that wait.
    pub(super) fn waiting(&self) -> Vec<&'static str> {
        self.armed.iter().map(|armed| armed.fault.kind()).collect()
    }

    /// Writes down that the fault has struck.
    pub(super) fn note(&mut self, source: Source, now: DateTime<Utc>) {
        if let Some(fired) = self.fired.iter_mut().find(|fired| fired.id == source.id) {
            fired.times += 1;
            return;
        }
        self.fired.push(Fired {
            id: source.id,
            kind: source.kind,
            request: self.request,
            path: self.path.clone(),
            at: now,
            times: 1,
        });
    }
}

impl Source {
    pub(super) fn id(self) -> u64 {
        self.id
    }
}
