//! The device-assignment service, over raw HTTP and JSON.
//!
//! Where Apple's behaviour is documented or has been seen, it is followed; where nobody knows, the
//! stricter reading is taken. [`AdeService`] is the service without a socket, for thousands of runs
//! of a test; [`FakeAde`] is the same one over HTTPS.

mod account;
mod ber;
mod config;
mod cooling;
mod cursor;
mod device;
mod devices;
mod fault;
mod generated;
mod ids;
mod lock;
mod oauth;
mod outcomes;
mod pages;
mod profile;
mod render;
mod roster;
mod routes;
mod server_token;
mod service;
mod session;
mod state;
#[cfg(test)]
mod tests;
mod traffic;

use std::{fmt, ops::Deref, time::Duration};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::{Request, Response};
use mdm_pki::Certificate;

pub use self::{
    config::{Config, ProfileNotFound, Shapes},
    fault::{Fault, Fired, Outcome, SessionLoss, Trigger},
    roster::Roster,
    service::{AdeService, Answer, Present},
    traffic::{Count, Exchange, Traffic},
};
use crate::{
    authority::Authority,
    http::{HangUp, Server, StartError},
};

/// An [`AdeService`] behind a loopback socket; ends when dropped. All that the service does is to
/// be had from here too.
pub struct FakeAde {
    server: Server,
    root: Certificate,
    service: AdeService,
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

/// Where a [`FakeAde`] listens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listen {
    /// The loopback port; 0, the default, for a free one.
    pub port: u16,
    /// Whether to speak plain HTTP, for measuring a client without TLS. Default no.
    pub plain: bool,
}

impl Listen {
    /// Changes some of the settings.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// In a request's extensions: it came without TLS.
#[derive(Debug, Clone, Copy)]
struct PlainHttp;

impl FakeAde {
    /// Starts a service on a free loopback port, over HTTPS.
    ///
    /// # Errors
    /// [`Error`] if no port can be bound or OpenSSL fails.
    pub async fn start(config: Config) -> Result<Self, Error> {
        Self::serve(AdeService::new(config)?, Listen::default()).await
    }

    /// Puts a service behind a socket; several sockets may share one.
    ///
    /// # Errors
    /// [`Error`] if the port cannot be bound or OpenSSL fails.
    pub async fn serve(service: AdeService, listen: Listen) -> Result<Self, Error> {
        let (identity, root) = match &service.identity() {
            Some(identity) => {
                let root = identity.chain.last().unwrap_or(&identity.certificate);
                (identity.clone(), root.clone())
            }
            None => {
                let authority = Authority::new("Fake Apple Root")?;
                (authority.server_identity()?, authority.root().clone())
            }
        };
        let builder = match listen.plain {
            true => Server::builder(),
            false => Server::builder().identity(identity),
        };
        let shared = service.clone();
        let server = builder
            .port(listen.port)
            .start(move |mut request: Request<Bytes>| {
                if listen.plain {
                    request.extensions_mut().insert(PlainHttp);
                }
                let answer = shared.answer(&request);
                async move {
                    match answer {
                        Answer::Answered(response) => response,
                        Answer::HungUp { .. } => {
                            let mut response = Response::default();
                            response.extensions_mut().insert(HangUp);
                            response
                        }
                    }
                }
            })
            .await?;
        Ok(Self {
            server,
            root,
            service,
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

    /// The service behind the socket.
    pub fn service(&self) -> &AdeService {
        &self.service
    }

    /// Stops the service once the requests under way are answered.
    pub async fn shutdown(self) {
        self.server.shutdown().await;
    }
}

impl Deref for FakeAde {
    type Target = AdeService;

    fn deref(&self) -> &AdeService {
        &self.service
    }
}

impl fmt::Debug for FakeAde {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeAde").field("url", &self.url()).finish()
    }
}

/// The time so much later; the end of the calendar at most.
fn later(time: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(by)
        .ok()
        .and_then(|by| time.checked_add_signed(by))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// As Apple writes times.
fn timestamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}
