//! Challenges as the caller meets them: what is asked, and what to answer (RFC 8555 section 8).

use std::{error, fmt, future::Future};

use async_trait::async_trait;
use mdm_pki::{DigestAlgorithm, digest};

use super::Error;
use crate::acme::{
    base64url,
    identifier::Identifier,
    jwk::Jwk,
    jws::is_nonce,
    resource::{AttestationResponse, Authorization, Challenge, ChallengeType},
};

/// Solves challenges: brings a key's attestation, puts a file or a record in its place.
#[async_trait]
pub trait Solver: fmt::Debug + Send + Sync {
    /// Gets ready for a challenge and says how to respond; `None` passes it over for the next one.
    ///
    /// Where a run is taken up again, a challenge that was solved before may come again.
    ///
    /// # Errors
    /// Whatever keeps it from getting ready; the order then goes no further.
    async fn solve(&self, offer: &Offer) -> Result<Option<ChallengeResponse>, SolverError>;
}

/// Why a solver could not get ready.
pub type SolverError = Box<dyn error::Error + Send + Sync>;

/// Makes a solver of a closure.
pub fn solver_fn<F, Fut>(solve: F) -> SolverFn<F>
where
    F: Fn(Offer) -> Fut + Send + Sync,
    Fut: Future<Output = Result<Option<ChallengeResponse>, SolverError>> + Send,
{
    SolverFn(solve)
}

/// A closure as a solver, from [`solver_fn`].
#[derive(Clone, Copy)]
pub struct SolverFn<F>(F);

impl<F> fmt::Debug for SolverFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SolverFn")
    }
}

#[async_trait]
impl<F, Fut> Solver for SolverFn<F>
where
    F: Fn(Offer) -> Fut + Send + Sync,
    Fut: Future<Output = Result<Option<ChallengeResponse>, SolverError>> + Send,
{
    async fn solve(&self, offer: &Offer) -> Result<Option<ChallengeResponse>, SolverError> {
        (self.0)(offer.clone()).await
    }
}

/// One challenge that may be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Offer {
    /// What is to be proven.
    pub identifier: Identifier,
    /// Whether it is for a wildcard of the host name.
    pub wildcard: bool,
    /// How.
    pub kind: ChallengeType,
    /// Where the response goes.
    pub url: String,
    /// What makes the challenge fresh. It has no characters but those of base64url.
    pub token: String,
    /// The token bound to the account: what is to stand in the file of `http-01`.
    pub key_authorization: String,
    key_digest: [u8; 32],
    token_digest: [u8; 32],
}

impl Offer {
    /// What an authorization's challenge asks of the account with this key; `None` for one without a token.
    ///
    /// # Errors
    /// [`Error::Content`] for a token that could lead out of its place.
    pub fn new(
        authorization: &Authorization,
        challenge: &Challenge,
        account: &Jwk,
    ) -> Result<Option<Self>, Error> {
        let Some(token) = challenge.token.clone() else {
            return Ok(None);
        };
        if !is_nonce(&token) {
            return Err(Error::Content {
                expected: "token in base64url",
                body: token.into(),
            });
        }
        let key_authorization = account.key_authorization(&token);
        Ok(Some(Self {
            identifier: authorization.identifier.clone(),
            wildcard: authorization.wildcard,
            kind: challenge.kind.clone(),
            url: challenge.url.clone(),
            key_digest: sha256(&key_authorization)?,
            token_digest: sha256(&token)?,
            key_authorization,
            token,
        }))
    }

    /// The path on the host's web server where [`key_authorization`](Self::key_authorization) is to be found, for
    /// `http-01`.
    pub fn http_path(&self) -> String {
        format!("/.well-known/acme-challenge/{}", self.token)
    }

    /// The name of the TXT record for `dns-01`.
    pub fn dns_name(&self) -> String {
        format!("_acme-challenge.{}", self.identifier.value)
    }

    /// The text of the TXT record for `dns-01`.
    pub fn dns_value(&self) -> String {
        base64url::encode(self.key_digest)
    }

    /// The value of the certificate's acmeIdentifier extension for `tls-alpn-01` (RFC 8737 section 3).
    pub fn tls_alpn_digest(&self) -> &[u8; 32] {
        &self.key_digest
    }

    /// What a key is to be attested with for `device-attest-01`: the SHA-256 of the token's text.
    ///
    /// That is Apple's way, which servers for Apple's devices go too; the draft has
    /// [`key_authorization_digest`](Self::key_authorization_digest).
    pub fn freshness(&self) -> &[u8; 32] {
        &self.token_digest
    }

    /// The SHA-256 of the key authorization, which other devices are attested with (draft-ietf-acme-device-attest
    /// section 5).
    pub fn key_authorization_digest(&self) -> &[u8; 32] {
        &self.key_digest
    }
}

fn sha256(text: &str) -> Result<[u8; 32], Error> {
    let digest = digest(DigestAlgorithm::Sha256, text.as_bytes())?;
    let digest = <[u8; 32]>::try_from(digest.as_slice());
    digest.map_err(|_| Error::Missing("digest of 32 bytes"))
}

/// The response to a challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChallengeResponse {
    /// What was asked for is in its place; or, for `device-attest-01`, the device does not attest.
    Ready,
    /// The attestation of a device's key: CBOR, with the freshness inside.
    Attestation(Vec<u8>),
}

impl ChallengeResponse {
    pub(super) fn payload(self) -> AttestationResponse {
        match self {
            Self::Ready => AttestationResponse::default(),
            Self::Attestation(att_obj) => AttestationResponse::new(att_obj),
        }
    }
}

#[cfg(test)]
mod tests {
    use mdm_pki::{KeySpec, PrivateKey};

    use super::*;
    use crate::acme::resource::AuthorizationStatus;

    fn offer(token: Option<&str>) -> Result<Option<Offer>, Error> {
        let key = PrivateKey::generate(KeySpec::P256).unwrap();
        let account = Jwk::new(key.public_key()).unwrap();
        let mut challenge = Challenge::new(ChallengeType::Dns01, "https://ca.example/c", "");
        challenge.token = token.map(ToOwned::to_owned);
        let identifier = Identifier::dns("a.example");
        let authorization =
            Authorization::new(identifier, AuthorizationStatus::Pending, Vec::new());
        Offer::new(&authorization, &challenge, &account)
    }

    #[test]
    fn an_offer_says_what_goes_where() {
        let offer = offer(Some("evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"))
            .unwrap()
            .unwrap();
        assert_eq!(
            offer.http_path(),
            "/.well-known/acme-challenge/evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
        );
        assert_eq!(offer.dns_name(), "_acme-challenge.a.example");
        assert_eq!(offer.dns_value().len(), 43);
        assert_eq!(
            offer.dns_value(),
            base64url::encode(offer.tls_alpn_digest())
        );
        let token = digest(DigestAlgorithm::Sha256, offer.token.as_bytes()).unwrap();
        assert_eq!(offer.freshness()[..], token);
        assert_ne!(offer.freshness(), offer.key_authorization_digest());
    }

    #[test]
    fn a_token_that_leads_elsewhere_is_refused() {
        assert!(offer(None).unwrap().is_none());
        for token in ["", "../../etc/passwd", "a/b", "a.b", "a b", "a\r\nb", "é"] {
            assert!(offer(Some(token)).is_err(), "{token}");
        }
    }
}
