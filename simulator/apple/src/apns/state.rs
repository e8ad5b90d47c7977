//! What the fake knows and has seen: tokens, pushes, refusals, and who waits for one.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use super::{Fault, Refusal};

/// A push that was taken, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received {
    /// The token in the path.
    pub token: Vec<u8>,
    /// The word in the body.
    pub magic: String,
    /// `apns-topic`.
    pub topic: String,
    /// `apns-priority`; 10 where the header is missing.
    pub priority: u8,
    /// `apns-expiration`, in seconds since 1970; `None` where the header is missing.
    pub expiration: Option<i64>,
    /// `apns-id`, or the one made for a push without.
    pub apns_id: String,
    /// Which connection it came over, counted from 1.
    pub connection: u64,
    /// When it came.
    pub at: DateTime<Utc>,
}

pub(super) struct State {
    inner: Mutex<Inner>,
    kept_pushes: usize,
    accept_any_token: bool,
    /// Ticks with every push that is taken.
    pushed: watch::Sender<()>,
}

#[derive(Default)]
struct Inner {
    tokens: HashMap<Vec<u8>, Token>,
    accepted: u64,
    received: VecDeque<Received>,
    refusals: VecDeque<Refusal>,
    faults: VecDeque<Fault>,
    connections: u64,
}

#[derive(Default)]
struct Token {
    status: TokenStatus,
    /// The magic of each of its pushes that is kept.
    magics: VecDeque<String>,
    /// How many pushes before those were forgotten.
    forgotten: usize,
    /// How many pushes `next_push` has returned or passed over.
    returned: usize,
}

impl Token {
    /// The first push that is kept, from this one on: its number and magic.
    fn from(&self, next: usize) -> Option<(usize, String)> {
        let number = next.max(self.forgotten);
        let magic = self.magics.get(number - self.forgotten)?;
        Some((number, magic.clone()))
    }
}

impl Inner {
    /// Drops the oldest push to this token.
    fn forget(&mut self, token: &[u8]) {
        if let Some(known) = self.tokens.get_mut(token) {
            known.magics.pop_front();
            known.forgotten += 1;
            if known.magics.is_empty() && matches!(known.status, TokenStatus::Unknown) {
                self.tokens.remove(token);
            }
        }
    }
}

/// What the service knows of a token.
#[derive(Clone, Default)]
pub(super) enum TokenStatus {
    #[default]
    Unknown,
    Accepted {
        topic: Option<String>,
    },
    Dead {
        since: DateTime<Utc>,
    },
}

impl State {
    pub(super) fn new(kept_pushes: usize, accept_any_token: bool) -> Self {
        Self {
            inner: Mutex::default(),
            kept_pushes,
            accept_any_token,
            pushed: watch::Sender::default(),
        }
    }

    pub(super) fn accept(&self, token: &[u8], topic: Option<String>) {
        self.token(token, |known| {
            known.status = TokenStatus::Accepted { topic }
        });
    }

    pub(super) fn kill(&self, token: &[u8], since: DateTime<Utc>) {
        self.token(token, |known| known.status = TokenStatus::Dead { since });
    }

    pub(super) fn status(&self, token: &[u8]) -> TokenStatus {
        let inner = self.lock();
        let known = inner.tokens.get(token).map(|known| known.status.clone());
        match known.unwrap_or_default() {
            TokenStatus::Unknown if self.accept_any_token => TokenStatus::Accepted { topic: None },
            known => known,
        }
    }

    pub(super) fn add_fault(&self, fault: Fault) {
        self.lock().faults.push_back(fault);
    }

    pub(super) fn take_fault(&self) -> Option<Fault> {
        self.lock().faults.pop_front()
    }

    pub(super) fn next_connection(&self) -> u64 {
        let mut inner = self.lock();
        inner.connections += 1;
        inner.connections
    }

    pub(super) fn record(&self, push: Received) {
        let mut inner = self.lock();
        inner.accepted += 1;
        if self.kept_pushes == 0 {
            return;
        }
        if inner.received.len() >= self.kept_pushes
            && let Some(oldest) = inner.received.pop_front()
        {
            inner.forget(&oldest.token);
        }
        let known = inner.tokens.entry(push.token.clone()).or_default();
        known.magics.push_back(push.magic.clone());
        inner.received.push_back(push);
        drop(inner);
        self.pushed.send_replace(());
    }

    pub(super) fn refuse(&self, refusal: Refusal) {
        let mut inner = self.lock();
        if inner.refusals.len() >= self.kept_pushes {
            inner.refusals.pop_front();
        }
        inner.refusals.push_back(refusal);
    }

    pub(super) fn accepted(&self) -> u64 {
        self.lock().accepted
    }

    pub(super) fn received(&self) -> Vec<Received> {
        self.lock().received.iter().cloned().collect()
    }

    pub(super) fn refusals(&self) -> Vec<Refusal> {
        self.lock().refusals.iter().cloned().collect()
    }

    pub(super) async fn next_push(&self, token: &[u8]) -> String {
        self.wait(|| {
            self.token(token, |known| {
                let (number, magic) = known.from(known.returned)?;
                known.returned = number + 1;
                Some(magic)
            })
        })
        .await
    }

    /// Asks `look` now and after every push until it finds something.
    async fn wait<T>(&self, look: impl Fn() -> Option<T>) -> T {
        // Subscribed before looking, so that no push falls between the two.
        let mut pushed = self.pushed.subscribe();
        loop {
            if let Some(found) = look() {
                return found;
            }
            // The sender lives in `self`: this cannot fail.
            let _ = pushed.changed().await;
        }
    }

    fn token<T>(&self, token: &[u8], act: impl FnOnce(&mut Token) -> T) -> T {
        act(self.lock().tokens.entry(token.to_vec()).or_default())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pushes to one token, in order and each once.
pub struct Subscription {
    state: Arc<State>,
    token: Vec<u8>,
    next: usize,
}

impl Subscription {
    pub(super) fn new(state: Arc<State>, token: &[u8]) -> Self {
        let next = state.token(token, |known| known.forgotten + known.magics.len());
        Self {
            state,
            token: token.to_vec(),
            next,
        }
    }

    /// Waits for the next push and returns its magic.
    pub async fn recv(&mut self) -> String {
        let (state, next) = (&self.state, self.next);
        let (number, magic) = state
            .wait(|| state.token(&self.token, |known| known.from(next)))
            .await;
        self.next = number + 1;
        magic
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}
