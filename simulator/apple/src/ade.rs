//! The device-assignment service, over raw HTTP and JSON.
//!
//! Where Apple's behaviour is documented or has been seen, it is followed; where nobody knows, the
//! stricter reading is taken.

mod ber;
mod cursor;
mod devices;
mod fault;
mod oauth;
mod profile;
mod routes;
mod server_token;
mod session;
mod state;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use mdm_pki::{Certificate, Identity};
use serde_json::Value;

pub use self::fault::{Fault, SessionLoss};
use self::state::State;
use crate::{
    authority::Authority,
    http::{Server, StartError},
};

/// What the fake service is like.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The server's name in the portal. Default `Fake MDM`.
    pub server_name: String,
    /// The organization's name. Default `Fake Organization`.
    pub org_name: String,
    /// What `/account` states as the most items at once. Default 1000.
    pub page_maximum: usize,
    /// How long a session lives. Default 3 minutes.
    pub session_lifetime: Duration,
    /// After how many requests in a session a new one comes with the answer; the old one then
    /// works no longer. `None`, the default, for never.
    pub rotate_session_every: Option<u32>,
    /// How far an OAuth timestamp may be off. Default 5 minutes.
    pub timestamp_tolerance: Duration,
    /// How long a cursor lives. Default 7 days.
    pub cursor_lifetime: Duration,
    /// The server's certificate and key; one of an authority of its own unless set.
    pub identity: Option<Identity>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            server_name: "Fake MDM".to_owned(),
            org_name: "Fake Organization".to_owned(),
            page_maximum: 1000,
            session_lifetime: Duration::from_secs(180),
            rotate_session_every: None,
            timestamp_tolerance: Duration::from_secs(300),
            cursor_lifetime: Duration::from_secs(7 * 24 * 3600),
            identity: None,
        }
    }
}

impl Config {
    /// Changes some of the settings.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// A device-assignment service of one organization with one server; ends when dropped.
pub struct FakeAde {
    server: Server,
    root: Certificate,
    state: Arc<Mutex<State>>,
}

/// The fake could not be started, or could not make a token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server could not be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A key or certificate could not be made or read.
    #[error(transparent)]
    Pki(#[from] mdm_pki::Error),
}

/// One request that the fake has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exchange {
    /// The method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The answer's status; 0 where the connection was closed instead.
    pub status: u16,
}

impl FakeAde {
    /// Starts the service on a free loopback port, over HTTPS.
    ///
    /// # Errors
    /// [`Error`] if no port can be bound or OpenSSL fails.
    pub async fn start(config: Config) -> Result<Self, Error> {
        let (identity, root) = match &config.identity {
            Some(identity) => {
                let root = identity.chain.last().unwrap_or(&identity.certificate);
                (identity.clone(), root.clone())
            }
            None => {
                let authority = Authority::new("Fake Apple Root")?;
                (authority.server_identity()?, authority.root().clone())
            }
        };
        let state = Arc::new(Mutex::new(State::new(config)?));
        let shared = Arc::clone(&state);
        let server = Server::start(Some(identity), move |request| {
            let shared = Arc::clone(&shared);
            async move { routes::answer(&mut lock(&shared), &request) }
        })
        .await?;
        Ok(Self {
            server,
            root,
            state,
        })
    }

    /// The base URL, in the stead of `https://mdmenrollment.apple.com`.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The certificate that a client has to trust.
    pub fn root_certificate(&self) -> &Certificate {
        &self.root
    }

    /// What the portal gives for an uploaded certificate (PEM): the token file, S/MIME around BER.
    ///
    /// Any token given before ends, as it does at Apple.
    ///
    /// # Errors
    /// [`Error::Pki`] if the certificate cannot be read or has no RSA key.
    pub fn new_server_token(&self, upload_certificate: &[u8]) -> Result<Vec<u8>, Error> {
        let certificate = Certificate::from_pem(upload_certificate)?;
        let token = self.state().credentials.renew()?;
        Ok(server_token::file(&token, &certificate)?)
    }

    /// Assigns a device to the server: raw JSON with `serial_number` and whatever else Apple would
    /// tell about it. One that is there already is assigned again, which is a `modified`.
    pub fn add_device(&self, device: Value) {
        self.state().devices.add(device, Utc::now());
    }

    /// Changes something about a device; `false` if there is none.
    pub fn modify_device(&self, serial: &str, changes: Value) -> bool {
        self.state().devices.modify(serial, changes, Utc::now())
    }

    /// Takes a device away from the server; `false` if there is none.
    pub fn remove_device(&self, serial: &str) -> bool {
        self.state().devices.remove(serial, Utc::now())
    }

    /// A device as the service knows it, with everything.
    pub fn device(&self, serial: &str) -> Option<Value> {
        self.state().devices.get(serial)
    }

    /// What Apple tells a device at activation: its profile, as the MDM defined it. The device
    /// counts as `pushed` from then on.
    pub fn device_profile(&self, serial: &str) -> Option<Value> {
        self.state().device_profile(serial, Utc::now())
    }

    /// Switches a fault on.
    pub fn fault(&self, fault: Fault) {
        self.state().fault(fault);
    }

    /// Ends all faults that last. What is lost stays lost: tokens, sessions, cursors.
    pub fn clear_faults(&self) {
        self.state().faults = fault::Faults::default();
    }

    /// The requests so far.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.state().exchanges.clone()
    }

    /// How many requests came for this path so far.
    pub fn count(&self, path: &str) -> usize {
        let state = self.state();
        state.exchanges.iter().filter(|e| e.path == path).count()
    }

    /// Stops the service once the requests under way are answered.
    pub async fn shutdown(self) {
        self.server.shutdown().await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl fmt::Debug for FakeAde {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeAde").field("url", &self.url()).finish()
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As Apple writes times.
fn timestamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// `bytes` random bytes as upper-case hex digits; 32 digits is the form of Apple's identifiers.
fn random_hex<const N: usize>() -> Result<String, mdm_pki::Error> {
    Ok(hex::encode_upper(mdm_pki::random::<N>()?))
}
