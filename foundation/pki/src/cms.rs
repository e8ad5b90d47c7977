//! Cryptographic Message Syntax (RFC 5652): signed and enveloped data, built, read and verified.
//!
//! | Type | What it does |
//! |---|---|
//! | [`SignedDataBuilder`], [`certs_only`], [`crl_only`] | write signed data |
//! | [`SignedData`] | reads it and verifies it in layers: [`Verification`] |
//! | [`EnvelopedDataBuilder`] | writes enveloped data |
//! | [`EnvelopedData`] | reads and opens it under a [`DecryptPolicy`], with a key (RSA or on a curve) or a password |
//! | [`normalize`], [`Limits`] | BER to DER, under bounds, before anything else looks at it |

mod agreement;
mod attributes;
mod ber;
mod build;
mod cipher;
mod enveloped;
mod password;
mod signed;
mod structures;
mod trial;
mod verify;

pub use ber::{BerError, Limits, normalize};
pub use build::{SignedDataBuilder, UnsignedSignedData, certs_only, crl_only};
pub use cipher::ContentCipher;
pub use enveloped::{DecryptPolicy, EnvelopedData, EnvelopedDataBuilder, Recipient};
pub use signed::{SignedData, SignerInfo};
pub use verify::{SignerPurpose, Verification, Verify, VerifyError};

pub(crate) use signed::{
    certificates, check_counts, find_signer, signature_algorithm, signed_digest,
};
pub(crate) use structures::{SignedDataBody, SignerInfoBody, body};

use crate::{error::Error, oid::Oid, pem};

/// The content type of a CMS message given as DER, BER, PEM or base64: [`crate::oid::SIGNED_DATA`],
/// [`crate::oid::ENVELOPED_DATA`] or another.
///
/// # Errors
/// [`Error::Malformed`] and [`Error::Ber`] for what is no CMS message.
pub fn content_type(bytes: &[u8], limits: &Limits) -> Result<Oid, Error> {
    let bytes = pem::unwrap("CMS message", bytes)?;
    let der = normalize(&bytes, limits)?;
    structures::content_info("CMS message", &der)?.0.oid()
}
