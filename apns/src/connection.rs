//! One HTTP/2 connection to the push service (RFC 9113), up to the point where the server has told
//! how many streams it takes.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::Poll,
};

use bytes::Bytes;
use h2::client::SendRequest;
use mdm_tls::{ClientConfig, TlsStream};
use tokio::net::TcpStream;

use crate::{admission::Admission, certificate::PushCertificate, config::Config, error::Error};

/// The working part of a connection: somebody has to [`run`](Self::run) it for pushes to move.
#[must_use = "no push moves before the connection runs"]
pub struct Connection {
    http: h2::client::Connection<TlsStream<TcpStream>, Bytes>,
    host: String,
    places: Places,
}

/// The places on the connection, which end with it.
struct Places(Arc<Admission>);

impl Drop for Places {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Connection {
    /// Moves bytes until the connection ends: after the last [`Client`](crate::Client) is dropped
    /// and its pushes are answered, or when the server or the network ends it.
    ///
    /// Spawn it. To drop it closes the connection, and what was not answered fails.
    ///
    /// # Errors
    /// Why the connection ended, unless it was in order; each unanswered push has the same reason.
    pub async fn run(self) -> Result<(), Error> {
        let Self {
            mut http,
            host,
            places,
        } = self;
        let ended = poll_fn(|cx| {
            let polled = Pin::new(&mut http).poll(cx);
            places.0.set_limit(http.max_concurrent_send_streams());
            polled
        })
        .await
        .map_err(|error| Error::from_h2(&error));
        match &ended {
            Ok(()) => tracing::debug!(host, "push connection closed"),
            Err(error) => tracing::debug!(host, %error, "push connection ended"),
        }
        ended
    }

    /// Connects, and returns once the server has told its settings: a refused certificate shows
    /// here and not at the first push.
    pub(crate) async fn open(
        config: &Config,
        certificate: &PushCertificate,
    ) -> Result<(SendRequest<Bytes>, Self), Error> {
        // Name, TCP: asked afresh for every connection, as Apple asks for.
        let tcp = TcpStream::connect((config.host.as_str(), config.port))
            .await
            .map_err(Error::Connect)?;
        // Nagle's algorithm holds a lone push back until the peer's delayed ACK, 40 ms.
        tcp.set_nodelay(true).map_err(Error::Connect)?;
        let tls = ClientConfig::builder()
            .roots(config.roots.clone())
            .identity(certificate.identity().clone())
            .alpn(&["h2"])
            .require_alpn(true)
            .build()
            .map_err(Error::Tls)?;
        let stream = tls.connect(&config.host, tcp).await.map_err(Error::Tls)?;
        let (sender, http) = h2::client::Builder::new()
            .enable_push(false)
            .initial_max_send_streams(UNTOLD)
            .max_header_list_size(config.header_limit)
            .handshake(stream)
            .await
            .map_err(|error| Error::from_h2(&error))?;
        let mut connection = Self {
            http,
            host: config.host.clone(),
            places: Places(Admission::new(UNTOLD)),
        };
        connection.settings().await?;
        tracing::debug!(
            host = config.host,
            streams = sender.current_max_send_streams(),
            "push connection open"
        );
        Ok((sender, connection))
    }

    /// Waits for the server's SETTINGS to allow a stream.
    async fn settings(&mut self) -> Result<(), Error> {
        poll_fn(|cx| match Pin::new(&mut self.http).poll(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(Err(Error::Closed {
                detail: "before the server told its settings".to_owned(),
            })),
            Poll::Ready(Err(error)) => Poll::Ready(Err(Error::from_h2(&error))),
            Poll::Pending if self.http.max_concurrent_send_streams() == UNTOLD => Poll::Pending,
            Poll::Pending => Poll::Ready(Ok(())),
        })
        .await?;
        self.places
            .0
            .set_limit(self.http.max_concurrent_send_streams());
        Ok(())
    }

    pub(crate) fn admission(&self) -> Arc<Admission> {
        Arc::clone(&self.places.0)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

/// How many streams the server takes before it has told: none, so that no push is sent on a guess.
const UNTOLD: usize = 0;
