//! OCSP (RFC 6960, in the profile of RFC 5019): what an authority says of each certificate that it has issued.
//!
//! [`Responder::handle`] turns an HTTP request into an HTTP response, by GET and by POST, like
//! [`Server::handle`](crate::Server::handle), and holds no socket. What it says is what the authority's store says at that
//! moment. The URL under which it is served goes into the certificates:
//! [`CertificateProfile::ocsp_urls`](crate::CertificateProfile::ocsp_urls).

mod http;

use std::{fmt, sync::Arc, time::Duration};

use ::http::{Request, Response, StatusCode};
use bytes::Bytes;
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use mdm_core::Clock;
use mdm_pki::{
    Certificate, SignatureAlgorithm, Signer,
    ocsp::{
        CertId, CertStatus, OCSP_SIGNING, OcspError, OcspRequest, OcspResponseBuilder,
        SingleResponse, refusal,
    },
};

use self::http::{Freshness, Question};
use crate::{
    ca::CertificateAuthority,
    error::Error,
    http::later,
    limit::{Admission, Peer, RateLimit, Scope, Unlimited, Who},
    message::is_issued_by,
    store::StoreError,
};

/// The sizes that a responder takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct OcspLimits {
    /// Longest request, in bytes, by POST or decoded out of a GET: 4 KiB unless changed. One about a single certificate
    /// has some hundred.
    pub request: usize,
    /// The most certificates asked about at once: 8 unless changed.
    pub certificates: usize,
}

impl OcspLimits {
    /// The limits with changes.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

impl Default for OcspLimits {
    fn default() -> Self {
        Self {
            request: 4 * 1024,
            certificates: 8,
        }
    }
}

/// Answers about the certificates of an authority, with the authority's own key or one that it delegates to.
#[derive(Clone)]
pub struct Responder {
    authority: Arc<dyn CertificateAuthority>,
    issuer: Certificate,
    certificate: Certificate,
    signer: Arc<dyn Signer>,
    algorithm: SignatureAlgorithm,
    clock: Arc<dyn Clock>,
    lifetime: Duration,
    limits: OcspLimits,
    limiter: Arc<dyn RateLimit>,
}

impl Responder {
    /// How long an answer counts unless told otherwise: as long may a revocation stay unseen by whoever keeps answers.
    pub const LIFETIME: Duration = Duration::from_secs(60 * 60);

    /// Answers as `certificate`, the authority's own or [`ocsp_responder`](crate::ca::ocsp_responder)'s, with its key.
    ///
    /// # Errors
    /// [`Error::Configuration`] if the authority has no certificate, `certificate` may not speak for it, or the signer is of
    /// another key or offers SHA-1 at best.
    pub fn new(
        authority: Arc<dyn CertificateAuthority>,
        certificate: Certificate,
        signer: Arc<dyn Signer>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let Some(issuer) = authority.chain().first().cloned() else {
            return Err(Error::Configuration("the authority has no certificate"));
        };
        let delegated = || {
            is_issued_by(&certificate, &issuer)
                && certificate.extended_key_usages().contains(&OCSP_SIGNING)
        };
        if certificate != issuer && !delegated() {
            return Err(Error::Configuration(
                "the certificate may not answer for the authority",
            ));
        }
        if !certificate.public_key()?.same_key(signer.public_key()) {
            return Err(Error::Configuration(
                "the responder's certificate is of another key",
            ));
        }
        let algorithm = signer
            .algorithms()
            .iter()
            .copied()
            .find(|it| it.takes_digest() && it.digest().output_len() >= 32)
            .ok_or(Error::Configuration("the signer offers SHA-1 at best"))?;
        Ok(Self {
            authority,
            issuer,
            certificate,
            signer,
            algorithm,
            clock,
            lifetime: Self::LIFETIME,
            limits: OcspLimits::default(),
            limiter: Arc::new(Unlimited),
        })
    }

    /// Changes how long an answer counts; never past the end of the certificate that signs it.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Changes which sizes are taken.
    #[must_use]
    pub fn limits(mut self, limits: OcspLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Changes who may ask how often, counted as [`Scope::Request`]: every answer with a nonce costs a signature.
    #[must_use]
    pub fn rate_limit(mut self, limiter: Arc<dyn RateLimit>) -> Self {
        self.limiter = limiter;
        self
    }

    /// Answers one request, whatever its path in front of the question of a GET.
    ///
    /// A question that cannot be answered is told so in kind, by an [`OcspError`] with HTTP status 200; 405, 413 and
    /// 414 are for what is no question, 429 for who asks too often.
    pub async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        let now = self.clock.now();
        let peer = request.extensions().get::<Peer>();
        let who = Who::Peer(peer.map_or("", |peer| peer.0.as_str()));
        if let Admission::Later(wait) = self.limiter.admit(Scope::Request, who, now).await {
            return later(StatusCode::TOO_MANY_REQUESTS, "too many requests\n", wait);
        }
        let question = match http::read(&request, &self.limits) {
            Ok(Question::Request(question)) => question,
            Ok(Question::Malformed) => {
                return http::answer(refusal(OcspError::MalformedRequest), None);
            }
            Err(refused) => return *refused,
        };
        match self.answer(&question, now).await {
            Ok((answer, freshness)) => {
                // An answer with a nonce is for whoever asked, and for nobody's cache.
                let freshness = freshness.filter(|_| question.nonce.is_none());
                http::answer(answer, freshness)
            }
            Err(error) => http::answer(refusal(error), None),
        }
    }

    async fn answer(
        &self,
        question: &OcspRequest,
        now: DateTime<Utc>,
    ) -> Result<(Vec<u8>, Option<Freshness>), OcspError> {
        if !self.certificate.is_valid_at(now) || !self.issuer.is_valid_at(now) {
            return Err(OcspError::InternalError);
        }
        let now = now.trunc_subsecs(0);
        let lifetime = TimeDelta::from_std(self.lifetime).unwrap_or(TimeDelta::MAX);
        let until = now
            .checked_add_signed(lifetime)
            .unwrap_or(DateTime::<Utc>::MAX_UTC)
            .min(self.certificate.not_after())
            .min(self.issuer.not_after());
        let mut builder = OcspResponseBuilder::new(now).nonce(question.nonce.as_deref());
        let mut ours = false;
        for id in &question.certificates {
            let mine = id.is_of(&self.issuer);
            let mine = mine.map_err(|_| OcspError::InternalError)?;
            ours |= mine;
            let status = match mine {
                true => self.status(id).await.map_err(|_| OcspError::TryLater)?,
                false => CertStatus::Unknown,
            };
            builder = builder.answer(SingleResponse::new(id.clone(), status, now).until(until));
        }
        if !ours {
            return Err(OcspError::Unauthorized);
        }
        let answer = builder
            .sign_with(
                &self.issuer,
                &self.certificate,
                &*self.signer,
                self.algorithm,
            )
            .await
            .map_err(|error| match error {
                mdm_pki::Error::Key(_) => OcspError::TryLater,
                _ => OcspError::InternalError,
            })?;
        Ok((answer, Some(Freshness { now, until })))
    }

    async fn status(&self, id: &CertId) -> Result<CertStatus, StoreError> {
        let Some(record) = self.authority.find(id.serial()).await? else {
            return Ok(CertStatus::Unknown);
        };
        Ok(match record.revoked {
            None => CertStatus::Good,
            Some(revocation) => CertStatus::revoked(revocation.at, revocation.reason),
        })
    }
}

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responder")
            .field("certificate", &self.certificate.subject())
            .field("lifetime", &self.lifetime)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
