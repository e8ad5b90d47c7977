//! The sync of one account as a state machine without I/O: events in, effects out.
//!
//! A [`Round`] begins from the stored [`SyncState`] and tells one [`Effect`] at a time; whoever
//! drives it carries the effect out and answers with an [`Event`]. Each [`Effect::Commit`] is one
//! atomic step: the state, and the page that came before it. A round that is lost anywhere begins
//! again from what was committed last: no device is skipped, none is counted that was not stored.
//!
//! A full fetch names every device and says nothing of those that left, and a device may be missing
//! from it for a while. What it did not name is therefore asked about one by one
//! ([`Effect::Verify`]), and only then taken for released. So is a device of which a page contradicts
//! what was told with the same date.

use std::{collections::HashSet, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    model::{Cursor, DevicePage},
    policy::Policy,
    record::{Stage, SyncState},
};

/// How far the clocks of nodes may be apart.
const SKEW: Duration = Duration::from_secs(60 * 60);

/// How long Apple knows a cursor.
const CURSOR_LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// After so many pages without a device Apple is left alone for a while.
const MOST_EMPTY_PAGES: u32 = 50;

/// What a round is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoundKind {
    /// Fetch everything anew.
    Full,
    /// Ask what changed. A full fetch that was begun goes on first.
    Delta,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Effect {
    /// Send [`FetchDevices`](crate::endpoint::FetchDevices) with this cursor; answer with
    /// [`Event::Page`] or [`Event::Failed`].
    Fetch(Option<Cursor>),
    /// Send [`SyncDevices`](crate::endpoint::SyncDevices) with this cursor; answer with
    /// [`Event::Page`] or [`Event::Failed`].
    Sync(Cursor),
    /// Store this state, and in the same step the page that came since the last commit, if one did;
    /// answer with [`Event::Committed`].
    Commit(SyncState),
    /// Ask for the details of the account's devices whose `sweep` is smaller, and store what comes
    /// of it; answer with [`Event::Verified`] or [`Event::Failed`].
    Verify {
        /// The number of the full fetch that is complete.
        sweep: u64,
    },
    /// The round is over; everything is stored.
    End(RoundEnd),
}

/// What came of an effect.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A page came.
    Page(PageSummary),
    /// The request failed.
    Failed(Failure),
    /// The state is stored.
    Committed,
    /// The state is stored, with [`SyncState::unseen`]: the page leaves devices in doubt, whose `sweep`
    /// was made smaller.
    InDoubt,
    /// Every device that the full fetch did not name, or that was in doubt, was asked about.
    Verified,
    /// The round's time was over before every one of them was.
    OutOfTime,
}

/// What the state machine has to know of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PageSummary {
    /// How many device records it holds.
    pub devices: u64,
    /// The cursor behind it.
    pub cursor: Option<Cursor>,
    /// Whether the next one is ready now.
    pub more_to_follow: bool,
}

impl From<&DevicePage> for PageSummary {
    fn from(page: &DevicePage) -> Self {
        Self {
            devices: page.devices.len() as u64,
            cursor: page.cursor.clone(),
            more_to_follow: page.more_to_follow,
        }
    }
}

/// How a request failed, as far as the sync has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// `EXHAUSTED_CURSOR`: nothing is left behind this cursor.
    Exhausted,
    /// `EXPIRED_CURSOR`, `INVALID_CURSOR` or `CURSOR_REQUIRED`: only a full fetch helps.
    CursorLost,
    /// The request alone fails: rounds wait, perhaps as long as Apple asked, and other requests do not.
    Alone {
        /// How long Apple asked to wait.
        retry_after: Option<Duration>,
    },
    /// Anything else, perhaps with the time that Apple asked to wait: every request waits.
    Other {
        /// How long Apple asked to wait.
        retry_after: Option<Duration>,
    },
}

/// How a round ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoundEnd {
    /// All that Apple knows is stored.
    Complete,
    /// The round's time was over; the next one goes on where it stopped.
    Paused,
    /// Apple gave a cursor again, or many without a device, and said that more follows. Nothing is
    /// reset; the next round goes on from there.
    RepeatedCursor,
    /// Apple does not know the cursor, and a full fetch was forced shortly before.
    RecoverLater,
    /// A request failed.
    Failed,
}

/// One round of a sync.
///
/// ```
/// use ade_client::{
///     policy::Policy,
///     record::SyncState,
///     sync::{Effect, Event, Round, RoundEnd, RoundKind},
/// };
/// use ade_client::model::DevicePage;
///
/// let now = "2026-01-01T00:00:00Z".parse()?;
/// let mut stored = SyncState::default();
/// let mut round = Round::begin(&stored, RoundKind::Delta, &Policy::default(), now);
/// let mut pages = vec![
///     r#"{"devices":[],"cursor":"c2","more_to_follow":false}"#,
///     r#"{"devices":[{"serial_number":"C02A"}],"cursor":"c1","more_to_follow":false}"#,
/// ];
/// let end = loop {
///     let event = match round.effect() {
///         Effect::Fetch(_) | Effect::Sync(_) => {
///             let page: DevicePage = serde_json::from_str(pages.pop().expect("two requests"))?;
///             Event::Page((&page).into())
///         }
///         Effect::Commit(state) => {
///             stored = state;
///             Event::Committed
///         }
///         Effect::Verify { .. } => Event::Verified,
///         Effect::End(end) => break end,
///         _ => unreachable!(),
///     };
///     round.handle(event, now);
/// };
/// assert_eq!(end, RoundEnd::Complete);
/// assert_eq!(stored.cursor.as_ref().map(|cursor| cursor.as_str()), Some("c2"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Round {
    state: SyncState,
    effect: Effect,
    /// What follows the commit under way.
    then: Then,
    ends: DateTime<Utc>,
    /// The cursors that requests of this round were sent with.
    used: HashSet<Cursor>,
    /// How many pages in a row held no device, though more was to follow.
    empty: u32,
    /// A round sends one request at least, so that it always gets on.
    asked: bool,
    resume_after: Duration,
    recover_every: Duration,
    wait_after_error: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Then {
    GoOn,
    /// Ends, after asking about devices where there are any to ask about.
    Complete,
    End(RoundEnd),
}

impl Round {
    /// Begins a round where `state` stands.
    pub fn begin(state: &SyncState, kind: RoundKind, policy: &Policy, now: DateTime<Utc>) -> Self {
        let mut round = Self {
            state: state.clone(),
            effect: Effect::End(RoundEnd::Complete),
            then: Then::GoOn,
            ends: later(now, policy.round_limit),
            used: HashSet::new(),
            empty: 0,
            asked: false,
            resume_after: policy.resume_after,
            recover_every: policy.recover_every,
            wait_after_error: policy.wait_after_error,
        };
        let is_anew = match state.stage {
            Stage::Sync => kind == RoundKind::Full,
            Stage::Fetch => is_stuck(state, policy, now),
        };
        if state.full_began.is_none() || is_anew {
            round.fetch_anew(now);
        } else {
            round.go_on(now);
        }
        round
    }

    /// What to do now.
    pub fn effect(&self) -> Effect {
        self.effect.clone()
    }

    /// Takes what came of the last effect. An event that does not answer it changes nothing.
    pub fn handle(&mut self, event: Event, now: DateTime<Utc>) {
        match (&self.effect, event) {
            (Effect::Fetch(_) | Effect::Sync(_), Event::Page(page)) => self.page(page, now),
            (
                Effect::Fetch(_) | Effect::Sync(_) | Effect::Verify { .. },
                Event::Failed(failure),
            ) => self.failed(failure, now),
            (Effect::Commit(_), Event::Committed) => self.committed(now),
            (Effect::Commit(_), Event::InDoubt) => {
                self.state.unseen = true;
                self.committed(now);
            }
            (Effect::Verify { .. }, Event::Verified) => {
                self.state.unseen = false;
                self.commit(Then::Complete);
            }
            (Effect::Verify { .. }, Event::OutOfTime) => self.pause(now),
            _ => {}
        }
    }

    /// How the round ends once the commit under way is done; none where it goes on.
    pub fn ending(&self) -> Option<RoundEnd> {
        match (&self.effect, self.then) {
            (Effect::Commit(_), Then::End(end)) => Some(end),
            (Effect::Commit(_), Then::Complete) if !self.state.unseen => Some(RoundEnd::Complete),
            (Effect::End(end), _) => Some(*end),
            _ => None,
        }
    }

    /// Whether the round's time is over: a verification under way stops between two requests, and
    /// tells [`Event::OutOfTime`].
    pub fn is_over(&self, now: DateTime<Utc>) -> bool {
        now >= self.ends
    }

    fn page(&mut self, page: PageSummary, now: DateTime<Utc>) {
        let is_fetch = self.state.stage == Stage::Fetch;
        let moved = match page.cursor {
            Some(cursor) => {
                let is_new = !self.used.contains(&cursor);
                self.state.cursor = Some(cursor);
                is_new
            }
            None => false,
        };
        if is_fetch {
            self.state.taken = self.state.taken.saturating_add(page.devices);
        }
        self.empty = match page.devices {
            0 => self.empty + 1,
            _ => 0,
        };
        if page.more_to_follow {
            if moved && self.empty < MOST_EMPTY_PAGES {
                return self.commit(Then::GoOn);
            }
            self.state.round_not_before = Some(later(now, self.wait_after_error));
            return self.commit(Then::End(RoundEnd::RepeatedCursor));
        }
        self.exhausted(now);
    }

    /// Nothing is left behind the cursor.
    fn exhausted(&mut self, now: DateTime<Utc>) {
        if self.state.stage == Stage::Fetch {
            self.state.stage = Stage::Sync;
            self.state.full_ended = Some(now);
            self.state.unseen = true;
            return self.commit(Then::GoOn);
        }
        self.state.current = Some(now);
        self.state.not_before = None;
        self.state.round_not_before = None;
        self.commit(Then::Complete);
    }

    fn failed(&mut self, failure: Failure, now: DateTime<Utc>) {
        let has_cursor = !matches!(self.effect, Effect::Fetch(None) | Effect::Verify { .. });
        match failure {
            Failure::Exhausted if has_cursor => match self.state.stage {
                Stage::Fetch => self.exhausted(now),
                // Nothing would ever come after this cursor, whatever changes.
                Stage::Sync => self.recover(now),
            },
            Failure::CursorLost if has_cursor => self.recover(now),
            Failure::Other { retry_after } => self.stop(retry_after, now),
            Failure::Alone { retry_after } => {
                self.state.round_not_before = Some(self.again(retry_after, now));
                self.commit(Then::End(RoundEnd::Failed));
            }
            Failure::Exhausted | Failure::CursorLost => self.stop(None, now),
        }
    }

    fn stop(&mut self, retry_after: Option<Duration>, now: DateTime<Utc>) {
        self.state.not_before = Some(self.again(retry_after, now));
        self.commit(Then::End(RoundEnd::Failed));
    }

    /// Fetches everything anew, but not again and again.
    fn recover(&mut self, now: DateTime<Utc>) {
        let next = past(self.state.recovered, now).map(|last| later(last, self.recover_every));
        match next {
            Some(next) if next > now => {
                self.state.round_not_before = Some(next);
                self.commit(Then::End(RoundEnd::RecoverLater));
            }
            _ => {
                self.state.recovered = Some(now);
                self.fetch_anew(now);
            }
        }
    }

    fn committed(&mut self, now: DateTime<Utc>) {
        match self.then {
            Then::GoOn => self.go_on(now),
            Then::Complete if !self.state.unseen => self.end(RoundEnd::Complete),
            Then::Complete if self.is_over(now) => self.pause(now),
            Then::Complete => {
                self.effect = Effect::Verify {
                    sweep: self.state.sweep,
                };
            }
            Then::End(end) => self.end(end),
        }
    }

    fn fetch_anew(&mut self, now: DateTime<Utc>) {
        self.used.clear();
        self.state.stage = Stage::Fetch;
        self.state.cursor = None;
        // Devices that were never found have 0, one less than the first is left for those in doubt.
        self.state.sweep = self.state.sweep.max(1) + 1;
        self.state.taken = 0;
        self.state.unseen = false;
        self.state.full_began = Some(now);
        self.commit(Then::GoOn);
    }

    fn go_on(&mut self, now: DateTime<Utc>) {
        if self.asked && self.is_over(now) {
            return self.pause(now);
        }
        self.asked = true;
        self.used.extend(self.state.cursor.clone());
        self.effect = match (self.state.stage, &self.state.cursor) {
            (Stage::Fetch, cursor) => Effect::Fetch(cursor.clone()),
            (Stage::Sync, Some(cursor)) => Effect::Sync(cursor.clone()),
            // A fetch that was complete without ever giving a cursor: there is nothing to ask with.
            (Stage::Sync, None) => return self.recover(now),
        };
    }

    fn commit(&mut self, then: Then) {
        self.then = then;
        self.effect = Effect::Commit(self.state.clone());
    }

    /// Everything is committed already, so that only a wait is worth another commit.
    fn pause(&mut self, now: DateTime<Utc>) {
        if self.resume_after.is_zero() {
            return self.end(RoundEnd::Paused);
        }
        self.state.round_not_before = Some(later(now, self.resume_after));
        self.commit(Then::End(RoundEnd::Paused));
    }

    fn end(&mut self, end: RoundEnd) {
        self.effect = Effect::End(end);
    }

    fn again(&self, retry_after: Option<Duration>, now: DateTime<Utc>) -> DateTime<Utc> {
        later(now, retry_after.unwrap_or(self.wait_after_error))
    }
}

/// When the next round is due that nobody asks for, and what it is for.
pub fn next_round(
    state: &SyncState,
    policy: &Policy,
    now: DateTime<Utc>,
) -> (RoundKind, DateTime<Utc>) {
    let after = |time, wait| past(time, now).map_or(now, |time| later(time, wait));
    let full = after(state.full_began, policy.full_every);
    let (kind, due) = match state.stage {
        Stage::Fetch if state.full_began.is_none() => (RoundKind::Full, now),
        Stage::Fetch => (RoundKind::Delta, now),
        Stage::Sync if full <= now => (RoundKind::Full, full),
        Stage::Sync if state.unseen => (RoundKind::Delta, now),
        Stage::Sync => match after(state.current, policy.delta_every) {
            delta if delta < full => (RoundKind::Delta, delta),
            _ => (RoundKind::Full, full),
        },
    };
    let longest = policy.recover_every.max(policy.resume_after);
    let round_not_before = wait(state.round_not_before, longest, policy, now);
    let earliest = left_alone(state, policy, now).max(round_not_before);
    (kind, earliest.map_or(due, |time| due.max(time)))
}

/// Until when nothing is asked of Apple.
pub(crate) fn left_alone(
    state: &SyncState,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    wait(state.not_before, Duration::ZERO, policy, now)
}

/// A time that is waited for, unless it is later than any wait: then a clock was wrong that wrote it.
fn wait(
    until: Option<DateTime<Utc>>,
    longest: Duration,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let longest = longest
        .max(policy.longest_wait)
        .max(policy.wait_after_error);
    until.filter(|until| *until <= later(now, longest.saturating_add(SKEW)))
}

/// A time at which something was done, unless it is yet to come: then a clock was wrong that wrote it.
pub(crate) fn past(time: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    time.filter(|time| *time <= later(now, SKEW))
}

/// Whether a fetch is older than its cursor can be: what it stopped at does not pass.
fn is_stuck(state: &SyncState, policy: &Policy, now: DateTime<Utc>) -> bool {
    let longest = policy.full_every.max(CURSOR_LIFE);
    past(state.full_began, now).is_none_or(|began| later(began, longest) <= now)
}

/// `time` minus `wait`, at least the beginning of the calendar.
pub(crate) fn earlier(time: DateTime<Utc>, wait: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(wait)
        .ok()
        .and_then(|wait| time.checked_sub_signed(wait))
        .unwrap_or(DateTime::<Utc>::MIN_UTC)
}

/// `time` plus `wait`, at most the end of the calendar.
pub(crate) fn later(time: DateTime<Utc>, wait: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(wait)
        .ok()
        .and_then(|wait| time.checked_add_signed(wait))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests;
