//! Where requests come in: HTTP/1.1 over hyper, plain or over TLS, with bounds on whatever a client may take
//! its time with or pile up. What answers is an axum router.

use std::{
    convert::Infallible, future::Future, net::SocketAddr, pin::pin, sync::Arc, time::Duration,
};

use axum::{Router, body::Body};
use http::{Request, Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use mdm_sdk::{
    service::identity::{Peer, PeerCertificate},
    tls::ServerConfig,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::timeout,
};

mod patient;

use self::patient::Patient;
use crate::{bodies::busy, error::Error, peer::Proxies};

/// How long a client may take over its TLS handshake, or a request's headers, or take nothing of an answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long requests that are being answered have once the server stops.
const GRACE: Duration = Duration::from_secs(10);

/// A listener that is bound.
pub(crate) struct Web {
    listener: TcpListener,
    tls: Option<ServerConfig>,
    max_connections: usize,
    request: Duration,
    proxies: Proxies,
}

impl Web {
    /// Binds the address that `key` sets, to speak plainly. A request may take so long, its body included.
    pub(crate) async fn bind(
        key: &str,
        address: SocketAddr,
        max_connections: usize,
        request: Duration,
    ) -> Result<Self, Error> {
        let listener = TcpListener::bind(address).await;
        Ok(Self {
            listener: listener.map_err(Error::in_setting(key))?,
            tls: None,
            max_connections,
            request,
            proxies: Proxies::default(),
        })
    }

    /// Speaks TLS. The certificate that a client shows goes with its requests.
    pub(crate) fn tls(mut self, tls: ServerConfig) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Believes these proxies about whom they serve.
    pub(crate) fn behind(mut self, proxies: Proxies) -> Self {
        self.proxies = proxies;
        self
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> Result<SocketAddr, Error> {
        self.listener
            .local_addr()
            .map_err(Error::part("the listener"))
    }

    /// Serves until `stop` is ready, and what was begun then is answered or has had its time.
    pub(crate) async fn serve(self, router: Router, stop: impl Future<Output = ()>) {
        let places = Arc::new(Semaphore::new(self.max_connections));
        let (stopping, stopped) = watch::channel(false);
        let mut connections = JoinSet::new();
        let mut stop = pin!(stop);
        loop {
            let accepted = async {
                let place = Arc::clone(&places).acquire_owned().await.ok()?;
                match self.listener.accept().await {
                    Ok((stream, peer)) => Some((stream, peer, place)),
                    // That client's affair, or a lack of descriptors that may pass.
                    Err(error) => {
                        tracing::warn!(error = %error, "a connection was not accepted");
                        tokio::time::sleep(Duration::from_millis(10)).await;
                        None
                    }
                }
            };
            tokio::select! {
                () = &mut stop => break,
                Some(_) = connections.join_next() => {}
                accepted = accepted => {
                    let Some((stream, peer, place)) = accepted else {
                        continue;
                    };
                    let connection = Connection {
                        router: router.clone(),
                        peer,
                        request: self.request,
                        proxies: self.proxies.clone(),
                        stopped: stopped.clone(),
                    };
                    let tls = self.tls.clone();
                    connections.spawn(async move {
                        connection.run(stream, tls).await;
                        drop(place);
                    });
                }
            }
        }
        drop(self.listener);
        stopping.send_replace(true);
        let all_done = async { while connections.join_next().await.is_some() {} };
        if timeout(GRACE, all_done).await.is_err() {
            tracing::warn!("requests were cut off that took too long");
        }
    }
}

struct Connection {
    router: Router,
    peer: SocketAddr,
    request: Duration,
    proxies: Proxies,
    stopped: watch::Receiver<bool>,
}

impl Connection {
    async fn run(self, stream: TcpStream, tls: Option<ServerConfig>) {
        let _ = stream.set_nodelay(true);
        match tls {
            None => self.speak(stream, None).await,
            Some(tls) => match timeout(PATIENCE, tls.accept(stream)).await {
                Ok(Ok(stream)) => {
                    let shown = stream.peer_certificate().map(PeerCertificate::new);
                    self.speak(stream, shown).await;
                }
                Ok(Err(error)) => tracing::debug!(peer = %self.peer, error = %error, "TLS failed"),
                Err(_) => tracing::debug!(peer = %self.peer, "TLS took too long"),
            },
        }
    }

    async fn speak<S>(mut self, stream: S, shown: Option<PeerCertificate>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (router, peer, longest) = (self.router.clone(), self.peer, self.request);
        let proxies = self.proxies.clone();
        let answer = service_fn(move |mut request: Request<Incoming>| {
            let client = proxies.client(peer, request.headers());
            request.extensions_mut().insert(client);
            let answering = answer(router.clone(), peer, shown.clone(), request);
            async move {
                Ok::<_, Infallible>(timeout(longest, answering).await.unwrap_or_else(|_| busy()))
            }
        });
        let stream = Patient::new(stream, PATIENCE);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .serve_connection(TokioIo::new(stream), answer);
        let mut connection = pin!(connection);
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = self.stopped.wait_for(|stopped| *stopped) => {
                connection.as_mut().graceful_shutdown();
            }
        }
        let _ = connection.await;
    }
}

async fn answer(
    router: Router,
    peer: SocketAddr,
    shown: Option<PeerCertificate>,
    request: Request<Incoming>,
) -> Response<Body> {
    let mut request = request.map(Body::new);
    let extensions = request.extensions_mut();
    extensions.insert(Peer(peer));
    if let Some(shown) = shown {
        extensions.insert(shown);
    }
    let mut router = router;
    match tower_service::Service::call(&mut router, request).await {
        Ok(response) => response,
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, duplex},
        time::Instant,
    };

    use super::*;

    fn connection(stopped: watch::Receiver<bool>) -> Connection {
        Connection {
            router: Router::new().route("/", get(|| async { vec![b'x'; 4_096] })),
            peer: SocketAddr::from(([127, 0, 0, 1], 1)),
            request: Duration::from_secs(60),
            proxies: Proxies::default(),
            stopped,
        }
    }

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: mdm\r\n\r\n";

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_no_answer_is_left() {
        let (mut client, stream) = duplex(1_024);
        let (_stopping, stopped) = watch::channel(false);
        let serving = tokio::spawn(connection(stopped).speak(stream, None));
        let begun = Instant::now();
        client.write_all(REQUEST).await.unwrap();
        let asking = tokio::spawn(async move {
            // More of them as long as they are taken.
            while client.write_all(REQUEST).await.is_ok() {}
            client
        });
        let ended = timeout(Duration::from_secs(3_600), serving).await;
        ended.expect("an end").unwrap();
        assert!(begun.elapsed() < PATIENCE * 2);
        drop(asking.await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_is_slow_gets_its_answer() {
        let (mut client, stream) = duplex(64);
        let (_stopping, stopped) = watch::channel(false);
        tokio::spawn(connection(stopped).speak(stream, None));
        client.write_all(REQUEST).await.unwrap();
        let mut read = Vec::new();
        while read.len() < 4_096 {
            tokio::time::sleep(PATIENCE / 2).await;
            let mut some = [0; 512];
            let length = client.read(&mut some).await.unwrap();
            assert_ne!(length, 0, "{} bytes", read.len());
            read.extend_from_slice(some.get(..length).unwrap());
        }
    }
}
