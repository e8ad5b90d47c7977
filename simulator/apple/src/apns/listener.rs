//! Accepts connections, checks who comes, and serves each in a task of its own.

use std::{sync::Arc, time::Duration};

use mdm_core::Clock;
use mdm_tls::{ErrorKind, ServerConfig};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};

use super::{
    Environment, connection,
    session::{Client, Session},
    state::State,
};

/// How long a client may take over its handshake, or over hanging up after a refusal.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Something that the fake refused.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// A connection, before any push: the client's certificate, TLS version or protocol.
    Handshake {
        /// Why.
        kind: ErrorKind,
    },
    /// A connection behind its handshake, as the test asked.
    Connection,
    /// A connection whose push certificate was revoked: GOAWAY with `BadCertificate`.
    Revoked {
        /// The certificate's serial number.
        serial: Vec<u8>,
    },
    /// A push, with what it was answered.
    Push {
        /// The HTTP status.
        status: u16,
        /// The reason.
        reason: String,
    },
}

pub(super) struct Listener {
    pub(super) tls: ServerConfig,
    pub(super) state: Arc<State>,
    pub(super) clock: Arc<dyn Clock>,
    /// The one topic, where clients show no certificate.
    pub(super) topic: Option<Arc<str>>,
    pub(super) environment: Environment,
    pub(super) one_stream_first: bool,
}

impl Listener {
    pub(super) async fn run(self, socket: TcpListener) {
        let this = Arc::new(self);
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                Some(_) = connections.join_next() => {}
                accepted = socket.accept() => match accepted {
                    Ok((tcp, _)) => {
                        connections.spawn(Arc::clone(&this).serve(tcp));
                    }
                    // That client's affair, or a lack of descriptors that may pass.
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                },
            }
        }
    }

    async fn serve(self: Arc<Self>, mut tcp: TcpStream) {
        let _ = tcp.set_nodelay(true);
        let refusal = match timeout(PATIENCE, self.tls.accept(&mut tcp)).await {
            Ok(Ok(mut stream)) => {
                let client = self.client(stream.peer_certificate());
                let number = self.state.lock().open();
                if let Some(number) = number {
                    let session = Session::new(Arc::clone(&self.state), client, number);
                    return connection::run(stream, session, &self.clock).await;
                }
                let _ = stream.shutdown().await;
                Refusal::Connection
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, "handshake refused");
                Refusal::Handshake { kind: error.kind() }
            }
            Err(_) => return,
        };
        self.state.refused(refusal);
        hang_up(tcp).await;
    }

    fn client(&self, certificate: Option<mdm_pki::Certificate>) -> Client {
        let environment = self.environment;
        let wrong = |certificate: &mdm_pki::Certificate| !environment.takes(certificate);
        Client {
            refused: certificate
                .as_ref()
                .is_some_and(wrong)
                .then_some("BadCertificateEnvironment"),
            serial: certificate.as_ref().map(|shown| shown.serial().to_vec()),
            topic: match certificate {
                Some(shown) => Some(shown.user_id().unwrap_or_default().into()),
                None => self.topic.clone(),
            },
            trusted: !self.one_stream_first,
        }
    }
}

/// Ends a refused connection so that the alert arrives: a socket that is closed with bytes unread
/// is reset, and the alert is lost with it.
async fn hang_up(mut tcp: TcpStream) {
    let _ = tcp.shutdown().await;
    let mut sink = [0; 4096];
    let drain = async { while matches!(tcp.read(&mut sink).await, Ok(read) if read > 0) {} };
    let _ = timeout(PATIENCE, drain).await;
}
