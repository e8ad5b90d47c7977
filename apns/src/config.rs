//! Where the push service is, and how long to wait for it.

use std::{sync::Arc, time::Duration};

use mdm_core::{Clock, SystemClock};
use mdm_tls::Roots;
use mdm_transport::RetryPolicy;

use crate::{
    dial::{Dial, Direct},
    request::DEFAULT_BODY_LIMIT,
};

/// Apple's push service. Push certificates for MDM are for this one.
pub const PRODUCTION_HOST: &str = "api.push.apple.com";

/// Apple's push service for apps under development.
pub const SANDBOX_HOST: &str = "api.sandbox.push.apple.com";

/// The port for networks that let 443 pass to a proxy only.
pub const ALTERNATIVE_PORT: u16 = 2197;

/// How to reach the push service, and the bounds of everything.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The server's DNS name or address, which its certificate must carry.
    pub host: String,
    /// The port: 443, or [`ALTERNATIVE_PORT`].
    pub port: u16,
    /// The way there: [`Direct`] unless set, or through a proxy with
    /// [`Tunnel`](crate::dial::Tunnel).
    pub dial: Arc<dyn Dial>,
    /// Whom to trust; the system's roots unless set.
    pub roots: Roots,
    /// The most connections at a time, at least 1; 3 unless set. A further one is opened when as many
    /// pushes wait as the open ones have places.
    pub max_connections: usize,
    /// The longest that making a connection may take, until the server has told its settings;
    /// 10 seconds unless set.
    pub connect_deadline: Duration,
    /// How long to wait before the next connection where one could not be made, or ended before it had
    /// answered anything: from 1 second to 1 minute, by chance, unless set.
    pub reconnect: RetryPolicy,
    /// The longest that one attempt waits for its answer; 10 seconds unless set. Then the connection
    /// is taken for stuck, and the push sent over another.
    pub answer_deadline: Duration,
    /// The longest that a push may take, with all waiting and all attempts; 30 seconds unless set.
    pub push_deadline: Duration,
    /// How often a push is sent at most, when connections break under it; 10 unless set.
    pub max_attempts: u32,
    /// How long a connection may be idle before it is looked after; 1 hour unless set, as Apple
    /// advises. A connection beside others is closed then, the last one is pinged.
    pub idle: Duration,
    /// How long nothing is sent after the service called the topic broken; 15 minutes unless set.
    pub pause: Duration,
    /// How many pushes in a row may be refused for what they all have in common before the topic
    /// counts as broken; 10 unless set.
    pub max_strikes: u32,
    /// The most bytes of an answer's body that are read; 4096 unless set. A longer body costs the
    /// reason, not the outcome.
    pub body_limit: usize,
    /// The most bytes of headers that an answer may have, by the count of RFC 9113 §6.5.2; 8192
    /// unless set. More is an error.
    pub header_limit: u32,
    /// The clock for expiries and deadlines.
    pub clock: Arc<dyn Clock>,
}

impl Config {
    /// Apple's push service: [`PRODUCTION_HOST`], port 443, the system's roots.
    pub fn production() -> Self {
        Self::new(PRODUCTION_HOST, 443)
    }

    /// Another server that speaks as Apple's does: a test server, a relay, [`SANDBOX_HOST`].
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            dial: Arc::new(Direct),
            roots: Roots::System,
            max_connections: 3,
            connect_deadline: Duration::from_secs(10),
            reconnect: RetryPolicy::default().with(|policy| {
                policy.max_attempts = u32::MAX;
                policy.max_total = Duration::MAX;
                policy.base_delay = Duration::from_secs(1);
                policy.max_delay = Duration::from_secs(60);
            }),
            answer_deadline: Duration::from_secs(10),
            push_deadline: Duration::from_secs(30),
            max_attempts: 10,
            idle: Duration::from_secs(60 * 60),
            pause: Duration::from_secs(15 * 60),
            max_strikes: 10,
            body_limit: DEFAULT_BODY_LIMIT,
            header_limit: 8192,
            clock: Arc::new(SystemClock),
        }
    }

    /// Sets whom to trust.
    #[must_use]
    pub fn roots(mut self, roots: Roots) -> Self {
        self.roots = roots;
        self
    }

    /// Sets the clock for expiries and deadlines.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Changes any of the settings in one go.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}
