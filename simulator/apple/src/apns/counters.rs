//! What the fake counts: exact figures, for tests that ask whether a push was lost.

use std::collections::BTreeMap;

use serde::Serialize;

/// What happened so far.
///
/// Every push that came whole ends in exactly one of `accepted`, `rejected`, `faulted`, `cancelled`
/// and `lost`, or waits yet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Counters {
    /// Connections whose TLS handshake succeeded.
    pub connections_opened: u64,
    /// Of those, the ones that have ended.
    pub connections_closed: u64,
    /// Connections refused, in their handshake or right behind it.
    pub connections_refused: u64,
    /// Pushes that came whole.
    pub arrived: u64,
    /// Pushes taken.
    pub accepted: u64,
    /// Of those, the ones whose answer was never written because the connection ended first.
    pub unanswered: u64,
    /// Pushes rejected by the checks, by reason; those that a fault rejected are not among them.
    pub rejected: BTreeMap<String, u64>,
    /// Pushes that a fault kept from being looked at.
    pub faulted: u64,
    /// Pushes that the client reset before they were looked at.
    pub cancelled: u64,
    /// Pushes that came whole and were not looked at before their connection ended.
    pub lost: u64,
    /// Streams opened after a GOAWAY of which the client may not have known yet; not looked at.
    pub raced: u64,
    /// GOAWAY frames sent.
    pub go_aways: u64,
    /// Streams that the fake reset.
    pub resets: u64,
    /// SETTINGS that changed the limit of streams of an open connection.
    pub limit_changes: u64,
    /// Streams open now, over all connections.
    pub open_streams: u64,
    /// The most streams that one connection had open at a time.
    pub most_streams: u64,
    /// What clients did wrong.
    pub violations: Violations,
}

/// What clients did against HTTP/2 or against Apple's rules for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Violations {
    /// Streams opened beyond the limit that the client had acknowledged.
    pub over_limit: u64,
    /// Streams opened after the client had answered a PING that followed a GOAWAY.
    pub after_go_away: u64,
    /// Connections ended because the client broke the protocol.
    pub protocol: u64,
    /// Requests with more headers than SETTINGS_MAX_HEADER_LIST_SIZE allows.
    pub headers_too_long: u64,
    /// Pushes whose `:path` the client put into the HPACK table, which Apple asks it not to do.
    pub path_indexed: u64,
    /// How often, after its first time on a connection, a client put an `apns-id`, an
    /// `apns-expiration` or an `apns-collapse-id` into the HPACK table, which Apple asks it not to do.
    pub changing_header_indexed: u64,
}

impl Violations {
    /// The sum of what breaks HTTP/2, without what Apple merely advises about HPACK.
    pub fn of_http2(&self) -> u64 {
        self.over_limit + self.after_go_away + self.protocol + self.headers_too_long
    }
}

/// What one connection counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ConnectionCounters {
    /// Which connection, counted from 1.
    pub number: u64,
    /// Whether it has ended.
    pub closed: bool,
    /// Pushes that came whole.
    pub arrived: u64,
    /// Pushes taken.
    pub accepted: u64,
    /// Streams open now.
    pub open_streams: u64,
    /// The most streams that were open at a time.
    pub most_streams: u64,
    /// The limit of streams that the client was told last.
    pub max_streams: u32,
}
