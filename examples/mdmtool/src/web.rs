//! A web server for the commands that are one: HTTP/1.1, plain or over TLS, with bounds on everything that a
//! client may take its time with or pile up.

mod listen;

use std::{future::Future, io, net::IpAddr, pin::pin, sync::Arc, time::Duration};

pub(crate) use self::listen::{Listen, plain};
use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use mdm_scep::limit::Peer;
use mdm_tls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
    time::timeout,
};

/// How long a client may take over its TLS handshake, a request's headers, or its body.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a connection may last.
const CONNECTION: Duration = Duration::from_secs(120);

/// How long requests that are being answered have once the server stops.
const GRACE: Duration = Duration::from_secs(5);

/// What answers.
#[async_trait]
pub(crate) trait Site: Send + Sync + 'static {
    /// The answer to one request, whose extensions name the [`Peer`] that it came from.
    async fn answer(&self, request: Request<Bytes>) -> Response<Bytes>;
}

/// A server that is bound to its port.
pub(crate) struct Web {
    listener: TcpListener,
    tls: Option<ServerConfig>,
    /// The longest body of a request, in bytes; beyond it the answer is 413.
    max_body: usize,
    /// How many connections may be open; the next waits to be accepted.
    max_connections: usize,
}

impl Web {
    /// Where it is reached, without a slash at the end.
    pub(crate) fn url(&self) -> io::Result<String> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        Ok(format!("{scheme}://{}", self.listener.local_addr()?))
    }

    /// Serves until `stop` is ready and what was begun then is answered, or has had its time.
    pub(crate) async fn serve(self, site: Arc<dyn Site>, stop: impl Future<Output = ()>) {
        let places = Arc::new(Semaphore::new(self.max_connections));
        let (stopping, stopped) = watch::channel(false);
        let mut connections = JoinSet::new();
        let mut stop = pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                Some(_) = connections.join_next() => {}
                accepted = accept(&self.listener, &places) => {
                    let Some((stream, from, place)) = accepted else {
                        continue;
                    };
                    let connection = Connection {
                        site: Arc::clone(&site),
                        from,
                        max_body: self.max_body,
                        stopped: stopped.clone(),
                    };
                    let tls = self.tls.clone();
                    connections.spawn(async move {
                        let whole = connection.run(stream, tls);
                        let _ = timeout(CONNECTION + GRACE, whole).await;
                        drop(place);
                    });
                }
            }
        }
        drop(self.listener);
        stopping.send_replace(true);
        let all_done = async { while connections.join_next().await.is_some() {} };
        let _ = timeout(GRACE, all_done).await;
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, IpAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, from)) => Some((stream, from.ip(), place)),
        // That client's affair, or a lack of descriptors that may pass.
        Err(_) => {
            tokio::time::sleep(Duration::from_millis(10)).await;
            None
        }
    }
}

#[derive(Clone)]
struct Connection {
    site: Arc<dyn Site>,
    from: IpAddr,
    max_body: usize,
    stopped: watch::Receiver<bool>,
}

impl Connection {
    async fn run(self, stream: TcpStream, tls: Option<ServerConfig>) {
        let _ = stream.set_nodelay(true);
        match tls {
            None => self.speak(stream).await,
            Some(tls) => {
                if let Ok(Ok(stream)) = timeout(PATIENCE, tls.accept(stream)).await {
                    self.speak(stream).await;
                }
            }
        }
    }

    async fn speak<S>(self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut stopped = self.stopped.clone();
        let answer = service_fn(move |request| self.clone().answer(request));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .serve_connection(TokioIo::new(stream), answer);
        let mut connection = pin!(connection);
        let end = async {
            let _ = timeout(CONNECTION, stopped.wait_for(|stopped| *stopped)).await;
        };
        tokio::select! {
            _ = connection.as_mut() => return,
            () = end => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }

    /// Fails only to make hyper close the connection.
    async fn answer(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, NoBody> {
        let (head, body) = request.into_parts();
        let body = Limited::new(body, self.max_body).collect();
        let response = match timeout(PATIENCE, body).await {
            Ok(Ok(body)) => {
                let mut request = Request::from_parts(head, body.to_bytes());
                request.extensions_mut().insert(peer(self.from));
                self.site.answer(request).await
            }
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                status(StatusCode::PAYLOAD_TOO_LARGE)
            }
            Ok(Err(_)) | Err(_) => return Err(NoBody),
        };
        Ok(response.map(Full::new))
    }
}

/// Whom limits count: an address, and of the many that one host may have in IPv6 their common prefix.
fn peer(address: IpAddr) -> Peer {
    Peer(match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    })
}

/// An answer that is its status alone.
pub(crate) fn status(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

#[derive(Debug, thiserror::Error)]
#[error("the body did not come")]
struct NoBody;
