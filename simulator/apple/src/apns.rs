//! A fake Apple Push Notification service: TLS with a client certificate, HTTP/2, and what Apple
//! checks of an MDM push. A test server for any client of APNs: it speaks raw frames and JSON, shares
//! no HTTP/2 library with the clients that it tests, and knows none of our push types.

mod authority;
mod check;
mod config;
mod connection;
mod counters;
mod fault;
mod frame;
mod hpack;
mod id;
mod listener;
mod plan;
mod request;
mod session;
mod state;
#[cfg(test)]
mod tests;
mod tokens;

use std::{collections::BTreeMap, fmt, net::SocketAddr, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use mdm_pki::Certificate;
use mdm_tls::{ClientAuth, ServerConfig};
use tokio::{net::TcpListener, task::JoinHandle};

pub use self::{
    authority::PushAuthority,
    config::{Config, Environment},
    counters::{ConnectionCounters, Counters, Violations},
    fault::{Fault, Goodbye, Throttling},
    listener::Refusal,
    tokens::{Received, Subscription},
};
use self::{
    listener::Listener,
    state::{Ending, State},
    tokens::TokenStatus,
};

/// A running push service on a loopback port; dropping it closes its socket and connections.
///
/// It takes connections whose client certificate ends in one of [`Config::push_roots`] and is
/// valid, and from them pushes to the topic in the certificate's user ID, for tokens it was told
/// of. Everything else is refused as Apple refuses it. What else it shall do wrong is told while it
/// runs: faults for the next push, for every so many, for a token ([`fault`](Self::fault),
/// [`every`](Self::every), [`fault_token`](Self::fault_token)), and orders for all connections
/// ([`set_max_streams`](Self::set_max_streams), [`set_delay`](Self::set_delay),
/// [`go_away`](Self::go_away)). It counts exactly what became of every push.
///
/// ```
/// use mdm_fake_apple::apns::{Config, FakeApns, Fault, Goodbye, PushAuthority};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let authority = PushAuthority::new()?;
/// let push_certificate = authority.issue("com.apple.mgmt.External.3a1c9b52")?;
///
/// let apns = FakeApns::start(Config::new(vec![authority.root().clone()])).await?;
/// apns.accept_token(b"token");
///
/// // The server goes away at each thousandth push, and resets one of fifty by chance.
/// apns.every(1000, Goodbye::graceful().reason("Shutdown").into());
/// apns.fault_by_chance(7, 20, Fault::Reset { code: 7 });
///
/// // The client under test pushes to apns.host(), apns.port(), trusting apns.root_certificate(), as
/// // push_certificate; the device waits: apns.next_push(b"token").await
///
/// // Was a push lost, or taken twice? Was a limit overstepped?
/// let counters = apns.counters();
/// assert_eq!(counters.accepted, 0);
/// assert!(apns.accepted_ids().values().all(|times| *times == 1));
/// assert_eq!(counters.violations.of_http2(), 0);
/// # Ok(())
/// # }
/// ```
pub struct FakeApns {
    address: SocketAddr,
    root: Certificate,
    state: Arc<State>,
    task: JoinHandle<()>,
}

/// The push service could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address could not be bound.
    #[error("the address could not be bound")]
    Bind(#[from] std::io::Error),
    /// The server's own certificate could not be made.
    #[error("the server's certificate could not be made")]
    Certificate(#[from] mdm_pki::Error),
    /// The identity or the push roots cannot be used.
    #[error("the TLS settings cannot be used")]
    Tls(#[from] mdm_tls::Error),
}

impl FakeApns {
    /// Binds [`Config::bind`] and serves.
    ///
    /// # Errors
    /// [`StartError`]: no port, no certificate, or no push root to trust.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let state = Arc::new(State::new(&config));
        let authority = match config.server_authority {
            Some(authority) => authority,
            None => PushAuthority::named("Fake Push Service Root")?,
        };
        let identity = authority.server(&config.server_names)?;
        let client_auth = if config.client_certificates {
            ClientAuth::Required {
                roots: config.push_roots,
            }
        } else {
            ClientAuth::None
        };
        let tls = ServerConfig::builder(identity)
            .alpn(&["h2"])
            .require_alpn(true)
            .client_auth(client_auth)
            .build()?;
        let socket = TcpListener::bind(config.bind).await?;
        let address = socket.local_addr()?;
        let listener = Listener {
            tls,
            state: Arc::clone(&state),
            clock: config.clock,
            topic: config.topic.map(Arc::from),
            environment: config.environment,
            one_stream_first: config.one_stream_first,
        };
        Ok(Self {
            address,
            root: authority.root().clone(),
            state,
            task: tokio::spawn(listener.run(socket)),
        })
    }

    /// The name to connect to: `localhost`.
    pub fn host(&self) -> &str {
        "localhost"
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The address that it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The root to trust.
    pub fn root_certificate(&self) -> &Certificate {
        &self.root
    }

    /// The root to trust, as PEM.
    pub fn root_pem(&self) -> String {
        self.root.to_pem()
    }

    /// From now on takes pushes to this token, whatever the topic. A dead token lives again.
    pub fn accept_token(&self, token: impl AsRef<[u8]>) {
        let status = TokenStatus::Accepted { topic: None };
        self.state.set_token(token.as_ref(), status);
    }

    /// From now on takes pushes to this token for this topic; others are answered
    /// `DeviceTokenNotForTopic`. A dead token lives again.
    pub fn accept_token_for(&self, token: impl AsRef<[u8]>, topic: impl Into<String>) {
        let topic = Some(topic.into());
        let status = TokenStatus::Accepted { topic };
        self.state.set_token(token.as_ref(), status);
    }

    /// From now on answers pushes to this token with 410 `Unregistered` and this time.
    pub fn kill_token(&self, token: impl AsRef<[u8]>, since: DateTime<Utc>) {
        let status = TokenStatus::Dead { since };
        self.state.set_token(token.as_ref(), status);
    }

    /// Answers the next push not yet spoken for with this fault; several queue up in order.
    pub fn fault(&self, fault: Fault) {
        self.state.lock().plan.add(fault);
    }

    /// Answers each `n`-th push from now on with this fault, over all connections. Several such
    /// rules stand beside each other; where two meet the same push, the older one has it.
    pub fn every(&self, n: u64, fault: Fault) {
        self.state.lock().plan.every(n, fault);
    }

    /// Answers so many pushes of a thousand with this fault, as chance has it. The same seed and the
    /// same order of pushes make the same faults.
    pub fn fault_by_chance(&self, seed: u64, per_mille: u32, fault: Fault) {
        self.state.lock().plan.chance(seed, per_mille, fault);
    }

    /// Answers every push to this token with this fault; `None` ends it.
    pub fn fault_token(&self, token: impl AsRef<[u8]>, fault: impl Into<Option<Fault>>) {
        let (token, fault) = (token.as_ref(), fault.into());
        self.state.lock().plan.for_token(token, fault);
    }

    /// Forgets every fault and rule that no push met yet.
    pub fn clear_faults(&self) {
        self.state.lock().plan.clear();
    }

    /// Allows this many streams a connection: told to every open connection at once, and to each
    /// new one (SETTINGS_MAX_CONCURRENT_STREAMS). 0 is a limit too.
    pub fn set_max_streams(&self, max_streams: u32) {
        let change = |orders: &mut state::Orders| orders.max_streams = max_streams;
        self.state.orders.send_modify(change);
    }

    /// From now on every answer takes this long. A push is looked at when its answer is due.
    pub fn set_delay(&self, delay: Duration) {
        let change = |orders: &mut state::Orders| orders.delay = delay;
        self.state.orders.send_modify(change);
    }

    /// What becomes, from now on, of clients whose pushes are rejected.
    pub fn set_throttling(&self, throttling: impl Into<Option<Throttling>>) {
        let throttling = throttling.into();
        let change = |orders: &mut state::Orders| orders.throttling = throttling;
        self.state.orders.send_modify(change);
    }

    /// Says goodbye to every connection that is open.
    pub fn go_away(&self, goodbye: Goodbye) {
        self.state.end(Ending::Goodbye(goodbye));
    }

    /// Closes every connection that is open, without a word.
    pub fn close_connections(&self) {
        self.state.end(Ending::Close);
    }

    /// Closes the next connections, this many, right behind their TLS handshake.
    pub fn refuse_connections(&self, count: u64) {
        self.state.refuse_connections(count);
    }

    /// Revokes the push certificate with this serial number. Connections that showed it get GOAWAY
    /// with `BadCertificate`, now or as soon as they open, and their pushes 403.
    pub fn revoke(&self, serial: &[u8]) {
        self.state.orders.send_modify(|orders| {
            orders.revoked.insert(serial.to_vec());
        });
    }

    /// The pushes taken so far, in order: the last [`Config::kept_pushes`] of them.
    pub fn pushes(&self) -> Vec<Received> {
        self.state.lock().tokens.received()
    }

    /// The connections and pushes refused so far, in order: the last [`Config::kept_pushes`] of
    /// them. What a fault refused is not among them.
    pub fn refusals(&self) -> Vec<Refusal> {
        self.state.lock().refusals()
    }

    /// What happened so far.
    pub fn counters(&self) -> Counters {
        self.state.lock().counters.clone()
    }

    /// What each connection counts, the oldest first: the last 10,000 of them.
    pub fn connections(&self) -> Vec<ConnectionCounters> {
        self.state.lock().connections()
    }

    /// How often the push with this `apns-id` was taken; for the first [`Config::tracked_ids`].
    pub fn times_accepted(&self, apns_id: &str) -> u32 {
        self.state.lock().times_accepted(apns_id)
    }

    /// How often each push was taken, by `apns-id`; for the first [`Config::tracked_ids`].
    pub fn accepted_ids(&self) -> BTreeMap<String, u32> {
        self.state.lock().accepted_ids()
    }

    /// Waits until the counters satisfy `condition`; they are then as returned.
    pub async fn until(&self, condition: impl Fn(&Counters) -> bool) -> Counters {
        let look = || Some(self.counters()).filter(&condition);
        self.state.wait(look).await
    }

    /// Waits for the next push to this token that no earlier call returned; its magic. Pushes that
    /// came before the call count.
    pub async fn next_push(&self, token: impl AsRef<[u8]>) -> String {
        self.state.next_push(token.as_ref()).await
    }

    /// The pushes to this token from now on, for a device that lives apart from the fake.
    pub fn subscribe(&self, token: impl AsRef<[u8]>) -> Subscription {
        Subscription::new(Arc::clone(&self.state), token.as_ref())
    }
}

impl Drop for FakeApns {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for FakeApns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeApns")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
