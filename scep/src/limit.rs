//! How often somebody may ask: a trait for servers of both protocols, and token buckets in memory.
//!
//! Who asks is what the HTTP server in front says in [`Peer`], an entry of the request's extensions, and
//! for ACME also the account.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

/// Whoever sent a request, as one text: an address, the prefix of one, or a tenant's name. Put into
/// [`http::Request::extensions_mut`] by whoever accepts connections; without it nobody is told apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Peer(pub String);

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scope {
    /// Any request.
    Request,
    /// A new account of ACME.
    NewAccount,
    /// A new order of ACME.
    NewOrder,
    /// A request for a certificate: SCEP's PKIOperation, ACME's finalize.
    Enrolment,
}

/// Who is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Who<'a> {
    /// The text of [`Peer`].
    Peer(&'a str),
    /// The id of an account of ACME.
    Account(&'a str),
}

/// A limiter's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Admission {
    /// Go on.
    Admitted,
    /// Not before this time has passed.
    Later(Duration),
}

/// Decides whether somebody may go on, and counts that.
///
/// A limiter that cannot decide has to know by itself whether it then admits.
#[async_trait]
pub trait RateLimit: fmt::Debug + Send + Sync {
    /// The decision about one request.
    async fn admit(&self, scope: Scope, who: Who<'_>, now: DateTime<Utc>) -> Admission;
}

/// Admits everybody; the limiter of a server that was given none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unlimited;

#[async_trait]
impl RateLimit for Unlimited {
    async fn admit(&self, _: Scope, _: Who<'_>, _: DateTime<Utc>) -> Admission {
        Admission::Admitted
    }
}

/// So many at once, and so many again in the course of some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rate {
    /// How many at once; at least one.
    pub burst: u32,
    /// In what time a bucket that was emptied fills up again.
    pub refill: Duration,
}

impl Rate {
    /// `burst` at once, and as many again in the course of `refill`.
    pub const fn new(burst: u32, refill: Duration) -> Self {
        Self { burst, refill }
    }
}

/// Token buckets in memory, one for each scope and each of whom is counted, on one node.
///
/// Their number is bounded. Where the bound is reached, buckets that are full again are forgotten; whoever
/// finds no place even then shares one bucket with all who found none, so that a flood of addresses
/// slows newcomers down and neither fills the memory nor lifts the limit.
#[derive(Debug)]
pub struct TokenBuckets {
    rates: HashMap<Scope, Rate>,
    bound: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    buckets: HashMap<Key, Bucket>,
    /// When full buckets were looked for; once a second is often enough.
    swept_at: Option<DateTime<Utc>>,
}

/// The scope, whether an account is meant, and whose it is; none for the bucket that is shared.
type Key = (Scope, Option<(bool, String)>);

/// A bucket says when it will be full again: nothing else has to be kept, and nothing to be refilled.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    full_at: DateTime<Utc>,
}

impl TokenBuckets {
    /// Buckets for scopes that are yet to get their rate; at most 100,000 of them. A scope without a rate
    /// is not limited.
    pub fn new() -> Self {
        Self {
            rates: HashMap::new(),
            bound: 100_000,
            state: Mutex::default(),
        }
    }

    /// Limits a scope.
    #[must_use]
    pub fn rate(mut self, scope: Scope, rate: Rate) -> Self {
        self.rates.insert(scope, rate);
        self
    }

    /// Changes how many buckets are kept.
    #[must_use]
    pub fn bound(mut self, buckets: usize) -> Self {
        self.bound = buckets;
        self
    }

    fn take(&self, scope: Scope, who: Who<'_>, now: DateTime<Utc>) -> Admission {
        let Some(rate) = self.rates.get(&scope) else {
            return Admission::Admitted;
        };
        let whose = match who {
            Who::Peer(text) => (false, text.to_owned()),
            Who::Account(text) => (true, text.to_owned()),
        };
        let mut key = (scope, Some(whose));
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.buckets.contains_key(&key) && !state.has_room(self.bound, now) {
            key.1 = None;
        }
        let bucket = state.buckets.entry(key).or_insert(Bucket { full_at: now });
        bucket.take(*rate, now)
    }
}

impl State {
    fn has_room(&mut self, bound: usize, now: DateTime<Utc>) -> bool {
        let due = self
            .swept_at
            .is_none_or(|swept_at| now - swept_at >= TimeDelta::seconds(1));
        if self.buckets.len() >= bound && due {
            self.buckets.retain(|_, bucket| bucket.full_at > now);
            self.swept_at = Some(now);
        }
        self.buckets.len() < bound
    }
}

impl Bucket {
    fn take(&mut self, rate: Rate, now: DateTime<Utc>) -> Admission {
        let one = rate.refill / rate.burst.max(1);
        let missing = (self.full_at - now).to_std().unwrap_or_default();
        let then = missing.saturating_add(one);
        if then > rate.refill {
            return Admission::Later(then.saturating_sub(rate.refill));
        }
        match TimeDelta::from_std(then)
            .ok()
            .and_then(|then| now.checked_add_signed(then))
        {
            Some(full_at) => {
                self.full_at = full_at;
                Admission::Admitted
            }
            None => Admission::Later(rate.refill),
        }
    }
}

impl Default for TokenBuckets {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl RateLimit for TokenBuckets {
    async fn admit(&self, scope: Scope, who: Who<'_>, now: DateTime<Utc>) -> Admission {
        self.take(scope, who, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: Who<'static> = Who::Peer("192.0.2.1");
    const BOB: Who<'static> = Who::Peer("192.0.2.2");

    fn limiter() -> TokenBuckets {
        let rate = Rate::new(3, Duration::from_secs(30));
        TokenBuckets::new().rate(Scope::NewOrder, rate)
    }

    #[test]
    fn a_burst_passes_and_then_one_in_each_third_of_the_time() {
        let (limiter, now) = (limiter(), DateTime::UNIX_EPOCH);
        let at = |seconds| limiter.take(Scope::NewOrder, ADA, now + TimeDelta::seconds(seconds));
        for _ in 0..3 {
            assert_eq!(at(0), Admission::Admitted);
        }
        assert_eq!(at(0), Admission::Later(Duration::from_secs(10)));
        assert_eq!(at(7), Admission::Later(Duration::from_secs(3)));
        assert_eq!(at(10), Admission::Admitted);
        assert_eq!(at(10), Admission::Later(Duration::from_secs(10)));
        for _ in 0..3 {
            assert_eq!(
                at(1000),
                Admission::Admitted,
                "it never holds more than the burst"
            );
        }
        assert_ne!(at(1000), Admission::Admitted);
    }

    #[test]
    fn each_is_counted_alone_and_scopes_without_a_rate_are_free() {
        let (limiter, now) = (limiter(), DateTime::UNIX_EPOCH);
        let take = |scope, who| limiter.take(scope, who, now);
        while take(Scope::NewOrder, ADA) == Admission::Admitted {}
        assert_eq!(take(Scope::NewOrder, BOB), Admission::Admitted);
        assert_eq!(
            take(Scope::NewOrder, Who::Account("192.0.2.1")),
            Admission::Admitted
        );
        for _ in 0..1000 {
            assert_eq!(take(Scope::Request, ADA), Admission::Admitted);
        }
    }

    #[test]
    fn a_flood_of_strangers_shares_one_bucket_and_is_forgotten() {
        let (limiter, now) = (limiter().bound(10), DateTime::UNIX_EPOCH);
        let admitted = |now| {
            (0..1000)
                .map(|number| limiter.take(Scope::NewOrder, Who::Peer(&format!("p{number}")), now))
                .filter(|admission| *admission == Admission::Admitted)
                .count()
        };
        assert_eq!(admitted(now), 10 + 3);
        assert!(limiter.state.lock().unwrap().buckets.len() <= 11);
        assert_eq!(admitted(now + TimeDelta::seconds(60)), 10 + 3);
    }

    #[test]
    fn odd_rates_and_clocks_neither_panic_nor_open() {
        let none = TokenBuckets::new().rate(Scope::Request, Rate::new(0, Duration::ZERO));
        assert_eq!(
            none.take(Scope::Request, ADA, DateTime::<Utc>::MAX_UTC),
            Admission::Admitted,
            "a rate without time limits nothing"
        );
        let long = TokenBuckets::new().rate(Scope::Request, Rate::new(1, Duration::MAX));
        assert_ne!(
            long.take(Scope::Request, ADA, DateTime::UNIX_EPOCH),
            Admission::Admitted
        );
    }
}
