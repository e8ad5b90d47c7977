//! The client: RFC 8555 over any transport.
//!
//! A [`Client`] speaks to one server. [`register`](Client::register) gives a [`Session`], which signs with an account's
//! key, and [`Session::obtain`] takes an order from its beginning to the certificate. An order outlives the program:
//! whoever kept its URL and the CSR takes it up with [`Session::complete`] where it was left.

mod chain;
mod complete;
mod error;
pub mod exchange;
mod nonces;
mod session;
mod solve;
mod url;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Uri, header};
use mdm_core::Clock;
use mdm_pki::{Certificate, RevocationReason, Signer};
use mdm_transport::{HttpTransport, TransportErrorKind};
use serde::Serialize;

pub use self::{
    chain::{CertificateChain, MAX_ALTERNATES, MAX_CERTIFICATES},
    error::Error,
    session::{Located, Session},
    solve::{ChallengeResponse, Offer, Solver, SolverError, SolverFn, solver_fn},
    url::AcmeUrl,
};
use self::{
    exchange::{Answer, Expected},
    nonces::Nonces,
};
use super::{
    ari::{CertId, RenewalInfo},
    jwk::Jwk,
    jws::{Algorithm, ExternalAccountKey, Header, KeyRef, UnsignedJws},
    problem::ErrorType,
    resource::{Account, Directory, NewAccount, RevokeCert},
};

/// How much is taken from a server, and how long it is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// What the client calls itself, which it has to (RFC 8555 section 6.1): name and version of this crate unless
    /// changed; `None` leaves it to the transport.
    pub user_agent: Option<HeaderValue>,
    /// How often a request is signed again with a fresh nonce, after the server took the first one for a bad one: 5
    /// unless changed.
    pub nonce_retries: u32,
    /// The longest answer that is read, in bytes: 256 KiB unless changed.
    pub body: usize,
    /// The longest time for one exchange: 60 seconds unless changed.
    pub deadline: Duration,
    /// How long to wait before asking again, where the server does not say: 3 seconds unless changed.
    pub interval: Duration,
    /// How long to wait for an order altogether: 5 minutes unless changed.
    pub patience: Duration,
    /// The most pages of a list that are read: 100 unless changed.
    pub pages: usize,
}

impl Settings {
    /// The settings with changes.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

impl Default for Settings {
    fn default() -> Self {
        const NAME: &str = concat!("mdm-scep/", env!("CARGO_PKG_VERSION"));
        Self {
            user_agent: Some(HeaderValue::from_static(NAME)),
            nonce_retries: 5,
            body: 256 << 10,
            deadline: Duration::from_secs(60),
            interval: Duration::from_secs(3),
            patience: Duration::from_secs(300),
            pages: 100,
        }
    }
}

/// An ACME client for one server. Cheap to clone; clones share their nonces.
pub struct Client<T> {
    inner: Arc<Inner<T>>,
}

struct Inner<T> {
    transport: T,
    url: AcmeUrl,
    clock: Arc<dyn Clock>,
    settings: Settings,
    nonces: Nonces,
    directory: Mutex<Option<Arc<Directory>>>,
}

impl<T: HttpTransport> Client<T> {
    /// A client of the server with this directory.
    pub fn new(transport: T, url: AcmeUrl, clock: Arc<dyn Clock>) -> Self {
        Self::with_settings(transport, url, clock, Settings::default())
    }

    /// A client with settings of its own.
    pub fn with_settings(
        transport: T,
        url: AcmeUrl,
        clock: Arc<dyn Clock>,
        settings: Settings,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                transport,
                url,
                clock,
                settings,
                nonces: Nonces::default(),
                directory: Mutex::new(None),
            }),
        }
    }

    /// The server's directory, which is asked for once.
    ///
    /// # Errors
    /// That of the exchange.
    pub async fn directory(&self) -> Result<Arc<Directory>, Error> {
        let kept = self.kept_directory().clone();
        match kept {
            Some(directory) => Ok(directory),
            None => self.refresh_directory().await,
        }
    }

    /// Asks for the directory again.
    ///
    /// # Errors
    /// That of the exchange.
    pub async fn refresh_directory(&self) -> Result<Arc<Directory>, Error> {
        let answer = self.get(self.inner.url.uri()).await?;
        let directory = Arc::new(answer.json::<Directory>("directory")?);
        *self.kept_directory() = Some(directory.clone());
        Ok(directory)
    }

    /// Makes an account for a key, or finds the one that it has (RFC 8555 section 7.3).
    ///
    /// # Errors
    /// [`Error::Refused`]: the server wants an external account, for example, or consent to its terms.
    pub async fn register(
        &self,
        key: Arc<dyn Signer>,
        registration: &Registration,
    ) -> Result<Registered<T>, Error> {
        let request = NewAccount::default().with(|request| {
            request.contact.clone_from(&registration.contact);
            request.terms_of_service_agreed = registration.terms_of_service_agreed;
        });
        self.new_account(key, request, registration.external_account.as_ref())
            .await
    }

    /// Finds the account that a key has; `None` where it has none.
    ///
    /// # Errors
    /// That of the exchange.
    pub async fn find_account(&self, key: Arc<dyn Signer>) -> Result<Option<Registered<T>>, Error> {
        let request = NewAccount::default().with(|request| request.only_return_existing = true);
        match self.new_account(key, request, None).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is(&ErrorType::AccountDoesNotExist) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn new_account(
        &self,
        key: Arc<dyn Signer>,
        mut request: NewAccount,
        external: Option<&ExternalAccountKey>,
    ) -> Result<Registered<T>, Error> {
        let directory = self.directory().await?;
        // As it is sent: the binding has to name the same URL as the request.
        let url = &self.inner.url.named(&directory.new_account)?.to_string();
        let jwk = Jwk::new(key.public_key())?;
        if let Some(external) = external {
            request.external_account_binding = Some(external.bind(&jwk, url)?);
        }
        let signing = Signing {
            signer: &*key,
            key: KeyRef::Jwk(jwk),
        };
        let answer = self.post(&signing, url, &request, Expected::Json).await?;
        let account = answer.json::<Account>("account")?;
        let location = answer.location.as_ref();
        let location = location.filter(|url| self.inner.url.named(url).is_ok());
        let location = location.ok_or(Error::Missing("Location"))?;
        Ok(Registered {
            session: self.session(key.clone(), location.clone())?,
            account,
            created: answer.status == StatusCode::CREATED,
        })
    }

    /// A session for an account whose URL was kept. Nothing is asked of the server.
    ///
    /// # Errors
    /// [`Error::Jwk`] for a key that ACME does not take.
    pub fn session(
        &self,
        key: Arc<dyn Signer>,
        account: impl Into<String>,
    ) -> Result<Session<T>, Error> {
        Session::new(self.clone(), key, account.into())
    }

    /// Revokes a certificate with its own key, without an account (RFC 8555 section 7.6).
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::NotOffered`].
    pub async fn revoke_by_key(
        &self,
        certificate: &Certificate,
        key: &dyn Signer,
        reason: Option<RevocationReason>,
    ) -> Result<(), Error> {
        let signing = Signing {
            signer: key,
            key: KeyRef::Jwk(Jwk::new(key.public_key())?),
        };
        self.revoke(&signing, certificate, reason).await
    }

    /// Asks when a certificate is to be renewed (RFC 9773).
    ///
    /// # Errors
    /// [`Error::NotOffered`], [`Error::CertId`] for a certificate without a name for it, [`Error::Refused`].
    pub async fn renewal_info(
        &self,
        certificate: &Certificate,
    ) -> Result<Located<RenewalInfo>, Error> {
        let directory = self.directory().await?;
        let base = directory.renewal_info.as_deref();
        let base = base.ok_or(Error::NotOffered("renewalInfo"))?;
        let url = format!(
            "{}/{}",
            base.trim_end_matches('/'),
            CertId::of(certificate)?
        );
        let answer = self.get(self.inner.url.named(&url)?).await?;
        Located::read(&answer, url, "renewal info")
    }

    async fn revoke(
        &self,
        signing: &Signing<'_>,
        certificate: &Certificate,
        reason: Option<RevocationReason>,
    ) -> Result<(), Error> {
        let directory = self.directory().await?;
        let url = directory.revoke_cert.as_deref();
        let url = url.ok_or(Error::NotOffered("revokeCert"))?;
        let request = RevokeCert::new(certificate.to_der(), reason);
        self.post(signing, url, &request, Expected::Nothing).await?;
        Ok(())
    }

    async fn post<P: Serialize + Sync>(
        &self,
        signing: &Signing<'_>,
        url: &str,
        payload: &P,
        expected: Expected,
    ) -> Result<Answer, Error> {
        let payload = serde_json::to_vec(payload)
            .map_err(|_| Error::Missing("payload that can be written"))?;
        self.post_bytes(signing, url, &payload, expected).await
    }

    /// Signs and sends, with fresh nonces as long as the server does not like them.
    async fn post_bytes(
        &self,
        signing: &Signing<'_>,
        url: &str,
        payload: &[u8],
        expected: Expected,
    ) -> Result<Answer, Error> {
        let settings = &self.inner.settings;
        let uri = self.inner.url.named(url)?;
        let algorithm = Algorithm::for_key(signing.signer.public_key());
        let algorithm = algorithm.ok_or(super::jwk::JwkError::Unsupported)?;
        let mut retries = settings.nonce_retries;
        loop {
            let nonce = match self.inner.nonces.take() {
                Some(nonce) => nonce,
                None => self.new_nonce().await?,
            };
            // As it is sent, which for a URL without a path differs from what the server wrote.
            let header = Header::new(algorithm, signing.key.clone(), uri.to_string())
                .with(|header| header.nonce = Some(nonce));
            let jws = UnsignedJws::new(&header, payload)?
                .sign_with(signing.signer)
                .await?;
            let request = exchange::post(
                uri.clone(),
                &jws,
                expected,
                settings.body,
                settings.deadline,
            );
            let response = self.send(request).await?;
            let fresh = exchange::nonce(response.headers());
            let outcome = self.read(response, expected);
            let is_bad_nonce = matches!(&outcome, Err(error) if error.is(&ErrorType::BadNonce));
            if is_bad_nonce {
                self.inner.nonces.forget();
            }
            if let Some(fresh) = fresh {
                self.inner.nonces.keep(fresh);
            }
            if !is_bad_nonce || retries == 0 {
                return outcome;
            }
            retries -= 1;
        }
    }

    async fn new_nonce(&self) -> Result<String, Error> {
        let directory = self.directory().await?;
        let url = self.inner.url.named(&directory.new_nonce)?;
        let settings = &self.inner.settings;
        let request = exchange::new_nonce(url, settings.body, settings.deadline);
        let response = self.send(request).await?;
        let nonce = exchange::nonce(response.headers());
        self.read(response, Expected::Nothing)?;
        nonce.ok_or(Error::Missing("Replay-Nonce"))
    }

    async fn get(&self, url: Uri) -> Result<Answer, Error> {
        let settings = &self.inner.settings;
        let request = exchange::get(url, settings.body, settings.deadline);
        let response = self.send(request).await?;
        self.read(response, Expected::Json)
    }

    fn read(&self, response: Response<Bytes>, expected: Expected) -> Result<Answer, Error> {
        let now = self.inner.clock.now();
        Answer::read(response, expected, self.inner.settings.body, now)
    }

    async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        if let Some(name) = self.inner.settings.user_agent.clone() {
            request.headers_mut().insert(header::USER_AGENT, name);
        }
        let response = self.inner.transport.send(request).await;
        response.map_err(|error| match error.kind() {
            TransportErrorKind::TooLarge => Error::TooLarge {
                limit: self.inner.settings.body,
            },
            _ => Error::Transport(error),
        })
    }

    fn kept_directory(&self) -> std::sync::MutexGuard<'_, Option<Arc<Directory>>> {
        let kept = self.inner.directory.lock();
        kept.unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Client<T> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
        }
    }
}

impl<T> fmt::Debug for Client<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("url", &self.inner.url)
            .finish_non_exhaustive()
    }
}

/// Who signs a request, and as whom.
struct Signing<'a> {
    signer: &'a dyn Signer,
    key: KeyRef,
}

/// What a new account is asked for with.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Registration {
    /// How to reach whoever holds the account: URLs, mostly `mailto:`.
    pub contact: Vec<String>,
    /// Whether they agree to the terms of service that the [`Directory`] names.
    pub terms_of_service_agreed: bool,
    /// The key that the server's operator gave them.
    pub external_account: Option<ExternalAccountKey>,
}

impl Registration {
    /// A registration that names no contact and agrees to nothing: consent is a person's to give (RFC 8555 section 7.3.3).
    pub fn new() -> Self {
        Self::default()
    }

    /// The registration with changes.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// An account that was made or found.
#[derive(Debug)]
#[non_exhaustive]
pub struct Registered<T> {
    /// What to go on with. Its [`url`](Session::url) is to be kept with the key.
    pub session: Session<T>,
    /// The account as the server shows it.
    pub account: Account,
    /// Whether it is a new one.
    pub created: bool,
}
