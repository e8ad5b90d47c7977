//! Who sent a request (RFC 8555 sections 6.2 to 6.5): everything that holds of every POST, in one place.

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use serde::de::DeserializeOwned;

use super::{Server, reply::Stop};
use crate::{
    acme::{
        JOSE_JSON, json,
        jwk::Jwk,
        jws::{Jws, JwsError, KeyRef},
        problem::ErrorType,
        resource::AccountStatus,
        store::{AccountId, AccountRecord, Kept},
    },
    event::Event,
    limit::{Admission, Peer, Scope, Who},
    store::StoreError,
};

/// A request that is signed by whom it says, for this URL, with a nonce that is spent now.
#[derive(Debug)]
pub(super) struct Signed {
    pub(super) signer: Signer,
    /// The URL that it was signed for, which is the one served.
    pub(super) url: String,
    payload: Vec<u8>,
}

#[derive(Debug)]
pub(super) enum Signer {
    /// A valid account.
    Account(Box<Caller>),
    /// Whoever holds this key.
    Key(Box<Jwk>),
}

/// A valid account that asks for something.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) id: AccountId,
    pub(super) account: Kept<AccountRecord>,
}

impl Signed {
    /// The payload as an object of its kind.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, Stop> {
        json::read(&self.payload)
            .map_err(|_| Stop::malformed("the payload is no object of the right form"))
    }

    pub(super) fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Whether it only asks (RFC 8555 section 6.3).
    pub(super) fn is_post_as_get(&self) -> bool {
        self.payload.is_empty()
    }

    /// That it only asks.
    pub(super) fn only_gets(&self) -> Result<(), Stop> {
        match self.is_post_as_get() {
            true => Ok(()),
            false => Err(Stop::malformed("the resource can only be got")),
        }
    }

    /// The account, where an account has to ask.
    pub(super) fn caller(&self) -> Result<&Caller, Stop> {
        match &self.signer {
            Signer::Account(caller) => Ok(caller),
            Signer::Key(_) => Err(Stop::malformed(
                "the request has to be signed by an account",
            )),
        }
    }
}

impl Server {
    pub(super) async fn limit(&self, scope: Scope, who: Who<'_>) -> Result<(), Stop> {
        match self.rate_limit.admit(scope, who, self.clock.now()).await {
            Admission::Admitted => Ok(()),
            Admission::Later(after) => {
                if let Who::Peer(peer) = who {
                    let limited = Event::Limited { peer, wait: after };
                    self.observer.observe(&limited);
                }
                let detail = "too many requests of this kind";
                let stop = Stop::new(ErrorType::RateLimited, detail);
                Err(stop.with(|refused| refused.retry_after = Some(after)))
            }
        }
    }

    /// Reads and verifies a POST.
    pub(super) async fn signed(&self, request: &Request<Bytes>) -> Result<Signed, Stop> {
        let content_type = request.headers().get(header::CONTENT_TYPE);
        let jose = |it: &HeaderValue| it.as_bytes().eq_ignore_ascii_case(JOSE_JSON.as_bytes());
        if !content_type.is_some_and(jose) {
            let detail = "the content type has to be application/jose+json";
            return Err(Stop::malformed(detail).status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        let limits = &self.limits.jws;
        let jws = Jws::parse(request.body(), limits).map_err(|error| {
            let too_large = matches!(
                error,
                JwsError::TooLarge {
                    what: "request",
                    ..
                }
            );
            let stop = Stop::from(error);
            match too_large {
                true => stop.status(StatusCode::PAYLOAD_TOO_LARGE),
                false => stop,
            }
        })?;
        let url = self.base.served(request.uri());
        if jws.header().url != url {
            let detail = "the request is signed for another URL";
            return Err(Stop::new(ErrorType::Unauthorized, detail));
        }
        let now = self.clock.now();
        let nonce = jws.header().nonce.as_deref().unwrap_or_default();
        let Some((nonce, until)) = self.nonces.read(nonce, now)? else {
            return Err(bad_nonce());
        };
        let (signer, verified) = match &jws.header().key {
            KeyRef::Jwk(key) => {
                let signer = Signer::Key(Box::new(key.clone()));
                (signer, jws.verify_own_key()?)
            }
            KeyRef::Kid(kid) => {
                let caller = self.caller(kid).await?;
                let verified = jws.verify(&caller.account.record.key)?;
                if caller.account.record.status != AccountStatus::Valid {
                    return Err(deactivated());
                }
                (Signer::Account(Box::new(caller)), verified)
            }
        };
        // Only now: a nonce is spent by whoever shows a key, and nobody fills the memory without one.
        let spent = match self.store.spend_nonce(nonce, until).await {
            Err(StoreError::Full { .. }) => {
                self.store.forget(now).await?;
                self.store.spend_nonce(nonce, until).await?
            }
            other => other?,
        };
        if !spent {
            return Err(bad_nonce());
        }
        Ok(Signed {
            signer,
            url,
            payload: verified.payload,
        })
    }

    async fn caller(&self, kid: &str) -> Result<Caller, Stop> {
        let unknown = || {
            let detail = "there is no such account";
            Stop::new(ErrorType::AccountDoesNotExist, detail)
        };
        let id = self.base.account(kid).ok_or_else(unknown)?;
        let account = self.store.account(&id).await?.ok_or_else(unknown)?;
        Ok(Caller { id, account })
    }
}

/// The text of whoever is counted; all are one where nobody is named.
pub(super) fn peer(request: &Request<Bytes>) -> Who<'_> {
    let peer = request.extensions().get::<Peer>();
    Who::Peer(peer.map_or("", |peer| peer.0.as_str()))
}

pub(super) fn deactivated() -> Stop {
    let detail = "the account is deactivated";
    Stop::new(ErrorType::Unauthorized, detail).status(StatusCode::UNAUTHORIZED)
}

fn bad_nonce() -> Stop {
    Stop::new(ErrorType::BadNonce, "the nonce is unknown, old or spent")
}
