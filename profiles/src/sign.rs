//! Signing: DER CMS around the profile's bytes, SHA-256, with the intermediates.

use chrono::{DateTime, Utc};
use mdm_pki::{Certificate, DigestAlgorithm, Identity, Signer, cms::SignedDataBuilder};

use crate::{error::Error, profile::Profile};

/// The content type under which a profile is served, signed or not.
pub const CONTENT_TYPE: &str = "application/x-apple-aspen-config";

/// Signs a profile with a key at hand.
///
/// `now` becomes the signing time; the same input gives the same bytes where the key signs without
/// randomness (RSA).
///
/// # Errors
/// [`Error::Plist`] and [`Error::Crypto`].
pub fn sign(profile: &Profile, identity: &Identity, now: DateTime<Utc>) -> Result<Vec<u8>, Error> {
    sign_bytes(&profile.to_xml()?, identity, now)
}

/// Signs a profile that has been written already, such as one that somebody else made.
///
/// # Errors
/// [`Error::Crypto`].
pub fn sign_bytes(
    profile: &[u8],
    identity: &Identity,
    now: DateTime<Utc>,
) -> Result<Vec<u8>, Error> {
    let builder = builder(profile, &identity.certificate, &identity.chain, now);
    Ok(builder.sign(&identity.key)?)
}

/// Signs a profile with a key that lies elsewhere, such as in a KMS.
///
/// # Errors
/// [`Error::Crypto`], also where the signer's key is not the certificate's.
pub async fn sign_with(
    profile: &Profile,
    certificate: &Certificate,
    chain: &[Certificate],
    signer: &dyn Signer,
    now: DateTime<Utc>,
) -> Result<Vec<u8>, Error> {
    let bytes = profile.to_xml()?;
    Ok(builder(&bytes, certificate, chain, now)
        .sign_with(signer)
        .await?)
}

fn builder<'a>(
    profile: &'a [u8],
    certificate: &'a Certificate,
    chain: &'a [Certificate],
    now: DateTime<Utc>,
) -> SignedDataBuilder<'a> {
    SignedDataBuilder::new(profile)
        .signer(certificate, DigestAlgorithm::Sha256)
        .chain(chain)
        .signing_time(now)
}
