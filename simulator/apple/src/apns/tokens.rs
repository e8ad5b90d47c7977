//! The tokens that the fake knows, the pushes that it took, and who waits for one.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::Arc,
};

use chrono::{DateTime, Utc};

use super::state::State;

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

/// What the service knows of a token.
#[derive(Debug, Clone, Default)]
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

/// The tokens, and the last pushes to them.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    known: HashMap<Vec<u8>, Token>,
    received: VecDeque<Received>,
    /// How many pushes are kept.
    kept: usize,
    accept_any: bool,
}

#[derive(Debug, Default)]
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

impl Tokens {
    pub(super) fn new(kept: usize, accept_any: bool) -> Self {
        Self {
            kept,
            accept_any,
            ..Self::default()
        }
    }

    /// Whether pushes are kept at all.
    pub(super) fn keeps(&self) -> bool {
        self.kept > 0
    }

    pub(super) fn set(&mut self, token: &[u8], status: TokenStatus) {
        self.entry(token).status = status;
    }

    pub(super) fn status(&self, token: &[u8]) -> TokenStatus {
        match self.known.get(token).map(|known| &known.status) {
            None | Some(TokenStatus::Unknown) if self.accept_any => {
                TokenStatus::Accepted { topic: None }
            }
            None => TokenStatus::Unknown,
            Some(status) => status.clone(),
        }
    }

    pub(super) fn keep(&mut self, push: Received) {
        if self.kept == 0 {
            return;
        }
        if self.received.len() >= self.kept
            && let Some(oldest) = self.received.pop_front()
        {
            self.forget(&oldest.token);
        }
        let magic = push.magic.clone();
        self.entry(&push.token).magics.push_back(magic);
        self.received.push_back(push);
    }

    pub(super) fn received(&self) -> Vec<Received> {
        self.received.iter().cloned().collect()
    }

    /// The first push to this token that was not asked for yet.
    pub(super) fn next(&mut self, token: &[u8]) -> Option<String> {
        let known = self.known.get_mut(token)?;
        let (number, magic) = known.from(known.returned)?;
        known.returned = number + 1;
        Some(magic)
    }

    fn entry(&mut self, token: &[u8]) -> &mut Token {
        self.known.entry(token.to_vec()).or_default()
    }

    /// Drops the oldest push to this token.
    fn forget(&mut self, token: &[u8]) {
        if let Some(known) = self.known.get_mut(token) {
            known.magics.pop_front();
            known.forgotten += 1;
            if known.magics.is_empty() && matches!(known.status, TokenStatus::Unknown) {
                self.known.remove(token);
            }
        }
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
        let known = |known: &mut Token| known.forgotten + known.magics.len();
        let next = known(state.lock().tokens.entry(token));
        Self {
            state,
            token: token.to_vec(),
            next,
        }
    }

    /// Waits for the next push and returns its magic.
    pub async fn recv(&mut self) -> String {
        let (token, next) = (&self.token, self.next);
        let look = || self.state.lock().tokens.known.get(token)?.from(next);
        let (number, magic) = self.state.wait(look).await;
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
