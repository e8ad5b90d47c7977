//! A small HTTP/1.1 server on a free loopback port, plain or over TLS: what the fakes stand on, and
//! whatever else a test wants answered over a real socket.

use std::{
    fmt,
    future::Future,
    io,
    net::{Ipv4Addr, SocketAddr},
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use mdm_pki::{Certificate, Identity};
use mdm_tls::{ClientAuth, ServerConfig};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// How long a client may take over its TLS handshake or over a request's headers.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long [`Server::shutdown`] waits for requests that are being answered.
const GRACE: Duration = Duration::from_secs(5);

/// A running server; dropping it closes its socket and its connections.
///
/// ```
/// use bytes::Bytes;
/// use mdm_fake_apple::http::Server;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Server::start(None, |request: http::Request<Bytes>| async move {
///     http::Response::new(Bytes::from(request.uri().path().to_owned()))
/// })
/// .await?;
/// assert!(server.url().starts_with("http://localhost:"));
/// server.shutdown().await;
/// # Ok(())
/// # }
/// ```
pub struct Server {
    address: SocketAddr,
    scheme: &'static str,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// The certificate that the client showed, in the extensions of its requests.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PeerCertificate(pub Certificate);

/// Put into an answer's extensions, it closes the connection in the answer's stead: the client
/// cannot know that its request was processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HangUp;

/// Put into an answer's extensions, it holds the answer back for this long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delay(pub Duration);

/// The server could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// No loopback port could be bound.
    #[error("no loopback port could be bound")]
    Bind(#[from] io::Error),
    /// The identity or the client roots cannot be used.
    #[error("the TLS settings cannot be used")]
    Tls(#[from] mdm_tls::Error),
}

impl Server {
    /// Serves `handler` over HTTPS with this identity, or over plain HTTP without one.
    ///
    /// # Errors
    /// [`StartError`] if no port can be bound or the identity cannot be used.
    pub async fn start<H, F>(identity: Option<Identity>, handler: H) -> Result<Self, StartError>
    where
        H: Fn(Request<Bytes>) -> F + Send + Sync + 'static,
        F: Future<Output = Response<Bytes>> + Send + 'static,
    {
        let builder = Self::builder();
        match identity {
            Some(identity) => builder.identity(identity),
            None => builder,
        }
        .start(handler)
        .await
    }

    /// A server with more settings than [`Server::start`] takes.
    pub fn builder() -> ServerBuilder {
        ServerBuilder {
            identity: None,
            client_auth: ClientAuth::None,
            max_body: 8 * 1024 * 1024,
            port: 0,
        }
    }

    /// `http://localhost:PORT` or `https://localhost:PORT`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("{}://localhost:{}", self.scheme, self.address.port())
    }

    /// The address that it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Stops listening and returns once the requests under way are answered, or after 5 seconds.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        let _ = (&mut self.task).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("url", &self.url()).finish()
    }
}

/// Settings of a [`Server`].
#[derive(Debug, Clone)]
#[must_use]
pub struct ServerBuilder {
    identity: Option<Identity>,
    client_auth: ClientAuth,
    max_body: usize,
    port: u16,
}

impl ServerBuilder {
    /// Serves HTTPS with this certificate, chain and key.
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Asks clients for a certificate; a handler finds it as [`PeerCertificate`]. HTTPS only.
    pub fn client_auth(mut self, client_auth: ClientAuth) -> Self {
        self.client_auth = client_auth;
        self
    }

    /// The most bytes that a request's body may have, beyond which the answer is 413. Default 8 MiB.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// The loopback port. Default 0, for a free one.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Binds the loopback port and serves `handler` on it.
    ///
    /// # Errors
    /// [`StartError`] if no port can be bound or the TLS settings cannot be used.
    pub async fn start<H, F>(self, handler: H) -> Result<Server, StartError>
    where
        H: Fn(Request<Bytes>) -> F + Send + Sync + 'static,
        F: Future<Output = Response<Bytes>> + Send + 'static,
    {
        let tls = match self.identity {
            Some(identity) => Some(
                ServerConfig::builder(identity)
                    .alpn(&["http/1.1"])
                    .client_auth(self.client_auth)
                    .build()?,
            ),
            None => None,
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await?;
        let address = listener.local_addr()?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (stop, stopped) = watch::channel(false);
        let service = Service {
            handler: Arc::new(move |request| Box::pin(handler(request))),
            max_body: self.max_body,
        };
        let task = tokio::spawn(accept(listener, tls, service, stopped));
        Ok(Server {
            address,
            scheme,
            stop,
            task,
        })
    }
}

type Handler =
    dyn Fn(Request<Bytes>) -> Pin<Box<dyn Future<Output = Response<Bytes>> + Send>> + Send + Sync;

#[derive(Clone)]
struct Service {
    handler: Arc<Handler>,
    max_body: usize,
}

async fn accept(
    listener: TcpListener,
    tls: Option<ServerConfig>,
    service: Service,
    mut stopped: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = stopped.changed() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => {
                // A failed accept is that client's affair, or a lack of descriptors that may pass.
                let Ok((stream, _)) = accepted else {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                };
                connections.spawn(connection(stream, tls.clone(), service.clone(), stopped.clone()));
            }
        }
    }
    drop(listener);
    let all_done = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(GRACE, all_done).await;
}

async fn connection(
    stream: TcpStream,
    tls: Option<ServerConfig>,
    service: Service,
    stopped: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    match tls {
        None => serve(stream, None, service, stopped).await,
        Some(tls) => match tokio::time::timeout(PATIENCE, tls.accept(stream)).await {
            Ok(Ok(stream)) => {
                let peer = stream.peer_certificate().map(PeerCertificate);
                serve(stream, peer, service, stopped).await;
            }
            Ok(Err(error)) => tracing::debug!(%error, "handshake failed"),
            Err(_) => tracing::debug!("handshake took too long"),
        },
    }
}

async fn serve<S>(
    stream: S,
    peer: Option<PeerCertificate>,
    service: Service,
    mut stopped: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let answer = service_fn(move |request| answer(service.clone(), peer.clone(), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), answer);
    let mut connection = pin!(connection);
    let mut stopping = false;
    loop {
        tokio::select! {
            result = connection.as_mut() => {
                if let Err(error) = result {
                    tracing::debug!(%error, "connection ended");
                }
                return;
            }
            _ = stopped.changed(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Fails only to make hyper close the connection.
async fn answer(
    service: Service,
    peer: Option<PeerCertificate>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, ClosedOnPurpose> {
    let (mut parts, body) = request.into_parts();
    if let Some(peer) = peer {
        parts.extensions.insert(peer);
    }
    let body = match Limited::new(body, service.max_body).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Ok(bare(StatusCode::PAYLOAD_TOO_LARGE));
        }
        Err(_) => return Err(ClosedOnPurpose),
    };
    let response = (service.handler)(Request::from_parts(parts, body)).await;
    if let Some(Delay(time)) = response.extensions().get() {
        tokio::time::sleep(*time).await;
    }
    if response.extensions().get::<HangUp>().is_some() {
        return Err(ClosedOnPurpose);
    }
    Ok(response.map(Full::new))
}

fn bare(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

#[derive(Debug, thiserror::Error)]
#[error("the connection is closed on purpose")]
struct ClosedOnPurpose;

#[cfg(test)]
mod tests;
