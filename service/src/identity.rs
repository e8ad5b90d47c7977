//! How a device proves which certificate it holds.

use std::{error, fmt};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::Request;
use mdm_pki::Certificate;
use mdm_protocol::{
    checkin::Authenticate,
    signature::{self, MessageVerifier},
};

use crate::{Enrollment, enrollment::decide::tells_known_serial_number};

/// Finds the certificate behind a request.
///
/// Whether it is the right one for the enrolment is not decided here: the service pins it at
/// `Authenticate` and compares from then on (Q4).
#[async_trait]
pub trait IdentitySource: fmt::Debug + Send + Sync {
    /// The certificate whose key the sender proved to hold, issued by somebody who is trusted with
    /// that.
    ///
    /// # Errors
    /// [`IdentityError`] if there is no such proof; the device is answered 400.
    async fn identify(
        &self,
        request: &Request<Bytes>,
        now: DateTime<Utc>,
    ) -> Result<Certificate, IdentityError>;

    /// Whether `certificate` may be pinned to the device that `message` names; the device is answered
    /// 403 if not. `known` is the enrolment as it is, if there is one, and its `certificate` the pin
    /// that would be replaced: what comes for the device later goes to the new certificate, and the
    /// former one is refused from then on.
    ///
    /// By default any certificate of a trusted issuer that was never pinned to another device may enrol
    /// any device, also one that enrolled with another certificate before: a wiped device comes back
    /// like that and need not have checked out (Q14). Only the serial number must be the one that is
    /// known ([`tells_known_serial_number`]). So the issuer decides who gets in. Where certificates are
    /// handed out less carefully than enrolments shall be, compare the certificate's subject with the
    /// message here, or refuse to replace a pin that the vendor did not release.
    ///
    /// May be called again for the same message, when the enrolment changed meanwhile.
    async fn may_pin(
        &self,
        certificate: &Certificate,
        message: &Authenticate,
        known: Option<&Enrollment>,
    ) -> bool {
        let _ = certificate;
        known.is_none_or(|known| tells_known_serial_number(known, message.serial_number.as_ref()))
    }

    /// Whether `certificate` is the renewed identity of `known`, and so may take the place of its pinned
    /// `certificate`: a device that renewed sends no `Authenticate` and goes on with the new one. Asked
    /// when it comes for the first time, and only if it was never pinned to any device; the device is
    /// answered 403 if not.
    ///
    /// By default never: a certificate of a trusted issuer that names a known device proves nothing yet
    /// (Q4). Who issues renewals knows whom each is for: look it up, or compare what the issuer wrote
    /// into the subject. The device keeps its queue and its tokens, so `true` hands them over.
    async fn may_renew(&self, certificate: &Certificate, known: &Enrollment) -> bool {
        let _ = (certificate, known);
        false
    }
}

/// The `Mdm-Signature` header: a detached CMS signature over the body, made with the identity of the
/// enrolment profile. Needs `SignMessage` in the profile.
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
            .ok_or(IdentityError::Missing)?;
        let header = header.to_str().map_err(IdentityError::invalid)?;
        self.verifier
            .verify(header, request.body(), now)
            .map_err(IdentityError::invalid)
    }
}

/// Why nobody can be made out behind a request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The request carries no proof.
    #[error("the request carries no proof of identity")]
    Missing,
    /// The proof does not hold.
    #[error("the proof of identity does not hold")]
    Invalid(#[source] Box<dyn error::Error + Send + Sync>),
}

impl IdentityError {
    /// The proof does not hold, and why: that goes to the log.
    pub fn invalid(cause: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        Self::Invalid(cause.into())
    }

    pub(crate) fn unusable(cause: mdm_pki::Error) -> Self {
        Self::invalid(cause)
    }
}
