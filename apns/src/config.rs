//! Where the push service is, and how long to wait for it.

use std::{sync::Arc, time::Duration};

use mdm_core::{Clock, SystemClock};
use mdm_tls::Roots;

use crate::request::DEFAULT_BODY_LIMIT;

/// Apple's push service. Push certificates for MDM are for this one.
pub const PRODUCTION_HOST: &str = "api.push.apple.com";

/// Apple's push service for apps under development.
pub const SANDBOX_HOST: &str = "api.sandbox.push.apple.com";

/// The port for networks that let 443 pass to a proxy only.
pub const ALTERNATIVE_PORT: u16 = 2197;

/// How to reach the push service.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The server's DNS name or address, which its certificate must carry.
    pub host: String,
    /// The port: 443, or [`ALTERNATIVE_PORT`].
    pub port: u16,
    /// Whom to trust; the system's roots unless set.
    pub roots: Roots,
    /// The longest that making a connection may take, until the server has told its settings;
    /// 30 seconds unless set.
    pub connect_deadline: Duration,
    /// The longest that a push may take, the wait for a free stream included; 30 seconds unless
    /// set.
    pub push_deadline: Duration,
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
            roots: Roots::System,
            connect_deadline: Duration::from_secs(30),
            push_deadline: Duration::from_secs(30),
            body_limit: DEFAULT_BODY_LIMIT,
            header_limit: 8192,
            clock: Arc::new(SystemClock),
        }
    }

    /// Sets whom to trust.
    pub fn roots(mut self, roots: Roots) -> Self {
        self.roots = roots;
        self
    }

    /// Sets the clock for expiries and deadlines.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Changes any of the settings in one go.
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}
