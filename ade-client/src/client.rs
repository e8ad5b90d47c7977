//! The loop around session and endpoints, over any transport.

mod batch;

use std::{
    fmt,
    sync::{
        Arc, Mutex as StdMutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::lock::Mutex;
use http::{Request, Response};
use mdm_core::Clock;
use mdm_transport::{
    ApiRequest, BaseUrl, HttpTransport, Replay, RequestMeta, RetryPolicy, TransportError,
    retry::{Attempt, Outcome as Attempted},
    retry_after,
};

use crate::{Error, Exchange, Next, ServerToken, Session, UserAgent, endpoint::MAX_ITEMS, session};

pub use batch::BatchReport;

/// Apple's device-assignment service.
pub const APPLE: &str = "https://mdmenrollment.apple.com";

/// How often a request waits for a session that others lose again before it is sent.
const MAX_OPENINGS: u32 = 3;

/// Sends requests to the service in one session, which all clones of this client share.
///
/// Opens the session when it is needed, and for many requests at once only one; keeps the token
/// that an answer may bring; after a 401 or a 403 `FORBIDDEN` opens one new session and sends the
/// request once more. Where the service is busy or the connection fails, the [`RetryPolicy`]
/// decides, so the transport should not be a [`Retrying`](mdm_transport::Retrying) one.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    transport: Box<dyn HttpTransport>,
    clock: Arc<dyn Clock>,
    base: BaseUrl,
    deadline: Duration,
    retry: RetryPolicy,
    batch_limit: u32,
    session: StdMutex<Session>,
    /// Held by the one who opens a session. Holds why the last opening failed.
    opening: Mutex<Option<Error>>,
    /// How many openings have ended.
    openings: AtomicU64,
}

impl Client {
    /// Starts with the parts that nobody else can choose. `user_agent` is what Apple sees, such as
    /// `example-mdm/1.0`; Apple refuses requests without one.
    pub fn builder(
        transport: impl HttpTransport + 'static,
        clock: Arc<dyn Clock>,
        token: ServerToken,
        user_agent: &str,
    ) -> ClientBuilder {
        ClientBuilder {
            transport: Box::new(transport),
            clock,
            token,
            user_agent: user_agent.to_owned(),
            base: APPLE.to_owned(),
            deadline: Duration::from_secs(60),
            retry: RetryPolicy::default(),
            batch_limit: MAX_ITEMS,
            protocol_version: session::PROTOCOL_VERSION,
        }
    }

    /// Sends one request and reads its answer.
    ///
    /// # Errors
    /// [`Error::Api`] with Apple's code, [`Error::Transport`] if no answer came after all attempts,
    /// [`Error::Decode`] for an answer that cannot be read, and whatever opening a session gives.
    pub async fn send<R>(&self, request: &R) -> Result<R::Response, Error>
    where
        R: ApiRequest<Error = Error>,
    {
        let mut prepared = request.to_http(&self.inner.base)?;
        R::META.attach(prepared.extensions_mut(), self.inner.deadline);
        let mut exchange = Exchange::new();
        loop {
            let response = self.attempts(&prepared, R::META, &mut exchange).await?;
            match self.session().observe(&mut exchange, &response) {
                Next::Reauthenticate => {
                    tracing::debug!(endpoint = R::META.name, "session lost");
                }
                Next::Done | Next::GiveUp => return request.from_http(response),
            }
        }
    }

    /// Sends a request in the session, again where the policy says so.
    async fn attempts(
        &self,
        prepared: &Request<Bytes>,
        meta: RequestMeta,
        exchange: &mut Exchange,
    ) -> Result<Response<Bytes>, Error> {
        let mut attempts = Attempts::new(&self.inner, meta.replay);
        loop {
            let mut request = prepared.clone();
            self.authorize(&mut request, exchange).await?;
            let result = self.inner.transport.send(request).await;
            if !attempts.again(&result).await? {
                return Ok(result?);
            }
        }
    }

    /// Puts the session into the request, opening one first where there is none.
    async fn authorize(
        &self,
        request: &mut Request<Bytes>,
        exchange: &mut Exchange,
    ) -> Result<(), Error> {
        for _ in 0..MAX_OPENINGS {
            if self.session().authorize(request, exchange) {
                return Ok(());
            }
            self.open().await?;
        }
        if self.session().authorize(request, exchange) {
            return Ok(());
        }
        Err(Error::NoSession)
    }

    /// Opens a session unless somebody else just has; who waited for an opening that failed fails
    /// with it.
    async fn open(&self) -> Result<(), Error> {
        let before = self.inner.openings.load(Ordering::Acquire);
        let mut last_failure = self.inner.opening.lock().await;
        if self.session().is_open() {
            return Ok(());
        }
        let ended_meanwhile = self.inner.openings.load(Ordering::Acquire) != before;
        if let (true, Some(failure)) = (ended_meanwhile, last_failure.as_ref()) {
            return Err(failure.clone());
        }
        let result = self.open_now().await;
        *last_failure = result.as_ref().err().cloned();
        self.inner.openings.fetch_add(1, Ordering::Release);
        result
    }

    /// Each attempt is signed anew: a nonce counts once, even for an answer that never came.
    async fn open_now(&self) -> Result<(), Error> {
        let mut attempts = Attempts::new(&self.inner, Replay::Safe);
        loop {
            let nonce = hex::encode(mdm_pki::random::<16>()?);
            let timestamp = self.inner.clock.now().timestamp();
            let mut request = self.session().open(&self.inner.base, &nonce, timestamp)?;
            // Only the limits: with its constants a retrying transport would repeat the nonce.
            request
                .extensions_mut()
                .insert(mdm_transport::SendLimits::new(
                    session::META.body_limit,
                    self.inner.deadline,
                ));
            let result = self.inner.transport.send(request).await;
            if !attempts.again(&result).await? {
                return self.session().opened(result?);
            }
        }
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        self.inner
            .session
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.inner.base.to_string())
            .field("session", &*self.session())
            .finish_non_exhaustive()
    }
}

/// Counts the attempts of one request and waits between them.
struct Attempts<'a> {
    inner: &'a Inner,
    replay: Replay,
    start: chrono::DateTime<chrono::Utc>,
    number: u32,
}

impl<'a> Attempts<'a> {
    fn new(inner: &'a Inner, replay: Replay) -> Self {
        Self {
            inner,
            replay,
            start: inner.clock.now(),
            number: 0,
        }
    }

    /// Whether to send again, after having waited.
    async fn again(
        &mut self,
        result: &Result<Response<Bytes>, TransportError>,
    ) -> Result<bool, Error> {
        self.number = self.number.saturating_add(1);
        let now = self.inner.clock.now();
        let outcome = match result {
            Ok(response) if response.status().is_success() => return Ok(false),
            Ok(response) => Attempted::Answered {
                status: response.status(),
                retry_after: retry_after(response.headers(), now),
            },
            Err(error) => Attempted::Failed(error.kind()),
        };
        let elapsed = (now - self.start).to_std().unwrap_or(Duration::ZERO);
        let random = f64::from(u32::from_be_bytes(mdm_pki::random()?)) / f64::from(u32::MAX);
        let attempt = Attempt::new(self.number, elapsed, self.replay, random);
        let Some(wait) = self.inner.retry.next(&attempt, &outcome) else {
            return Ok(false);
        };
        tracing::debug!(attempt = self.number, ?wait, "sending again");
        self.inner.clock.sleep(wait).await;
        Ok(true)
    }
}

/// Settings of a [`Client`].
#[must_use]
pub struct ClientBuilder {
    transport: Box<dyn HttpTransport>,
    clock: Arc<dyn Clock>,
    token: ServerToken,
    user_agent: String,
    base: String,
    deadline: Duration,
    retry: RetryPolicy,
    batch_limit: u32,
    protocol_version: u32,
}

impl ClientBuilder {
    /// Talks to another service than [`APPLE`], such as a fake one.
    pub fn base_url(mut self, url: &str) -> Self {
        self.base = url.to_owned();
        self
    }

    /// How long one exchange may take. Default 60 seconds.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// When requests are sent again. [`RetryPolicy::default`] unless set.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// The most devices that one request names, between 1 and 1000, which is the default;
    /// [`Account::maximum`](crate::model::Account::maximum) may know better.
    pub fn batch_limit(mut self, limit: u32) -> Self {
        self.batch_limit = limit;
        self
    }

    /// Asks for the attributes of another protocol version than
    /// [`PROTOCOL_VERSION`](session::PROTOCOL_VERSION).
    pub fn protocol_version(mut self, version: u32) -> Self {
        self.protocol_version = version;
        self
    }

    /// The client; nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::Build`] for an unusable base URL or user agent.
    pub fn build(self) -> Result<Client, Error> {
        let base = BaseUrl::new(&self.base).map_err(|_| {
            mdm_transport::BuildError::invalid("base URL", "must be http(s)://host[:port][/path]")
        })?;
        let session = Session::new(self.token, UserAgent::new(&self.user_agent)?)
            .with_protocol_version(self.protocol_version);
        Ok(Client {
            inner: Arc::new(Inner {
                transport: self.transport,
                clock: self.clock,
                base,
                deadline: self.deadline,
                retry: self.retry,
                batch_limit: self.batch_limit,
                session: StdMutex::new(session),
                opening: Mutex::new(None),
                openings: AtomicU64::new(0),
            }),
        })
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("token", &self.token)
            .field("user_agent", &self.user_agent)
            .finish_non_exhaustive()
    }
}
