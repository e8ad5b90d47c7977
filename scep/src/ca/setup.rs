//! Certificates to begin with: a root, and a registration authority under it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use mdm_pki::{
    Certificate, CertificateBuilder, KeyAlgorithm, KeyUsage, Name, PrivateKey, PublicKey,
    ocsp::{OCSP_NO_CHECK, OCSP_SIGNING},
};

use crate::error::Error;

/// What a root is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RootUse {
    /// Issues, signs answers and opens requests by itself: one RSA key for everything.
    Alone,
    /// Only issues; a [`registration_authority`] does the rest. The key may be EC.
    BehindRa,
}

/// A self-signed root, valid from an hour before `now` because clocks differ.
///
/// # Errors
/// [`Error::Configuration`] for a root that is to stand alone with a key that is not RSA;
/// [`Error::Pki`] where signing fails.
pub fn root(
    subject: Name,
    key: &PrivateKey,
    use_for: RootUse,
    validity: Duration,
    now: DateTime<Utc>,
) -> Result<Certificate, Error> {
    let mut usage = KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN;
    if use_for == RootUse::Alone {
        if !matches!(key.public_key().algorithm(), KeyAlgorithm::Rsa { .. }) {
            return Err(Error::Configuration(
                "a root that stands alone needs an RSA key",
            ));
        }
        usage = usage | KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_ENCIPHERMENT;
    }
    let (not_before, not_after) = window(now, validity, DateTime::<Utc>::MAX_UTC);
    Ok(CertificateBuilder::new(subject, key.public_key())
        .validity(not_before, not_after)
        .ca(Some(0))
        .key_usage(usage)
        .self_signed(key)?)
}

/// The certificate of a registration authority's RSA `key`, issued by `issuer`.
///
/// # Errors
/// [`Error::Configuration`] for a key that is not RSA; [`Error::Pki`] where signing fails.
pub fn registration_authority(
    subject: Name,
    key: &PublicKey,
    issuer: &Certificate,
    issuer_key: &PrivateKey,
    validity: Duration,
    now: DateTime<Utc>,
) -> Result<Certificate, Error> {
    if !matches!(key.algorithm(), KeyAlgorithm::Rsa { .. }) {
        return Err(Error::Configuration(
            "a registration authority needs an RSA key",
        ));
    }
    let (not_before, not_after) = window(now, validity, issuer.not_after());
    Ok(CertificateBuilder::new(subject, key)
        .validity(not_before, not_after)
        .key_usage(KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_ENCIPHERMENT)
        .sign(issuer, issuer_key)?)
}

/// The certificate of whom `issuer` delegates OCSP to (RFC 6960 section 4.2.2.2): RSA or EC, about which itself nobody need
/// ask, so that its validity should be short.
///
/// # Errors
/// [`Error::Pki`] where signing fails.
pub fn ocsp_responder(
    subject: Name,
    key: &PublicKey,
    issuer: &Certificate,
    issuer_key: &PrivateKey,
    validity: Duration,
    now: DateTime<Utc>,
) -> Result<Certificate, Error> {
    let (not_before, not_after) = window(now, validity, issuer.not_after());
    Ok(CertificateBuilder::new(subject, key)
        .validity(not_before, not_after)
        .key_usage(KeyUsage::DIGITAL_SIGNATURE)
        .extended_key_usage(&[OCSP_SIGNING])
        .extension(OCSP_NO_CHECK, false, &[5, 0])
        .sign(issuer, issuer_key)?)
}

fn window(
    now: DateTime<Utc>,
    validity: Duration,
    latest: DateTime<Utc>,
) -> (DateTime<Utc>, DateTime<Utc>) {
    let validity = TimeDelta::from_std(validity).unwrap_or(TimeDelta::MAX);
    let not_after = now.checked_add_signed(validity).unwrap_or(latest);
    (
        now.checked_sub_signed(TimeDelta::hours(1)).unwrap_or(now),
        not_after.min(latest),
    )
}
