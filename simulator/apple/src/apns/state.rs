//! What connections and the test share: tokens, the plan, what was counted, and the orders that
//! open connections obey.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::watch;

use super::{
    ConnectionCounters, Counters, Goodbye, Refusal, Throttling,
    id::Id,
    plan::Plan,
    tokens::{TokenStatus, Tokens},
};

/// Of how many connections the counts are kept.
const KEPT_CONNECTIONS: usize = 10_000;

pub(super) struct State {
    inner: Mutex<Inner>,
    /// Ticks when something was counted.
    moved: watch::Sender<()>,
    /// What open connections obey.
    pub(super) orders: watch::Sender<Orders>,
}

/// What every connection obeys, now and when it changes.
#[derive(Debug, Clone)]
pub(super) struct Orders {
    pub(super) max_streams: u32,
    pub(super) delay: Duration,
    pub(super) throttling: Option<Throttling>,
    /// How all that were open were ended last, and how often that was.
    pub(super) ending: (u64, Option<Ending>),
    pub(super) revoked: HashSet<Vec<u8>>,
}

/// How a connection is ended.
#[derive(Debug, Clone)]
pub(super) enum Ending {
    Goodbye(Goodbye),
    Close,
}

pub(super) struct Inner {
    pub(super) tokens: Tokens,
    pub(super) plan: Plan,
    pub(super) counters: Counters,
    /// How often each push was taken.
    accepted: HashMap<Id, u32>,
    tracked: usize,
    refusals: VecDeque<Refusal>,
    kept_refusals: usize,
    connections: BTreeMap<u64, ConnectionCounters>,
    /// How many connections to refuse.
    refuse: u64,
}

impl State {
    pub(super) fn new(config: &super::Config) -> Self {
        Self {
            inner: Mutex::new(Inner {
                tokens: Tokens::new(config.kept_pushes, config.accept_any_token),
                plan: Plan::default(),
                counters: Counters::default(),
                accepted: HashMap::new(),
                tracked: config.tracked_ids,
                refusals: VecDeque::new(),
                kept_refusals: config.kept_pushes,
                connections: BTreeMap::new(),
                refuse: 0,
            }),
            moved: watch::Sender::default(),
            orders: watch::Sender::new(Orders {
                max_streams: config.max_streams,
                delay: config.delay,
                throttling: config.throttling,
                ending: (0, None),
                revoked: HashSet::new(),
            }),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_token(&self, token: &[u8], status: TokenStatus) {
        self.lock().tokens.set(token, status);
    }

    /// Tells those who wait that something was counted.
    pub(super) fn tick(&self) {
        self.moved.send_replace(());
    }

    /// Ends every connection that is open.
    pub(super) fn end(&self, ending: Ending) {
        self.orders.send_modify(|orders| {
            orders.ending = (orders.ending.0 + 1, Some(ending));
        });
    }

    pub(super) fn refuse_connections(&self, count: u64) {
        self.lock().refuse = count;
    }

    /// Counts a connection that was refused.
    pub(super) fn refused(&self, refusal: Refusal) {
        let mut inner = self.lock();
        inner.counters.connections_refused += 1;
        inner.keep_refusal(refusal);
        drop(inner);
        self.tick();
    }

    pub(super) async fn next_push(&self, token: &[u8]) -> String {
        self.wait(|| self.lock().tokens.next(token)).await
    }

    /// Asks `look` now and whenever something was counted until it finds something.
    pub(super) async fn wait<T>(&self, look: impl Fn() -> Option<T>) -> T {
        // Subscribed before looking, so that nothing falls between the two.
        let mut moved = self.moved.subscribe();
        loop {
            if let Some(found) = look() {
                return found;
            }
            // The sender lives in `self`: this cannot fail.
            let _ = moved.changed().await;
        }
    }
}

impl Inner {
    /// The number of a connection whose handshake succeeded; `None` where it is to be refused.
    pub(super) fn open(&mut self) -> Option<u64> {
        if let Some(fewer) = self.refuse.checked_sub(1) {
            self.refuse = fewer;
            return None;
        }
        self.counters.connections_opened += 1;
        let number = self.counters.connections_opened;
        if self.connections.len() >= KEPT_CONNECTIONS {
            self.connections.pop_first();
        }
        let counted = ConnectionCounters {
            number,
            ..ConnectionCounters::default()
        };
        self.connections.insert(number, counted);
        Some(number)
    }

    /// Where this connection's counts are kept, unless too many came after it.
    pub(super) fn connection(&mut self, number: u64) -> Option<&mut ConnectionCounters> {
        self.connections.get_mut(&number)
    }

    pub(super) fn connections(&self) -> Vec<ConnectionCounters> {
        self.connections.values().cloned().collect()
    }

    pub(super) fn keep_refusal(&mut self, refusal: Refusal) {
        if self.refusals.len() >= self.kept_refusals {
            self.refusals.pop_front();
        }
        if self.kept_refusals > 0 {
            self.refusals.push_back(refusal);
        }
    }

    pub(super) fn refusals(&self) -> Vec<Refusal> {
        self.refusals.iter().cloned().collect()
    }

    pub(super) fn accepted(&mut self, id: Id) {
        self.counters.accepted += 1;
        if self.tracked == 0 {
            return;
        }
        if let Some(times) = self.accepted.get_mut(&id) {
            *times += 1;
        } else if self.accepted.len() < self.tracked {
            self.accepted.insert(id, 1);
        }
    }

    pub(super) fn times_accepted(&self, id: &str) -> u32 {
        let id = Id::read(id.as_bytes());
        id.and_then(|id| self.accepted.get(&id))
            .copied()
            .unwrap_or_default()
    }

    pub(super) fn accepted_ids(&self) -> BTreeMap<String, u32> {
        let text = |(id, times): (&Id, &u32)| (id.to_string(), *times);
        self.accepted.iter().map(text).collect()
    }

    pub(super) fn rejected(&mut self, status: u16, reason: &'static str) {
        *match self.counters.rejected.get_mut(reason) {
            Some(count) => count,
            None => self.counters.rejected.entry(reason.to_owned()).or_default(),
        } += 1;
        let reason = reason.to_owned();
        self.keep_refusal(Refusal::Push { status, reason });
    }
}
