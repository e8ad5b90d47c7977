//! A fake Apple Push Notification service: TLS with a client certificate, HTTP/2, and what Apple
//! checks of an MDM push. It speaks raw frames and JSON and knows none of our push types.

mod authority;
mod check;
mod config;
mod connection;
mod fault;
mod state;
#[cfg(test)]
mod tests;

use std::{fmt, net::SocketAddr, sync::Arc};

use chrono::{DateTime, Utc};
use mdm_pki::Certificate;
use mdm_tls::{ClientAuth, ServerConfig};
use tokio::{net::TcpListener, task::JoinHandle};

pub use self::{
    authority::PushAuthority,
    config::Config,
    connection::Refusal,
    fault::Fault,
    state::{Received, Subscription},
};
use self::{
    connection::{Listener, Topics},
    state::State,
};

/// A running push service on a free loopback port; dropping it closes its socket and connections.
///
/// It takes connections whose client certificate ends in one of [`Config::push_roots`] and is
/// valid, and from them pushes to the topic in the certificate's user ID, for tokens it was told
/// of. Everything else is refused as Apple refuses it.
///
/// ```
/// use mdm_fake_apple::apns::{Config, FakeApns, PushAuthority};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let authority = PushAuthority::new()?;
/// let push_certificate = authority.issue("com.apple.mgmt.External.3a1c9b52")?;
///
/// let apns = FakeApns::start(Config::new(vec![authority.root().clone()])).await?;
/// apns.accept_token(b"token");
///
/// // A server pushes to apns.host(), apns.port(), trusting apns.root_certificate(), as push_certificate;
/// // the device waits: apns.next_push(b"token").await
/// assert!(apns.pushes().is_empty());
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
        let state = Arc::new(State::new(config.kept_pushes, config.accept_any_token));
        let listener = Listener {
            tls,
            state: Arc::clone(&state),
            max_streams: config.max_streams,
            topics: match (config.client_certificates, config.topic) {
                (true, _) => Topics::Own,
                (false, Some(topic)) => Topics::One(topic.into()),
                (false, None) => Topics::Any,
            },
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
        self.state.accept(token.as_ref(), None);
    }

    /// From now on takes pushes to this token for this topic; others are answered
    /// `DeviceTokenNotForTopic`. A dead token lives again.
    pub fn accept_token_for(&self, token: impl AsRef<[u8]>, topic: impl Into<String>) {
        self.state.accept(token.as_ref(), Some(topic.into()));
    }

    /// From now on answers pushes to this token with 410 `Unregistered` and this time.
    pub fn kill_token(&self, token: impl AsRef<[u8]>, since: DateTime<Utc>) {
        self.state.kill(token.as_ref(), since);
    }

    /// Answers the next push not yet spoken for with this fault; several queue up in order.
    pub fn fault(&self, fault: Fault) {
        self.state.add_fault(fault);
    }

    /// The pushes taken so far, in order: the last [`Config::kept_pushes`] of them.
    pub fn pushes(&self) -> Vec<Received> {
        self.state.received()
    }

    /// How many pushes were taken so far.
    pub fn accepted(&self) -> u64 {
        self.state.accepted()
    }

    /// The connections and pushes refused so far, in order: the last [`Config::kept_pushes`] of them.
    pub fn refusals(&self) -> Vec<Refusal> {
        self.state.refusals()
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

/// A random UUID of version 4, in lowercase.
fn uuid() -> Result<String, mdm_pki::Error> {
    let hex = hex::encode(mdm_pki::random::<16>()?);
    let (a, b, c, d) = (&hex[..8], &hex[8..12], &hex[13..16], &hex[17..20]);
    Ok(format!("{a}-{b}-4{c}-8{d}-{}", &hex[20..]))
}
