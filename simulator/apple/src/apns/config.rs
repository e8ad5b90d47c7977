//! How a fake push service is set up before it starts.

use std::{net::SocketAddr, sync::Arc};

use mdm_core::{Clock, SystemClock};
use mdm_pki::Certificate;

use super::PushAuthority;

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
    /// How many of the pushes that were taken are kept, for those who ask for them; the oldest are
    /// dropped first. 100,000 unless set.
    pub kept_pushes: usize,
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
            kept_pushes: 100_000,
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
