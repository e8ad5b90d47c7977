//! Accepts connections and serves their pushes, each in a task of its own.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use chrono::Utc;
use h2::{
    Reason, RecvStream,
    server::{Connection, SendResponse},
};
use http::{Request, Response, request::Parts};
use mdm_tls::{ErrorKind, ServerConfig, TlsStream};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};

use super::{
    Fault,
    check::{self, MAX_PAYLOAD_BYTES},
    state::{Received, State},
};

/// How long a client may take over its handshake, or over hanging up after a refusal.
const PATIENCE: Duration = Duration::from_secs(10);

/// The most bytes of a request's headers (SETTINGS_MAX_HEADER_LIST_SIZE), as Apple's servers have it.
const MAX_HEADER_LIST: u32 = 8000;

/// Something that the fake refused.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// A connection, before any push: the client's certificate, TLS version or protocol.
    Handshake {
        /// Why.
        kind: ErrorKind,
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
    pub(super) max_streams: u32,
    pub(super) topics: Topics,
}

/// Which topics a client may push to.
#[derive(Debug, Clone)]
pub(super) enum Topics {
    /// The one in its certificate.
    Own,
    /// This one.
    One(Arc<str>),
    Any,
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
        let refused = match timeout(PATIENCE, self.tls.accept(&mut tcp)).await {
            Ok(Ok(stream)) => return self.pushes(stream).await,
            Ok(Err(error)) => error,
            Err(_) => return,
        };
        tracing::debug!(error = %refused, "handshake refused");
        let kind = refused.kind();
        self.state.refuse(Refusal::Handshake { kind });
        hang_up(tcp).await;
    }

    async fn pushes(&self, stream: TlsStream<&mut TcpStream>) {
        let topics = match &self.topics {
            Topics::Own => {
                let certificate = stream.peer_certificate();
                let topic = certificate.and_then(|certificate| certificate.user_id());
                Topics::One(topic.unwrap_or_default().into())
            }
            other => other.clone(),
        };
        let http = h2::server::Builder::new()
            .max_concurrent_streams(self.max_streams)
            .max_header_list_size(MAX_HEADER_LIST)
            .handshake(stream);
        let Ok(Ok(http)) = timeout(PATIENCE, http).await else {
            return;
        };
        let pushes = Pushes {
            state: Arc::clone(&self.state),
            topics,
            connection: self.state.next_connection(),
        };
        pushes.serve(http).await;
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

/// The pushes of one connection.
#[derive(Clone)]
struct Pushes {
    state: Arc<State>,
    topics: Topics,
    connection: u64,
}

impl Pushes {
    async fn serve<S>(self, mut http: Connection<S, Bytes>)
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    {
        // Dropped with the connection, and every open push with it.
        let mut open = JoinSet::new();
        while let Some(accepted) = http.accept().await {
            let Ok((request, respond)) = accepted else {
                return;
            };
            while open.try_join_next().is_some() {}
            match self.state.take_fault() {
                None => {
                    open.spawn(self.clone().answer(request, respond));
                }
                Some(Fault::Close) => return,
                Some(Fault::GoAway) => {
                    open.spawn(self.clone().answer(request, respond));
                    http.graceful_shutdown();
                }
                Some(Fault::AbruptGoAway { code }) => {
                    http.abrupt_shutdown(Reason::from(code));
                }
                Some(fault) => {
                    open.spawn(misbehave(fault, request, respond));
                }
            }
        }
    }

    async fn answer(self, request: Request<RecvStream>, respond: SendResponse<Bytes>) {
        let (head, body) = request.into_parts();
        let Some(body) = read(body).await else {
            return;
        };
        let own_topic = match &self.topics {
            Topics::One(topic) => Some(&**topic),
            Topics::Own | Topics::Any => None,
        };
        let state = &self.state;
        let checked = check::check(&head, &body, own_topic, |token| state.status(token));
        let rejection = match checked {
            Ok(passed) => {
                let apns_id = passed.apns_id.unwrap_or_else(new_id);
                self.state.record(Received {
                    token: passed.token,
                    magic: passed.magic,
                    topic: passed.topic,
                    priority: passed.priority,
                    expiration: passed.expiration,
                    apns_id: apns_id.clone(),
                    connection: self.connection,
                    at: Utc::now(),
                });
                return send(respond, 200, &apns_id, Bytes::new());
            }
            Err(rejection) => rejection,
        };
        self.state.refuse(Refusal::Push {
            status: rejection.status,
            reason: rejection.reason.to_owned(),
        });
        let mut body = serde_json::json!({ "reason": rejection.reason });
        if let Some(since) = rejection.since {
            body["timestamp"] = since.timestamp_millis().into();
        }
        send(
            respond,
            rejection.status,
            &id_of(&head),
            body.to_string().into(),
        );
    }
}

async fn misbehave(fault: Fault, request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
    let (head, body) = request.into_parts();
    let id = id_of(&head);
    let _ = read(body).await;
    match fault {
        Fault::Reject { status, reason } => {
            let body = serde_json::json!({ "reason": reason });
            send(respond, status, &id, body.to_string().into());
        }
        Fault::Raw { status, body } => send(respond, status, &id, body),
        Fault::LongHeaders { bytes } => {
            if let Ok(response) = Response::builder()
                .header("x-long", "x".repeat(bytes))
                .body(())
            {
                let _ = respond.send_response(response, true);
            }
        }
        Fault::StallBody { status } => {
            if let Ok(response) = Response::builder().status(status).body(()) {
                // Held, not dropped: a dropped stream would be reset.
                let _body = respond.send_response(response, false);
                std::future::pending::<()>().await;
            }
        }
        Fault::Reset { code } => respond.send_reset(Reason::from(code)),
        // Held as above; the connection's own faults do not come here.
        Fault::Stall | Fault::GoAway | Fault::AbruptGoAway { .. } | Fault::Close => {
            std::future::pending::<()>().await;
        }
    }
}

/// The whole body, one byte over the limit at most; `None` where it breaks off.
async fn read(mut body: RecvStream) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk.ok()?;
        let room = (MAX_PAYLOAD_BYTES + 1).saturating_sub(whole.len());
        whole.extend_from_slice(&chunk[..chunk.len().min(room)]);
        body.flow_control().release_capacity(chunk.len()).ok()?;
    }
    Some(whole)
}

fn send(mut respond: SendResponse<Bytes>, status: u16, id: &str, body: Bytes) {
    let response = Response::builder()
        .status(status)
        .header("apns-id", id)
        .body(());
    let Ok(response) = response else {
        return;
    };
    let end = body.is_empty();
    // A client that has gone away needs no answer.
    if let Ok(mut stream) = respond.send_response(response, end)
        && !end
    {
        let _ = stream.send_data(body, true);
    }
}

fn id_of(head: &Parts) -> String {
    head.headers
        .get("apns-id")
        .and_then(|id| id.to_str().ok())
        .map_or_else(new_id, str::to_owned)
}

/// An id for a push that came without.
fn new_id() -> String {
    super::uuid().unwrap_or_default()
}
