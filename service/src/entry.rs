//! The ways in: how a device gets its enrolment profile. An HTTP request goes in, a response comes out.
//!
//! | Way in | Path below the portal | Who may |
//! |---|---|---|
//! | Automated Device Enrollment | `POST /automated`: `url` of the assigned profile | a device that signs its MachineInfo |
//! | the same with a page | `GET /page`: `configuration_web_url` | a device, and who signs in |
//! | profile download | `GET /profile?invitation=` | who was invited, or signs in |
//! | over the air | `GET /ota?invitation=`, then `POST /ota` twice | who was invited, and a device that signs its attributes |
//! | account-driven | `POST /byod` and `/adde`, `GET /sign-in` | who signs in, on a device that signs its MachineInfo |
//! | service discovery | `GET /.well-known/com.apple.remotemanagement` at the root of the domain | anybody |
//!
//! Whether it may is the service's [`AdmissionPolicy`](crate::AdmissionPolicy)'s to say, which is asked
//! here and again at `Authenticate`. A profile that is handed out carries an
//! [`Invitation`](crate::Invitation) in its URLs, so that the device which comes with it is known for
//! whose it is.
//!
//! A signed MachineInfo comes as the body, in the header `x-apple-aspen-deviceinfo`, or in a parameter of
//! that name (Q5). It is held against pinned authorities without regard to time (Q2), and shows that *a*
//! device of Apple's asks, not that it is one of the organisation's.
//!
//! 401 is sent in one place: to a device that asks for an account-driven profile and has nobody signed in.
//! It is not enrolled there, so it cannot unenrol.
//!
//! ```
//! use async_trait::async_trait;
//! use bytes::Bytes;
//! use http::{Request, StatusCode};
//! use mdm_core::ManualClock;
//! use mdm_service::{
//!     MdmSignature, MemoryStore, Service, Unavailable,
//!     entry::{Portal, ProfileRequest, ProfileSource, TicketKeys, Urls},
//! };
//!
//! /// Makes the enrolment profile: with `mdm-profiles`, signed, or however else.
//! #[derive(Debug)]
//! struct Profiles;
//!
//! #[async_trait]
//! impl ProfileSource for Profiles {
//!     async fn enrollment_profile(&self, request: &ProfileRequest<'_>) -> Result<Bytes, Unavailable> {
//!         Ok(format!("... {} ...", request.check_in_url).into())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let now = chrono::Utc::now();
//! let identity = MdmSignature::new(vec![])?;
//! let service = Service::builder(MemoryStore::new(), ManualClock::new(now), identity).build();
//! let urls = Urls::new("https://mdm.example.com/enroll", "https://mdm.example.com/mdm")?;
//! let portal = Portal::builder(&service, Profiles, urls, TicketKeys::random()?).build();
//!
//! // A link for somebody.
//! let link = portal.invite(Default::default()).await?;
//! let answer = portal.handle(Request::get(&link).body(Bytes::new())?).await;
//! assert_eq!(answer.status(), StatusCode::OK);
//! let profile = String::from_utf8(answer.body().to_vec())?;
//! assert!(profile.contains("https://mdm.example.com/mdm?invitation="));
//! # Ok(())
//! # }
//! ```

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use mdm_pki::Certificate;
use mdm_protocol::enroll::{
    DeviceAuthorities, DiscoveryVersion, MachineInfoError, OAuth2Challenge, WELL_KNOWN_PATH,
};

mod account;
mod automated;
mod device_info;
mod hand_out;
mod link;
mod ota;
mod page;
mod profile;
mod sign_in;
mod ticket;
mod urls;

pub use link::Invite;
pub use profile::{
    IdentityProfileRequest, PROFILE_CONTENT_TYPE, ProfileRequest, ProfileServiceRequest,
    ProfileSource,
};
pub use sign_in::{Discovered, SignIn, Visit};
pub use ticket::TicketKeys;
pub use urls::{InvalidUrl, Urls};

use crate::{
    Account, Service,
    service::answer::{self, Refused},
};
use ticket::Ticket;
use urls::Route;

/// Hands enrolment profiles to devices. Clones share everything.
#[derive(Clone)]
pub struct Portal(Arc<Inner>);

struct Inner {
    service: Service,
    profiles: Arc<dyn ProfileSource>,
    urls: Urls,
    tickets: TicketKeys,
    devices: Option<DeviceAuthorities>,
    identities: Option<DeviceAuthorities>,
    sign_in: Option<Arc<dyn SignIn>>,
    account_driven: Option<AccountDriven>,
    body_bytes: usize,
}

/// What account-driven enrolment offers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccountDriven {
    /// Which enrolment an account gets that [`SignIn::discover`] says nothing of.
    pub version: DiscoveryVersion,
    /// The OAuth 2.0 server at which users sign in (`apple-oauth2`); [`SignIn::account`] then tells whose
    /// token it is. Without one they sign in on [`SignIn::page`] (`apple-as-web`).
    pub oauth2: Option<OAuth2Challenge>,
}

impl AccountDriven {
    /// One enrolment for every account, on a page of the vendor's.
    pub fn new(version: DiscoveryVersion) -> Self {
        Self {
            version,
            oauth2: None,
        }
    }

    /// What is offered after `edit`.
    #[must_use]
    pub fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }
}

/// Puts a [`Portal`] together. What is not set is not offered, and answered 404.
#[must_use]
pub struct PortalBuilder(Inner);

impl PortalBuilder {
    /// Takes what devices sign under these authorities: Apple's iPhone Device CA, for one. Needed by every
    /// way in but the profile download.
    pub fn devices(mut self, authorities: DeviceAuthorities) -> Self {
        self.0.devices = Some(authorities);
        self
    }

    /// The issuers of the identities that [`ProfileSource::identity_profile`] leads to: who signs the last
    /// phase of over-the-air enrolment.
    ///
    /// # Errors
    /// [`MachineInfoError::NotAnAuthority`] for a certificate that may not issue others.
    pub fn identities(mut self, issuers: Vec<Certificate>) -> Result<Self, MachineInfoError> {
        self.0.identities = Some(DeviceAuthorities::new(issuers)?);
        Ok(self)
    }

    /// Has users sign in: on the page of Automated Device Enrollment, before a profile download, and in
    /// account-driven enrolment.
    pub fn sign_in(mut self, sign_in: impl SignIn + 'static) -> Self {
        self.0.sign_in = Some(Arc::new(sign_in));
        self
    }

    /// Offers account-driven enrolment. Needs [`devices`](Self::devices) and [`sign_in`](Self::sign_in).
    pub fn account_driven(mut self, offer: AccountDriven) -> Self {
        self.0.account_driven = Some(offer);
        self
    }

    /// Most bytes of a request's body. Default 256 KiB, many times what a device signs.
    pub fn body_bytes(mut self, bytes: usize) -> Self {
        self.0.body_bytes = bytes;
        self
    }

    /// The portal.
    pub fn build(self) -> Portal {
        Portal(Arc::new(self.0))
    }
}

impl Portal {
    /// Begins a portal to a service, whose store, clock and admission policy it shares.
    pub fn builder(
        service: &Service,
        profiles: impl ProfileSource + 'static,
        urls: Urls,
        tickets: TicketKeys,
    ) -> PortalBuilder {
        PortalBuilder(Inner {
            service: service.clone(),
            profiles: Arc::new(profiles),
            urls,
            tickets,
            devices: None,
            identities: None,
            sign_in: None,
            account_driven: None,
            body_bytes: 256 << 10,
        })
    }

    /// Answers a device, or a browser.
    ///
    /// | Status | When |
    /// |---|---|
    /// | 200 | a profile, a page, or the answer to service discovery |
    /// | 308 | somebody signed in for a device: it takes its access token from the address |
    /// | 400 | malformed, or not signed as it has to be |
    /// | 401 | account-driven, and nobody has signed in yet |
    /// | 403 | not admitted, and why: Apple's body where a device acts on it; else a page, or a body with `message` |
    /// | 404, 405 | not offered; by another method |
    /// | 413 | over the limit |
    /// | 503 | the store or the vendor cannot answer now; `Retry-After` is set |
    #[tracing::instrument(name = "mdm.entry", skip_all, fields(path = request.uri().path()))]
    pub async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        let answered = self.answer(&request).await;
        self.finish(answered)
    }

    /// Goes on where somebody has signed in: what the vendor's page calls with the
    /// [`Visit::ticket`] that it was given, and whose answer it gives to the browser as it is.
    ///
    /// It holds the enrolment profile, or leads the device back with its access token; or says why not.
    /// A ticket serves for an hour.
    #[tracing::instrument(name = "mdm.signed_in", skip_all)]
    pub async fn signed_in(&self, ticket: &str, account: Account) -> Response<Bytes> {
        let answered = self.go_on(ticket, account).await;
        self.finish(answered)
    }

    /// Where everything lies.
    pub fn urls(&self) -> &Urls {
        &self.0.urls
    }

    async fn answer(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, Refused> {
        let inner = &*self.0;
        if request.body().len() > inner.body_bytes {
            return Err(Refused::Status(StatusCode::PAYLOAD_TOO_LARGE));
        }
        let path = request.uri().path();
        let is_well_known = path == WELL_KNOWN_PATH;
        let route = match inner.urls.route(path) {
            Some(route) => route,
            None if is_well_known => Route::WellKnown,
            None => return Err(Refused::Status(StatusCode::NOT_FOUND)),
        };
        let methods = route.methods();
        match (route, request.method()) {
            (Route::Automated, &Method::POST) => automated::profile(inner, request).await,
            (Route::Page, &Method::GET) => automated::page(inner, request).await,
            (Route::Profile, &Method::GET) => link::profile(inner, request).await,
            (Route::Ota, &Method::GET) => ota::begin(inner, request).await,
            (Route::Ota, &Method::POST) => ota::go_on(inner, request).await,
            (Route::AccountDriven(version), &Method::POST) => {
                account::profile(inner, version, request).await
            }
            (Route::SignIn, &Method::GET) => account::sign_in(inner, request).await,
            (Route::WellKnown, &Method::GET) => account::discover(inner, request).await,
            _ => Err(Refused::Method(methods)),
        }
    }

    async fn go_on(&self, ticket: &str, account: Account) -> Result<Response<Bytes>, Refused> {
        let inner = &*self.0;
        let ticket = inner
            .tickets
            .open(ticket, inner.now())
            .ok_or(Refused::Unusable("a ticket that is expired or not of ours"))?;
        match ticket {
            Ticket::Page { machine_info } => {
                automated::signed_in(inner, *machine_info, account).await
            }
            Ticket::Link => link::signed_in(inner, account).await,
            Ticket::SignIn => account::signed_in(inner, account),
            Ticket::Access { .. } | Ticket::OverTheAir { .. } => {
                Err(Refused::Unusable("a ticket of another kind"))
            }
        }
    }

    fn finish(&self, answered: Result<Response<Bytes>, Refused>) -> Response<Bytes> {
        let retry_after = self.0.service.0.retry_after;
        let mut response = answered.unwrap_or_else(|refused| refused.respond(retry_after));
        answer::not_to_be_kept(&mut response);
        tracing::debug!(status = response.status().as_u16(), "answered");
        response
    }
}

impl Inner {
    fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.service.0.clock.now()
    }
}

impl fmt::Debug for Portal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Portal")
            .field("urls", &self.0.urls)
            .field("profiles", &self.0.profiles)
            .field("sign_in", &self.0.sign_in)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for PortalBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PortalBuilder")
            .field("urls", &self.0.urls)
            .finish_non_exhaustive()
    }
}
