//! The server: an HTTP request in, an HTTP response out. It holds no socket and no task.

pub(crate) mod gate;
mod pki_operation;
mod poll;
mod query;
mod reply;
mod responder;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use mdm_core::Clock;
use mdm_pki::{
    Certificate, CertificateRequest, CertificateRequestBuilder, Name, PublicKey,
    SignatureAlgorithm, cms,
};

pub use self::responder::Responder;
use self::{gate::Gates, pki_operation::Answer};
use crate::{
    ca::{CertificateAuthority, ExpiryWatch, NextCa},
    capability::{Capabilities, Capability},
    challenge::ChallengeVerifier,
    error::Error,
    event::{Event, Observer, Trace},
    http::{self as wire, HttpLimits, Operation, OperationError},
    limit::{Admission, Peer, RateLimit, Scope, Unlimited, Who},
    message::is_issued_by,
    policy::Policy,
};

/// A SCEP server over an authority, a responder and a challenge verifier.
///
/// It answers GetCACaps, GetCACert, GetNextCACert if told what with, and PKIOperation with PKCSReq, RenewalReq, CertPoll, GetCert and
/// GetCRL; every other message is refused with `badRequest`. It may be shared and called in parallel.
#[derive(Debug)]
pub struct Server {
    authority: Arc<dyn CertificateAuthority>,
    responder: Responder,
    verifier: Arc<dyn ChallengeVerifier>,
    clock: Arc<dyn Clock>,
    policy: Policy,
    limits: HttpLimits,
    observer: Arc<dyn Observer>,
    limiter: Arc<dyn RateLimit>,
    gates: Gates,
    expiry: ExpiryWatch,
    ca_cert: (HeaderValue, Bytes),
    next_ca: Option<NextCa>,
    decoy: CertificateRequest,
}

impl Server {
    /// Starts a server of these parts, with the default policy and limits, and events to `tracing`.
    pub fn builder(
        authority: Arc<dyn CertificateAuthority>,
        responder: Responder,
        verifier: Arc<dyn ChallengeVerifier>,
        clock: Arc<dyn Clock>,
    ) -> ServerBuilder {
        ServerBuilder {
            authority,
            responder,
            verifier,
            clock,
            policy: Policy::default(),
            limits: HttpLimits::default(),
            observer: Arc::new(Trace),
            limiter: Arc::new(Unlimited),
            warn_before: ExpiryWatch::BEFORE,
            next_ca: None,
        }
    }

    /// What GetCACaps lists: every keyword by itself, since Apple's client does not know that
    /// `SCEPStandard` implies others.
    pub fn capabilities(&self) -> Capabilities {
        let mut capabilities: Capabilities = [
            Capability::Aes,
            Capability::PostPkiOperation,
            Capability::Sha256,
            Capability::Sha512,
            Capability::ScepStandard,
        ]
        .into_iter()
        .collect();
        if self.next_ca.is_some() {
            capabilities.insert(Capability::GetNextCaCert);
        }
        if self.policy.renewal {
            capabilities.insert(Capability::Renewal);
        }
        if self.policy.sha1 {
            capabilities.insert(Capability::Sha1);
        }
        capabilities
    }

    /// Answers one request, whatever its path.
    ///
    /// A message that can be answered in kind is, refusals included. Otherwise the status tells:
    /// 400, 405, 413 and 414 for what is no SCEP request, 429 for who asks too often, 503 where nothing could be
    /// decided, after which the client may come again with the same message.
    pub async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        let peer = request.extensions().get::<Peer>();
        let peer = peer.map_or("", |peer| peer.0.as_str());
        if let Some(refused) = self.limit(Scope::Request, peer).await {
            return refused;
        }
        let message = match Operation::parse(&request, &self.limits) {
            Err(error) => return wire::refuse(&error),
            Ok(Operation::GetCaCaps) => {
                return wire::answer(StatusCode::OK, wire::TEXT, self.capabilities().to_text());
            }
            Ok(Operation::GetCaCert) => {
                let (content_type, body) = self.ca_cert.clone();
                return wire::answer(StatusCode::OK, content_type, body);
            }
            Ok(Operation::GetNextCaCert) => {
                return match &self.next_ca {
                    Some(next) => wire::answer(StatusCode::OK, wire::NEXT_CA_CERT, next.body()),
                    None => wire::refuse(&OperationError::Unknown),
                };
            }
            Ok(Operation::PkiOperation(message)) => message,
        };
        if let Some(refused) = self.limit(Scope::Enrolment, peer).await {
            return refused;
        }
        self.warn();
        match self.pki_operation(&message).await {
            Ok(Answer::Message(message)) => {
                wire::answer(StatusCode::OK, wire::PKI_MESSAGE, message)
            }
            Ok(Answer::Unavailable) => {
                let text = "the request cannot be decided now\n";
                wire::later(
                    StatusCode::SERVICE_UNAVAILABLE,
                    text,
                    Duration::from_secs(10),
                )
            }
            Err(error) => {
                self.observer.observe(&Event::Unreadable { error: &error });
                wire::answer(StatusCode::BAD_REQUEST, wire::TEXT, "no SCEP message\n")
            }
        }
    }

    /// The answer to somebody who asks too often.
    async fn limit(&self, scope: Scope, peer: &str) -> Option<Response<Bytes>> {
        let now = self.clock.now();
        match self.limiter.admit(scope, Who::Peer(peer), now).await {
            Admission::Admitted => None,
            Admission::Later(wait) => {
                self.observer.observe(&Event::Limited { peer, wait });
                let text = "too many requests\n";
                Some(wire::later(StatusCode::TOO_MANY_REQUESTS, text, wait))
            }
        }
    }

    /// Tells the operator of certificates that end soon.
    fn warn(&self) {
        let now = self.clock.now();
        let ours = [self.responder.certificate()].into_iter();
        for certificate in self.expiry.due(ours.chain(self.authority.chain()), now) {
            let event = Event::Expiring { certificate, now };
            self.observer.observe(&event);
        }
    }
}

/// A server about to be built.
#[derive(Debug)]
#[must_use]
pub struct ServerBuilder {
    authority: Arc<dyn CertificateAuthority>,
    responder: Responder,
    verifier: Arc<dyn ChallengeVerifier>,
    clock: Arc<dyn Clock>,
    policy: Policy,
    limits: HttpLimits,
    observer: Arc<dyn Observer>,
    limiter: Arc<dyn RateLimit>,
    warn_before: Duration,
    next_ca: Option<NextCa>,
}

impl ServerBuilder {
    /// Which algorithms and keys are taken.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Which sizes are taken.
    pub fn limits(mut self, limits: HttpLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Who hears of events, in place of `tracing`.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = observer;
        self
    }

    /// Who may ask how often: everybody always unless changed. Any request counts as [`Scope::Request`], a PKIOperation as
    /// [`Scope::Enrolment`] too, whoever [`Peer`] in its extensions names. Who asks too often is answered with 429 and
    /// `Retry-After`, before any key is used.
    pub fn rate_limit(mut self, limiter: Arc<dyn RateLimit>) -> Self {
        self.limiter = limiter;
        self
    }

    /// How long before the end of the authority's or the responder's certificate
    /// [`Event::Expiring`] begins to tell of it: 30 days unless changed.
    pub fn warn_before(mut self, before: Duration) -> Self {
        self.warn_before = before;
        self
    }

    /// Announces the authority that will take the present one's place, which GetNextCACert then answers with.
    pub fn next_ca(mut self, next: NextCa) -> Self {
        self.next_ca = Some(next);
        self
    }

    /// The server.
    ///
    /// # Errors
    /// [`Error::Configuration`] if the authority has no certificate, or the responder's was issued by
    /// somebody else.
    pub fn build(self) -> Result<Server, Error> {
        let ca_cert = ca_cert(self.authority.chain(), self.responder.certificate())?;
        let decoy = decoy(self.responder.decrypter().public_key())?;
        Ok(Server {
            authority: self.authority,
            responder: self.responder,
            verifier: self.verifier,
            clock: self.clock,
            policy: self.policy,
            limits: self.limits,
            observer: self.observer,
            limiter: self.limiter,
            gates: Gates::default(),
            expiry: ExpiryWatch::new(self.warn_before),
            ca_cert,
            next_ca: self.next_ca,
            decoy,
        })
    }
}

/// A CSR as a device sends it, but with a signature that does not hold: what is read where the content is none.
fn decoy(key: &PublicKey) -> Result<CertificateRequest, Error> {
    let decoy = CertificateRequestBuilder::new(Name::from_common_name("decoy"))
        .challenge_password(&"0".repeat(40))
        .prepare(key, SignatureAlgorithm::RsaPkcs1Sha256)?;
    Ok(decoy.finish(&[0; 256])?)
}

/// The answer to GetCACert: the CA alone, or the RA first and then the CA's chain.
fn ca_cert(chain: &[Certificate], responder: &Certificate) -> Result<(HeaderValue, Bytes), Error> {
    let Some(issuer) = chain.first() else {
        return Err(Error::Configuration("the authority has no certificate"));
    };
    if responder == issuer && chain.len() == 1 {
        return Ok((wire::CA_CERT, Bytes::copy_from_slice(issuer.to_der())));
    }
    let mut certificates = chain.to_vec();
    if responder != issuer {
        if !is_issued_by(responder, issuer) {
            return Err(Error::Configuration(
                "the responder's certificate was not issued by the authority",
            ));
        }
        certificates.insert(0, responder.clone());
    }
    Ok((wire::CA_RA_CERT, cms::certs_only(&certificates)?.into()))
}
