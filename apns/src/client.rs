//! Sends pushes over one connection, as many at a time as the server takes.

use std::{fmt, future::Future, pin::pin, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use futures_util::future::{Either, select};
use h2::{RecvStream, client::SendRequest};
use mdm_core::{Clock, Topic};
use mdm_transport::{ApiRequest, BaseUrl, BuildError};

use crate::{
    admission::Admission, certificate::PushCertificate, config::Config, connection::Connection,
    error::Error, id::ApnsId, outcome::Outcome, push::Push, request::PushRequest,
};

/// Sends pushes of one topic over one connection; cheap to clone, and used by many tasks at once.
///
/// When the connection has ended every push fails with a
/// [retryable](crate::Error::is_retryable) error: connect again.
#[derive(Clone)]
pub struct Client {
    sender: SendRequest<Bytes>,
    admission: Arc<Admission>,
    base: BaseUrl,
    topic: Topic,
    clock: Arc<dyn Clock>,
    push_deadline: Duration,
    body_limit: usize,
}

impl Client {
    /// Connects to the push service with this certificate, whose topic all pushes are for.
    ///
    /// Returns once the server has accepted the connection and told how many pushes it takes at a
    /// time. Spawn [`Connection::run`]; without it no push moves.
    ///
    /// # Errors
    /// [`Error::Certificate`] for a certificate out of its validity; [`Error::Connect`],
    /// [`Error::Tls`], [`Error::CertificateRefused`], [`Error::Deadline`] and the errors of HTTP/2.
    pub async fn connect(
        config: &Config,
        certificate: &PushCertificate,
    ) -> Result<(Self, Connection), Error> {
        certificate.check(config.clock.now())?;
        let base = base(&config.host, config.port)?;
        let open = Connection::open(config, certificate);
        let (sender, connection) = within(&*config.clock, config.connect_deadline, open)
            .await
            .unwrap_or(Err(Error::Deadline))?;
        let client = Self {
            sender,
            admission: connection.admission(),
            base,
            topic: certificate.topic().clone(),
            clock: Arc::clone(&config.clock),
            push_deadline: config.push_deadline,
            body_limit: config.body_limit,
        };
        Ok((client, connection))
    }

    /// Sends one push and waits for the answer.
    ///
    /// Where the server takes no further stream at the moment the push waits its turn. To drop the
    /// future gives the push up: one that waits is never sent, and one that was sent the server may
    /// have taken all the same.
    ///
    /// # Errors
    /// Where there is no answer: [`Error::Build`], [`Error::NotSent`], [`Error::Deadline`],
    /// [`Error::GoAway`], [`Error::Reset`], [`Error::Closed`], [`Error::Protocol`]. An answer of any kind is an
    /// [`Outcome`].
    pub async fn push(&self, push: &Push) -> Result<Outcome, Error> {
        let id = ApnsId::from_random(mdm_pki::random().map_err(|_| Error::Random)?);
        let push = PushRequest::new(push, &self.topic, id, self.clock.now())?;
        let outcome = self.exchange(&push).await;
        match &outcome {
            Ok(outcome) => tracing::debug!(id = %push.id(), ?outcome, "push answered"),
            Err(error) => tracing::debug!(id = %push.id(), %error, "push not answered"),
        }
        outcome
    }

    /// The topic that pushes are for.
    pub fn topic(&self) -> &Topic {
        &self.topic
    }

    /// How many pushes the server takes at a time at the moment; more wait their turn.
    pub fn stream_limit(&self) -> usize {
        self.sender.current_max_send_streams()
    }

    async fn exchange(&self, push: &PushRequest) -> Result<Outcome, Error> {
        let request = push.to_http(&self.base)?;
        let mut deadline = pin!(self.clock.sleep(self.push_deadline));
        let _place = match select(pin!(self.admission.enter()), &mut deadline).await {
            Either::Left((place, _)) => place,
            Either::Right(_) => return Err(Error::NotSent),
        };
        let answer = match select(pin!(self.send(request)), &mut deadline).await {
            Either::Left((answer, _)) => answer?,
            Either::Right(_) => return Err(Error::Deadline),
        };
        let (head, body) = answer.into_parts();
        // The status is known: a body that is late, broken or too long costs the reason alone.
        let body = if head.status == http::StatusCode::OK {
            Bytes::new()
        } else {
            match select(pin!(read(body, self.body_limit)), deadline).await {
                Either::Left((body, _)) => body.unwrap_or_default(),
                Either::Right(_) => Bytes::new(),
            }
        };
        let answer = http::Response::from_parts(head, body);
        let Ok(outcome) = push.from_http(answer);
        Ok(outcome)
    }

    /// Sends the request; headers and body leave together, as nothing is awaited between them.
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<RecvStream>, Error> {
        let failed = |error: h2::Error| Error::from_h2(&error);
        let (head, body) = request.into_parts();
        let mut sender = self.sender.clone().ready().await.map_err(failed)?;
        let (answer, mut stream) = sender
            .send_request(http::Request::from_parts(head, ()), false)
            .map_err(failed)?;
        stream.send_data(body, true).map_err(failed)?;
        answer.await.map_err(failed)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.base)
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}

/// The whole body; `None` where it breaks off or is over `limit`. To drop the stream resets it.
async fn read(mut body: RecvStream, limit: usize) -> Option<Bytes> {
    let mut whole = BytesMut::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk.ok()?;
        if chunk.len() > limit - whole.len() {
            return None;
        }
        whole.extend_from_slice(&chunk);
        body.flow_control().release_capacity(chunk.len()).ok()?;
    }
    Some(whole.freeze())
}

/// What `work` comes to, or nothing when `limit` passes first.
async fn within<F: Future>(clock: &dyn Clock, limit: Duration, work: F) -> Option<F::Output> {
    match select(pin!(work), clock.sleep(limit)).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(_) => None,
    }
}

/// The service's address; the port of https is left out, as in any URL.
fn base(host: &str, port: u16) -> Result<BaseUrl, Error> {
    let host = if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]")
    } else {
        host.to_owned()
    };
    let url = match port {
        443 => format!("https://{host}"),
        _ => format!("https://{host}:{port}"),
    };
    url.parse()
        .map_err(|_| BuildError::invalid("host", "it cannot be part of a URL").into())
}
