//! The `Mdm-Signature` header: a detached CMS signature of the body by the device's identity.
//!
//! Sent where the enrolment profile sets `SignMessage`. It proves possession of a key, nothing
//! else: who issued the certificate, and to which enrolment it is pinned, must be checked as well
//! (Q4). [`MessageVerifier`] checks the issuer; the pin is the caller's.

use chrono::{DateTime, TimeDelta, Utc};
use mdm_pki::{Certificate, SignatureError, SignatureVerifier};

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

/// How far the clocks of devices and of those who issue their identities may be off.
///
/// A message is not the place to find out that a clock is wrong: a device that is refused for it
/// cannot enrol, retries with a challenge that it has used up, and ends in being erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClockSkew {
    /// How far the signing time may be from now, either way; `None` does not look at it. Not every
    /// system states one, and what is not stated is not missed.
    ///
    /// Default a day. A wrong time zone is off by up to 14 hours; a clock that is off by more makes TLS
    /// fail before anything is sent. And a message that somebody recorded is worth nothing a day later.
    pub signing_time: Option<TimeDelta>,
    /// How long before its validity begins a certificate counts already. Default ten minutes: whoever
    /// issued it has another clock, and the device uses it the same second.
    pub not_before: TimeDelta,
}

impl Default for ClockSkew {
    fn default() -> Self {
        Self {
            signing_time: Some(TimeDelta::days(1)),
            not_before: TimeDelta::minutes(10),
        }
    }
}

impl ClockSkew {
    /// The bounds after `edit`.
    #[must_use]
    pub fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }

    /// Whether a certificate that is valid only from `since` may count already.
    pub fn tolerates(&self, since: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        since.signed_duration_since(now) <= self.not_before
    }
}

/// Verifies the header of messages whose identities these issuers have issued.
#[derive(Debug)]
pub struct MessageVerifier {
    verifier: SignatureVerifier,
    skew: ClockSkew,
}

impl MessageVerifier {
    /// Takes the issuers whose certificates count; nobody else's do.
    ///
    /// # Errors
    /// [`mdm_pki::Error`] for an issuer that cannot be read.
    pub fn new(issuers: Vec<Certificate>) -> Result<Self, mdm_pki::Error> {
        let verifier = SignatureVerifier::new(issuers)?;
        Ok(Self {
            verifier,
            skew: ClockSkew::default(),
        })
    }

    /// Bounds on wrong clocks.
    #[must_use]
    pub fn clock_skew(mut self, skew: ClockSkew) -> Self {
        self.skew = skew;
        self
    }

    /// The certificate that signed `body`.
    ///
    /// # Errors
    /// [`HeaderError`]: the header, the signature, the issuer, the validity or the signing time is
    /// wrong.
    pub fn verify(
        &self,
        header: &str,
        body: &[u8],
        now: DateTime<Utc>,
    ) -> Result<Certificate, HeaderError> {
        let cms = decode_header(header)?;
        let signed = match self.verifier.verify_message(&cms, body, now) {
            Err(SignatureError::NotYetValid { since }) if self.skew.tolerates(since, now) => {
                self.verifier.verify_message(&cms, body, since)?
            }
            verified => verified?,
        };
        if let (Some(bound), Some(time)) = (self.skew.signing_time, signed.signing_time)
            && now.signed_duration_since(time).abs() > bound
        {
            return Err(HeaderError::SigningTime { time });
        }
        Ok(signed.signer)
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
    Signature(#[from] SignatureError),
    /// The device's clock is further off than the [`ClockSkew`] allows, or the message is an old one.
    #[error("the message was signed at {time}, too far from now")]
    SigningTime {
        /// When the device claims to have signed.
        time: DateTime<Utc>,
    },
}
