//! The `Mdm-Signature` header.

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::Request;
use mdm_pki::Certificate;
use mdm_protocol::signature::{self, ClockSkew, MessageVerifier};

use super::{IdentityError, IdentitySource, is_absent};

/// The `Mdm-Signature` header: a detached CMS signature over the body, made with the identity of the
/// enrolment profile. Needs `SignMessage` in the profile.
///
/// It goes through any proxy, and covers the message as well as the sender.
#[derive(Debug)]
pub struct MdmSignature {
    verifier: MessageVerifier,
}

impl MdmSignature {
    /// Takes signatures of certificates that one of `issuers` issued, and nobody else's.
    ///
    /// # Errors
    /// [`mdm_pki::Error`] for an issuer that cannot be used.
    pub fn new(issuers: Vec<Certificate>) -> Result<Self, mdm_pki::Error> {
        Ok(Self {
            verifier: MessageVerifier::new(issuers)?,
        })
    }

    /// Bounds on wrong clocks; [`ClockSkew::default`] unless told otherwise.
    #[must_use]
    pub fn clock_skew(mut self, skew: ClockSkew) -> Self {
        self.verifier = self.verifier.clock_skew(skew);
        self
    }
}

#[async_trait]
impl IdentitySource for MdmSignature {
    async fn identify(
        &self,
        request: &Request<Bytes>,
        now: DateTime<Utc>,
    ) -> Result<Certificate, IdentityError> {
        let header = request
            .headers()
            .get(signature::HEADER)
            .filter(|header| !is_absent(header.as_bytes()))
            .ok_or(IdentityError::Missing)?;
        let header = header.to_str().map_err(IdentityError::invalid)?;
        self.verifier
            .verify(header, request.body(), now)
            .map_err(IdentityError::invalid)
    }
}
