//! What was asked: counted always, written down up to a limit.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, Utc};

/// One request that the fake has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exchange {
    /// Which request it was, from 1.
    pub number: u64,
    /// When it came, by the clock of the [`Config`](super::Config).
    pub at: DateTime<Utc>,
    /// The method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The answer's status; 0 where the connection was closed instead.
    pub status: u16,
    /// How many serial numbers the request named.
    pub named: usize,
    /// The serial numbers; only if [`Config::keep_serials`](super::Config::keep_serials) is on.
    pub serials: Vec<String>,
}

/// The requests so far, counted. Paths are those of the service; all others count as `other`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// All of them together.
    pub total: Count,
    /// By path.
    pub paths: BTreeMap<&'static str, Count>,
    /// Requests that came before a Retry-After of [`Fault::Busy`](super::Fault::Busy) was over.
    pub premature_requests: u64,
    /// Serial numbers in assignments that came while the device cooled down.
    pub premature_assignments: u64,
}

/// Requests, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Count {
    /// How many came.
    pub requests: u64,
    /// How many of them got another status than 200.
    pub refused: u64,
    /// In how many the connection was closed in the answer's stead.
    pub hung_up: u64,
    /// How many serial numbers they named together.
    pub named: u64,
}

impl Traffic {
    /// What was counted for this path.
    #[must_use]
    pub fn path(&self, path: &str) -> Count {
        self.paths.get(path).copied().unwrap_or_default()
    }
}

impl Count {
    fn add(&mut self, exchange: &Exchange) {
        self.requests += 1;
        self.named += exchange.named as u64;
        match exchange.status {
            200 => {}
            0 => self.hung_up += 1,
            _ => self.refused += 1,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) traffic: Traffic,
    pub(super) exchanges: VecDeque<Exchange>,
}

impl Log {
    pub(super) fn add(&mut self, exchange: Exchange, kept: usize) {
        self.traffic.total.add(&exchange);
        let path = PATHS
            .iter()
            .find(|path| **path == exchange.path)
            .copied()
            .unwrap_or("other");
        self.traffic.paths.entry(path).or_default().add(&exchange);
        self.exchanges.push_back(exchange);
        while self.exchanges.len() > kept {
            self.exchanges.pop_front();
        }
    }
}

/// Every path of the service.
pub(super) const PATHS: [&str; 21] = [
    "/account",
    "/account-driven-enrollment/profile",
    "/device/activationlock",
    "/device/replacementDetails",
    "/devices",
    "/devices/disown",
    "/devices/sync",
    "/deviceservicesworkers/escrowKeyUnlock",
    "/os-beta-enrollment/tokens",
    "/profile",
    "/profile/devices",
    "/roster/class",
    "/roster/class/course",
    "/roster/class/course/sync",
    "/roster/class/location",
    "/roster/class/location/sync",
    "/roster/class/person",
    "/roster/class/person/sync",
    "/roster/class/sync",
    "/server/devices",
    "/session",
];
