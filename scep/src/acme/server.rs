//! The server: an HTTP request in, an HTTP response out (RFC 8555). It holds no socket and no task.
//!
//! Whatever looks at an order moves it on: a host name is looked at again, and a certificate that was asked for is
//! issued, when the client asks how the order stands. So nothing is lost with a process that ends in between, and
//! nothing has to run beside the requests.

mod account;
mod advance;
mod ahead;
mod authorization;
mod certificate;
mod event;
mod external;
mod nonce;
mod order;
mod policy;
mod reply;
mod request;
mod revoke;
mod route;
mod view;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use mdm_core::{Clock, Secret};
use mdm_pki::{attestation::Verifier, random};

pub use self::{
    event::AcmeEvent,
    external::{ExternalAccountRule, ExternalAccounts},
    policy::{Limits, Policy},
};
use self::{
    nonce::Nonces,
    reply::{Reply, Stop},
    route::{Base, Entry, Route},
};
use super::{
    attest::{AnyPosture, DeviceAuthorizer, Devices, PosturePolicy},
    resource::{Directory, DirectoryMeta},
    store::AcmeStore,
    validate::{HttpValidation, TxtLookup},
};
use crate::{
    ca::{CertificateAuthority, ExpiryWatch},
    error::Error,
    event::{Event, Observer, Trace},
    limit::{RateLimit, Scope, Unlimited},
    server::gate::Gates,
    store::{Store, StoreError},
};

/// A server of ACME over an authority and two stores.
///
/// It may be shared and called in parallel. Without [`devices`](ServerBuilder::devices), [`http`](ServerBuilder::http) or
/// [`dns`](ServerBuilder::dns) it offers no challenge and takes no order.
#[derive(Debug)]
pub struct Server {
    authority: Arc<dyn CertificateAuthority>,
    permits: Arc<dyn Store>,
    store: Arc<dyn AcmeStore>,
    clock: Arc<dyn Clock>,
    base: Base,
    policy: Policy,
    limits: Limits,
    nonces: Nonces,
    external: ExternalAccountRule,
    devices: Option<Devices>,
    http: Option<HttpValidation>,
    dns: Option<Arc<dyn TxtLookup>>,
    rate_limit: Arc<dyn RateLimit>,
    observer: Arc<dyn Observer>,
    gates: Gates,
    expiry: ExpiryWatch,
}

impl Server {
    /// Starts a server of these parts. `permits` has to be the store of the authority too; `base_url` is what stands in
    /// front of `/directory`, as clients see it.
    pub fn builder(
        authority: Arc<dyn CertificateAuthority>,
        permits: Arc<dyn Store>,
        store: Arc<dyn AcmeStore>,
        clock: Arc<dyn Clock>,
        base_url: Uri,
    ) -> ServerBuilder {
        ServerBuilder {
            authority,
            permits,
            store,
            clock,
            base_url,
            policy: Policy::default(),
            limits: Limits::default(),
            nonce_key: None,
            external: ExternalAccountRule::Off,
            devices: None,
            posture: Arc::new(AnyPosture),
            http: None,
            dns: None,
            rate_limit: Arc::new(Unlimited),
            observer: Arc::new(Trace),
        }
    }

    /// Where clients begin.
    pub fn directory_url(&self) -> String {
        self.base.entry(Entry::Directory, None)
    }

    /// Where the devices begin that are told this secret segment: 1 to 128 letters, digits, hyphens and underscores. It
    /// reaches the [`DeviceAuthorizer`] with each order that is made there.
    pub fn directory_url_below(&self, segment: &Secret<String>) -> String {
        self.base.entry(Entry::Directory, Some(segment))
    }

    /// Answers one request.
    ///
    /// A refusal is a problem document. Where nothing could be decided the status is 503, and the client may come again
    /// with a new nonce.
    pub async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        let now = self.clock.now();
        for certificate in self.expiry.due(self.authority.chain().iter(), now) {
            self.observer.observe(&Event::Expiring { certificate, now });
        }
        let ahead = |route: &Route| matches!(route, Route::Entry(Entry::NewAuthz, _));
        let offered = |route: &Route| self.authorizes_ahead() || !ahead(route);
        let route = self.base.route(request.uri()).filter(offered);
        let served = match &route {
            None => Ok(not_found()),
            Some(route) => self.serve(route, &request).await,
        };
        let reply = served.unwrap_or_else(|stop| {
            match &stop {
                Stop::Refused(refused) => {
                    let problem = &refused.problem;
                    self.observe(&AcmeEvent::Refused { problem });
                }
                Stop::Unavailable(error) => self.observe(&AcmeEvent::Unavailable { error }),
            }
            stop.into_reply()
        });
        let new_nonce = matches!(route, Some(Route::Entry(Entry::NewNonce, _)));
        let mut response = match &route {
            Some(Route::Entry(Entry::Directory, _) | Route::RenewalInfo(_)) | None => {
                reply.into_response()
            }
            Some(Route::Entry(_, segment)) => {
                let index = self.base.entry(Entry::Directory, segment.as_ref());
                reply.link(index, "index").into_response()
            }
            Some(_) => reply.link(self.directory_url(), "index").into_response(),
        };
        if new_nonce || request.method() == Method::POST {
            // RFC 8555 section 6.5: in every answer to a POST; without randomness there is none.
            let nonce = self.nonces.make(self.clock.now()).ok();
            if let Some(nonce) = nonce.and_then(|it| HeaderValue::try_from(it).ok()) {
                response.headers_mut().insert(REPLAY_NONCE, nonce);
            }
        }
        response
    }

    /// Forgets the nonces that have expired and the orders that need not be kept, and says how many there were. To be
    /// called now and then. The permits of orders go with the [`Store`]'s
    /// [challenges](Store::forget_challenges), for which a day after their end is early enough.
    ///
    /// # Errors
    /// Where the store cannot answer.
    pub async fn forget_old(&self) -> Result<usize, StoreError> {
        self.store.forget(self.clock.now()).await
    }

    async fn serve(&self, route: &Route, request: &Request<Bytes>) -> Result<Reply, Stop> {
        self.limit(Scope::Request, request::peer(request)).await?;
        let get = match (route, request.method()) {
            (_, &Method::POST) if !matches!(route, Route::RenewalInfo(_)) => false,
            (Route::Entry(Entry::Directory | Entry::NewNonce, _), &Method::GET | &Method::HEAD)
            | (Route::RenewalInfo(_), &Method::GET) => true,
            _ => return Ok(method_not_allowed(route)),
        };
        if get {
            return match route {
                Route::Entry(Entry::Directory, segment) => self.directory(segment.as_ref()),
                Route::RenewalInfo(name) => self.renewal_info(name).await,
                // RFC 8555 section 7.2: 200 for HEAD, 204 for GET.
                _ if *request.method() == Method::HEAD => Ok(Reply::empty(StatusCode::OK)),
                _ => Ok(Reply::empty(StatusCode::NO_CONTENT)),
            };
        }
        let signed = self.signed(request).await?;
        match route {
            Route::Entry(Entry::Directory, segment) => {
                signed.only_gets()?;
                self.directory(segment.as_ref())
            }
            Route::Entry(Entry::NewNonce, _) | Route::RenewalInfo(_) => {
                signed.only_gets()?;
                Ok(Reply::empty(StatusCode::NO_CONTENT))
            }
            Route::Entry(Entry::NewAccount, segment) => {
                self.new_account(&signed, request, segment.is_some()).await
            }
            Route::Entry(Entry::NewOrder, segment) => {
                self.new_order(&signed, request, segment.as_ref()).await
            }
            Route::Entry(Entry::NewAuthz, _) => self.new_authorization(&signed, request).await,
            Route::Entry(Entry::RevokeCert, _) => self.revoke_cert(&signed).await,
            Route::Entry(Entry::KeyChange, _) => self.key_change(&signed).await,
            Route::Account(id) => self.account(&signed, id).await,
            Route::Orders(id, before) => self.orders(&signed, id, before.as_ref()).await,
            Route::Order(id) => self.order(&signed, id).await,
            Route::Finalize(id) => self.finalize(&signed, id).await,
            Route::Certificate(id, chain) => self.certificate(&signed, id, *chain).await,
            Route::Authorization(id, index) => self.authorization(&signed, id, *index).await,
            Route::Challenge(id, index, challenge) => {
                self.challenge(&signed, id, *index, *challenge).await
            }
        }
    }

    fn directory(&self, segment: Option<&Secret<String>>) -> Result<Reply, Stop> {
        let url = |entry| self.base.entry(entry, segment);
        let meta = DirectoryMeta::default().with(|meta| {
            meta.terms_of_service
                .clone_from(&self.policy.terms_of_service);
            meta.website.clone_from(&self.policy.website);
            meta.external_account_required = self.external.is_required() && segment.is_none();
        });
        let (nonce, account, order) = (Entry::NewNonce, Entry::NewAccount, Entry::NewOrder);
        let directory = Directory::new(url(nonce), url(account), url(order)).with(|directory| {
            directory.new_authz = self.authorizes_ahead().then(|| url(Entry::NewAuthz));
            directory.revoke_cert = Some(url(Entry::RevokeCert));
            directory.key_change = Some(url(Entry::KeyChange));
            directory.renewal_info = Some(self.base.renewal_info());
            directory.meta = meta;
        });
        Reply::json(StatusCode::OK, &directory)
    }

    fn observe(&self, event: &AcmeEvent<'_>) {
        self.observer.observe(&Event::Acme(event));
    }
}

const REPLAY_NONCE: &str = "replay-nonce";

fn not_found() -> Reply {
    Stop::malformed("there is nothing here")
        .status(StatusCode::NOT_FOUND)
        .into_reply()
}

fn method_not_allowed(route: &Route) -> Reply {
    let allowed = match route {
        Route::Entry(Entry::Directory | Entry::NewNonce, _) => "GET, HEAD, POST",
        Route::RenewalInfo(_) => "GET",
        _ => "POST",
    };
    Stop::malformed("the method is not allowed here")
        .status(StatusCode::METHOD_NOT_ALLOWED)
        .into_reply()
        .allow(allowed)
}

/// A server about to be built.
#[derive(Debug)]
#[must_use]
pub struct ServerBuilder {
    authority: Arc<dyn CertificateAuthority>,
    permits: Arc<dyn Store>,
    store: Arc<dyn AcmeStore>,
    clock: Arc<dyn Clock>,
    base_url: Uri,
    policy: Policy,
    limits: Limits,
    nonce_key: Option<Secret<[u8; 32]>>,
    external: ExternalAccountRule,
    devices: Option<(Arc<dyn DeviceAuthorizer>, Verifier)>,
    posture: Arc<dyn PosturePolicy>,
    http: Option<HttpValidation>,
    dns: Option<Arc<dyn TxtLookup>>,
    rate_limit: Arc<dyn RateLimit>,
    observer: Arc<dyn Observer>,
}

impl ServerBuilder {
    /// What is demanded, and how long things last.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// How much is taken.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The key of the nonces, which all nodes of one server have to share; a random one unless given.
    pub fn nonce_key(mut self, key: Secret<[u8; 32]>) -> Self {
        self.nonce_key = Some(key);
        self
    }

    /// Whether new accounts are bound to accounts elsewhere: they are not, unless told.
    pub fn external_accounts(mut self, rule: ExternalAccountRule) -> Self {
        self.external = rule;
        self
    }

    /// Takes orders of devices: who says which device stands behind an identifier, and who verifies attestations.
    pub fn devices(mut self, authorizer: Arc<dyn DeviceAuthorizer>, verifier: Verifier) -> Self {
        self.devices = Some((authorizer, verifier));
        self
    }

    /// What a device's state has to be, beyond its identity: anything, unless told.
    pub fn posture(mut self, posture: Arc<dyn PosturePolicy>) -> Self {
        self.posture = posture;
        self
    }

    /// Takes orders for host names that `http-01` proves.
    pub fn http(mut self, validation: HttpValidation) -> Self {
        self.http = Some(validation);
        self
    }

    /// Takes orders for host names and wildcards that `dns-01` proves.
    pub fn dns(mut self, lookup: Arc<dyn TxtLookup>) -> Self {
        self.dns = Some(lookup);
        self
    }

    /// How often somebody may ask: as often as they like, unless told.
    pub fn rate_limit(mut self, limit: Arc<dyn RateLimit>) -> Self {
        self.rate_limit = limit;
        self
    }

    /// Who hears of events, in place of `tracing`.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = observer;
        self
    }

    /// The server.
    ///
    /// # Errors
    /// [`Error::Configuration`] if the authority has no certificate or the base URL is no absolute `http` or `https` URL;
    /// [`Error::Pki`] without randomness.
    pub fn build(self) -> Result<Server, Error> {
        if self.authority.chain().is_empty() {
            return Err(Error::Configuration("the authority has no certificate"));
        }
        let base = Base::new(&self.base_url)
            .ok_or(Error::Configuration("the base URL is none for ACME"))?;
        let nonce_key = match self.nonce_key {
            Some(key) => key,
            None => Secret::new(random()?),
        };
        let (posture, limits) = (self.posture, self.limits);
        let devices = self.devices.map(|(authorizer, verifier)| Devices {
            authorizer,
            verifier,
            posture,
            limits: limits.attestation,
        });
        Ok(Server {
            authority: self.authority,
            permits: self.permits,
            store: self.store,
            clock: self.clock,
            base,
            nonces: Nonces::new(nonce_key, self.policy.nonce_lifetime),
            limits,
            external: self.external,
            devices,
            http: self.http,
            dns: self.dns,
            rate_limit: self.rate_limit,
            observer: self.observer,
            gates: Gates::default(),
            expiry: ExpiryWatch::new(self.policy.warn_before),
            policy: self.policy,
        })
    }
}
