//! How a fake push service is set up before it starts.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use mdm_core::{Clock, SystemClock};
use mdm_pki::{Certificate, Oid};

use super::{PushAuthority, Throttling};

/// How a [`FakeApns`](super::FakeApns) behaves.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Whom a push certificate must come from.
    pub push_roots: Vec<Certificate>,
    /// Whether clients must show a push certificate; they must, as at Apple, unless set. Load tools
    /// that have none to show need a listener that does not ask.
    pub client_certificates: bool,
    /// The one topic that is taken where no certificate says which; any unless set.
    pub topic: Option<String>,
    /// Whether pushes to tokens that nobody spoke of are taken; refused unless set.
    pub accept_any_token: bool,
    /// The DNS names and addresses in the server's certificate, which stands under a root of its
    /// own; `localhost`, `127.0.0.1` and `::1` unless set.
    pub server_names: Vec<String>,
    /// Who issues the server's certificate; an authority made for this run unless set.
    pub server_authority: Option<PushAuthority>,
    /// Where to listen; a free port on 127.0.0.1 unless set.
    pub bind: SocketAddr,
    /// How many streams a connection may have open (SETTINGS_MAX_CONCURRENT_STREAMS); 1000, as
    /// Apple's servers, unless set.
    pub max_streams: u32,
    /// Whether a connection has one stream until its first push was taken, as Apple's servers do
    /// with clients that show a token in place of a certificate; off unless set.
    pub one_stream_first: bool,
    /// How long every answer takes; no time unless set.
    pub delay: Duration,
    /// What becomes of clients whose pushes are rejected; nothing unless set.
    pub throttling: Option<Throttling>,
    /// Which of Apple's services this is: [`Environment::Production`] unless set.
    pub environment: Environment,
    /// How many of the pushes that were taken are kept, for those who ask for them; the oldest are
    /// dropped first. 100,000 unless set.
    pub kept_pushes: usize,
    /// For how many `apns-id`s it is counted how often each was taken; those that come later are
    /// not. A million unless set.
    pub tracked_ids: usize,
    /// The time, and how to wait; the machine's clock unless set.
    pub clock: Arc<dyn Clock>,
}

impl Config {
    /// Takes push certificates that end in one of these roots.
    pub fn new(push_roots: Vec<Certificate>) -> Self {
        Self {
            push_roots,
            client_certificates: true,
            topic: None,
            accept_any_token: false,
            server_names: ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into(),
            server_authority: None,
            bind: SocketAddr::from(([127, 0, 0, 1], 0)),
            max_streams: 1000,
            one_stream_first: false,
            delay: Duration::ZERO,
            throttling: None,
            environment: Environment::Production,
            kept_pushes: 100_000,
            tracked_ids: 1_000_000,
            clock: Arc::new(SystemClock),
        }
    }

    /// Asks clients for no certificate; pushes to any topic are taken.
    pub fn without_client_certificates() -> Self {
        Self::new(Vec::new()).with(|config| config.client_certificates = false)
    }

    /// Changes some of the settings.
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Serves with a certificate for these DNS names and addresses.
    pub fn server_names(mut self, names: &[&str]) -> Self {
        self.server_names = names.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// Allows this many streams a connection.
    pub fn max_streams(mut self, max_streams: u32) -> Self {
        self.max_streams = max_streams;
        self
    }
}

/// Which of Apple's push services: each takes the certificates made for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Environment {
    /// `api.push.apple.com`. It takes certificates with the extension for production, and those
    /// without an extension for either: Apple issues MDM's for production alone.
    Production,
    /// `api.sandbox.push.apple.com`. It takes certificates with the extension for development.
    Sandbox,
}

impl Environment {
    /// Whether this service takes the certificate.
    pub(super) fn takes(self, certificate: &Certificate) -> bool {
        let development = certificate.extension(DEVELOPMENT).is_some();
        match self {
            Self::Production => certificate.extension(PRODUCTION).is_some() || !development,
            Self::Sandbox => development,
        }
    }

    /// Apple's extension for certificates of this service.
    pub(super) fn extension(self) -> Oid {
        match self {
            Self::Production => PRODUCTION,
            Self::Sandbox => DEVELOPMENT,
        }
    }
}

/// Apple's extensions for push certificates (Apple Worldwide Developer Relations Certification
/// Practice Statement).
const DEVELOPMENT: Oid = Oid::constant("1.2.840.113635.100.6.3.1");
const PRODUCTION: Oid = Oid::constant("1.2.840.113635.100.6.3.2");
