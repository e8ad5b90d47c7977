//! The `Mdm-Signature` header: a detached CMS signature of the body by the device's identity.
//!
//! Sent where the enrolment profile sets `SignMessage`. It proves possession of a key, nothing
//! else: who issued the certificate, and to which enrolment it is pinned, must be checked as well
//! (Q4). [`MessageVerifier`] checks the issuer; the pin is the caller's.

use chrono::{DateTime, Utc};
use mdm_pki::{Certificate, SignatureVerifier};

use crate::{base64, error::Error};

/// The header's name, as `http::HeaderName` wants it.
pub const HEADER: &str = "mdm-signature";

/// The longest header that is read, in bytes of text.
pub const MAX_HEADER_BYTES: usize = 64 * 1024;

/// The CMS message in the header: base64, with whatever white space a proxy folded in.
///
/// # Errors
/// [`Error::TooLarge`] over [`MAX_HEADER_BYTES`], [`Error::Base64`] for what is no base64.
pub fn decode_header(header: &str) -> Result<Vec<u8>, Error> {
    base64::decode("Mdm-Signature", header, MAX_HEADER_BYTES)
}

/// The header for a CMS message.
pub fn encode_header(cms: &[u8]) -> String {
    use ::base64::{Engine, engine::general_purpose::STANDARD};
    STANDARD.encode(cms)
}

/// Verifies the header of messages whose identities these issuers have issued.
#[derive(Debug)]
pub struct MessageVerifier {
    verifier: SignatureVerifier,
}

impl MessageVerifier {
    /// Takes the issuers whose certificates count; nobody else's do.
    ///
    /// # Errors
    /// [`mdm_pki::Error`] for an issuer that cannot be read.
    pub fn new(issuers: Vec<Certificate>) -> Result<Self, mdm_pki::Error> {
        let verifier = SignatureVerifier::new(issuers)?;
        Ok(Self { verifier })
    }

    /// The certificate that signed `body`.
    ///
    /// # Errors
    /// [`HeaderError`]: the header, the signature, the issuer or the validity is wrong.
    pub fn verify(
        &self,
        header: &str,
        body: &[u8],
        now: DateTime<Utc>,
    ) -> Result<Certificate, HeaderError> {
        let cms = decode_header(header)?;
        Ok(self.verifier.verify(&cms, body, now)?)
    }
}

/// Why a message's signature does not count.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// The header cannot be read.
    #[error(transparent)]
    Header(#[from] Error),
    /// The signature is not one of a certificate that counts.
    #[error("the signature of the message does not count")]
    Signature(#[from] mdm_pki::SignatureError),
}
