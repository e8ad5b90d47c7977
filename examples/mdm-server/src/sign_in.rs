//! The page on which people sign in while they enrol a device: a form, no script, and what takes it.
//!
//! The form comes back with the ticket of the visit, and with a proof that this browser was given it: a MAC over
//! the ticket and a cookie that no other site can read, send along or set.

mod page;

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use mdm_sdk::{
    core::{Clock, Secret},
    pki::{DigestAlgorithm, digest::constant_time_eq, hmac, random},
    protocol::enroll::{DiscoveryQuery, DiscoveryVersion},
    scep::limit::{self, Admission, Rate, RateLimit, Scope, TokenBuckets, Who},
    service::{
        Account, Denial, DenialReason, Unavailable,
        entry::{Discovered, SignIn, Visit},
    },
};

use crate::{
    account::{Users, folded},
    config::{AccountDriven, Accounts},
    error::{Error, told},
};
use page::Form;

/// Where the form goes.
pub(crate) const PATH: &str = "/sign-in";

/// Largest form, in bytes: a ticket has 8 KiB at most.
pub(crate) const FORM: usize = 32 << 10;

/// In what time as many attempts are possible again as at once.
const REFILL: Duration = Duration::from_secs(15 * 60);

/// What the pools of a user's devices begin with.
pub(crate) const POOL: &str = "user:";

/// The page. Clones share everything.
#[derive(Debug, Clone)]
pub(crate) struct SignInPage(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    organization: String,
    /// Where forms have to come from, as browsers write it.
    origin: String,
    users: Users,
    key: Secret<Vec<u8>>,
    by_name: TokenBuckets,
    by_peer: TokenBuckets,
    account_driven: Option<AccountDriven>,
    clock: Arc<dyn Clock>,
}

/// What became of a form.
pub(crate) enum Answered {
    /// Somebody has signed in: the portal goes on with this ticket.
    SignedIn(String, Account),
    /// A page.
    Page(Response<Bytes>),
}

impl SignInPage {
    /// The page for these accounts, at `origin`. `key` proves whom a form was given to, on every node.
    pub(crate) fn new(
        settings: &Accounts,
        organization: &str,
        origin: &str,
        key: Secret<Vec<u8>>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let buckets = |burst| TokenBuckets::new().rate(Scope::Enrolment, Rate::new(burst, REFILL));
        Ok(Self(Arc::new(Inner {
            organization: organization.to_owned(),
            origin: url::Url::parse(origin)
                .map_err(Error::in_setting("public_url"))?
                .origin()
                .ascii_serialization(),
            users: Users::open(&settings.users)?,
            key,
            by_name: buckets(settings.attempts_per_name),
            by_peer: buckets(settings.attempts_per_peer),
            account_driven: settings.account_driven.clone(),
            clock,
        })))
    }

    /// Takes a form.
    pub(crate) async fn take(&self, request: &Request<Bytes>) -> Answered {
        let inner = &*self.0;
        let Some(mut filled) = Filled::read(request) else {
            return Answered::Page(inner.plain(StatusCode::BAD_REQUEST, page::STALE));
        };
        if !inner.was_given(request.headers(), &filled) {
            tracing::warn!("a form to sign in with was not given to the browser that sent it");
            return Answered::Page(inner.plain(StatusCode::FORBIDDEN, page::STALE));
        }
        // Whoever cannot be told apart shares one bucket.
        let peer = request.extensions().get::<limit::Peer>();
        let peer = peer.map_or("", |peer| peer.0.as_str());
        if let Some(wait) = inner.limit(peer, &filled.name).await {
            tracing::warn!(peer, "too many attempts to sign in");
            let mut response =
                inner.form(&filled.form(), StatusCode::TOO_MANY_REQUESTS, page::LATER);
            let seconds = wait.as_secs().saturating_add(1);
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, seconds.into());
            return Answered::Page(response);
        }
        let password = std::mem::take(&mut filled.password);
        match inner.users.find(&filled.name, Secret::new(password)).await {
            Ok(Some(account)) => {
                tracing::info!(owner = account.owner, "signed in");
                Answered::SignedIn(filled.ticket, account)
            }
            Ok(None) => {
                tracing::warn!(peer, "signing in failed");
                let form = filled.form();
                Answered::Page(inner.form(&form, StatusCode::FORBIDDEN, page::WRONG))
            }
            Err(error) => {
                tracing::error!(error = told(&error), "nobody can sign in");
                let status = StatusCode::SERVICE_UNAVAILABLE;
                Answered::Page(inner.form(&filled.form(), status, page::UNAVAILABLE))
            }
        }
    }

    /// What the portal answers to who has signed in, or a page in its place where it has none.
    pub(crate) fn finish(&self, response: Response<Bytes>) -> Response<Bytes> {
        match response.status() {
            StatusCode::BAD_REQUEST => self.0.plain(StatusCode::BAD_REQUEST, page::STALE),
            status @ StatusCode::SERVICE_UNAVAILABLE => self.0.plain(status, page::UNAVAILABLE),
            _ => response,
        }
    }
}

impl Inner {
    /// How long somebody has to wait, if at all. Counted before it is known whether the name is anybody's.
    async fn limit(&self, peer: &str, name: &str) -> Option<Duration> {
        let (now, name) = (self.clock.now(), folded(name));
        for (buckets, who) in [
            (&self.by_peer, Who::Peer(peer)),
            (&self.by_name, Who::Account(&name)),
        ] {
            match buckets.admit(Scope::Enrolment, who, now).await {
                Admission::Admitted => {}
                Admission::Later(wait) => return Some(wait),
                _ => return Some(REFILL),
            }
        }
        None
    }

    /// Whether the browser got this form here, and sends it from here.
    fn was_given(&self, headers: &HeaderMap, filled: &Filled) -> bool {
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
        let from_here = text("origin").is_none_or(|origin| origin == self.origin)
            && text("sec-fetch-site").is_none_or(|site| site == "same-origin");
        let Some(nonce) = page::nonce(headers) else {
            return false;
        };
        let expected = self.proof(nonce, &filled.ticket);
        let is_proven = expected
            .is_ok_and(|expected| constant_time_eq(expected.as_bytes(), filled.proof.as_bytes()));
        from_here && is_proven
    }

    fn proof(&self, nonce: &str, ticket: &str) -> Result<String, mdm_sdk::pki::Error> {
        let content = format!("mdm-server sign-in 1\0{nonce}\0{ticket}");
        let mac = hmac(
            DigestAlgorithm::Sha256,
            self.key.expose(),
            content.as_bytes(),
        )?;
        Ok(URL_SAFE_NO_PAD.encode(mac))
    }

    fn form(&self, form: &Form<'_>, status: StatusCode, message: &str) -> Response<Bytes> {
        page::form(&self.organization, form, status, message)
    }

    fn plain(&self, status: StatusCode, message: &str) -> Response<Bytes> {
        page::plain(&self.organization, status, message)
    }
}

#[async_trait]
impl SignIn for SignInPage {
    async fn page(&self, visit: &Visit) -> Result<Response<Bytes>, Unavailable> {
        let nonce = URL_SAFE_NO_PAD.encode(random::<16>().map_err(Unavailable::new)?);
        let proof = self.0.proof(&nonce, &visit.ticket);
        let form = Form {
            ticket: &visit.ticket,
            proof: &proof.map_err(Unavailable::new)?,
            name: visit.user_identifier.as_deref().unwrap_or_default(),
        };
        let mut response = self.0.form(&form, StatusCode::OK, "");
        let cookie = page::cookie(&nonce).map_err(Unavailable::new)?;
        response.headers_mut().insert(header::SET_COOKIE, cookie);
        Ok(response)
    }

    async fn refused(&self, denial: &Denial) -> Response<Bytes> {
        let message = match &denial.reason {
            DenialReason::NoLicence { pool, .. } if pool.starts_with(POOL) => {
                Denial::new(DenialReason::DeviceLimit).message().to_owned()
            }
            _ => denial.message().to_owned(),
        };
        self.0.plain(StatusCode::FORBIDDEN, &message)
    }

    /// By the kind of device alone: asking after an account must not tell whether there is one.
    async fn discover(&self, query: &DiscoveryQuery) -> Result<Discovered, Unavailable> {
        let family = query.model_family.as_ref();
        let by_model = self.0.account_driven.as_ref().zip(family);
        let found = by_model.and_then(|(offer, family)| offer.by_model.get(family.as_str()));
        Ok(match found {
            Some(kind) => Discovered::Here(DiscoveryVersion::from(*kind)),
            None => Discovered::Default,
        })
    }
}

/// A form that was filled in.
struct Filled {
    ticket: String,
    proof: String,
    name: String,
    password: String,
}

impl Filled {
    fn read(request: &Request<Bytes>) -> Option<Self> {
        let content_type = request.headers().get(header::CONTENT_TYPE)?.to_str().ok()?;
        let content_type = content_type.split(';').next().unwrap_or_default();
        let is_form = content_type
            .trim()
            .eq_ignore_ascii_case("application/x-www-form-urlencoded");
        if !is_form {
            return None;
        }
        let mut fields: HashMap<_, _> = url::form_urlencoded::parse(request.body())
            .into_owned()
            .collect();
        let mut take = |name: &str| fields.remove(name);
        Some(Self {
            ticket: take("ticket")?,
            proof: take("proof")?,
            name: take("name")?,
            password: take("password")?,
        })
    }

    /// The form again, without the password.
    fn form(&self) -> Form<'_> {
        Form {
            ticket: &self.ticket,
            proof: &self.proof,
            name: &self.name,
        }
    }
}

#[cfg(test)]
mod tests;
