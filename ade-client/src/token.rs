//! The server token: the key pair that it is encrypted to, and the token itself.
//!
//! The way of a token: [`TokenKeyPair::generate`], upload of its certificate in Apple's portal,
//! download of the token file, [`TokenKeyPair::open`]. A new key pair has to be kept beside the old
//! one until its token opens ([`TokenKeyPair::open_with_any`]): until then the old key goes on signing
//! [`MaidToken`]s. Before a token takes the place of another, [`ServerToken::replaces`] tells what it
//! is to it, and `GET /account` whether it works.

mod file;
mod maid;
mod renewal;

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use mdm_core::Secret;
use mdm_pki::{Certificate, CertificateBuilder, Decrypter, KeySpec, KeyUsage, Name, PrivateKey};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

pub use maid::{MaidToken, UnsignedMaidToken};
pub use renewal::Renewal;

/// How long an upload certificate is valid. Apple reads only its key.
const VALIDITY: TimeDelta = TimeDelta::days(365);

/// The most bytes of a token file that are read; real ones have about 4 KB.
pub const MAX_TOKEN_BYTES: usize = 1024 * 1024;

/// The key pair that Apple encrypts server tokens to: RSA-2048 with a self-signed certificate.
///
/// ```
/// use ade_client::TokenKeyPair;
///
/// let pair = TokenKeyPair::generate("mdm.example.com", "2026-01-01T00:00:00Z".parse()?)?;
/// assert!(pair.certificate_pem().starts_with("-----BEGIN CERTIFICATE-----"));
/// let stored = pair.private_key_pem()?;
/// let again = TokenKeyPair::from_pem(pair.certificate_pem().as_bytes(), stored.as_bytes())?;
/// assert_eq!(again.certificate_pem(), pair.certificate_pem());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct TokenKeyPair {
    key: PrivateKey,
    certificate: Certificate,
}

impl TokenKeyPair {
    /// Makes a new pair; `common_name` is what the portal's people see in the certificate. It is
    /// valid for a year from an hour before `now`.
    ///
    /// # Errors
    /// [`TokenError::Key`] if OpenSSL fails.
    pub fn generate(common_name: &str, now: DateTime<Utc>) -> Result<Self, TokenError> {
        let key = PrivateKey::generate(KeySpec::Rsa2048)?;
        let not_before = now - TimeDelta::hours(1);
        let certificate =
            CertificateBuilder::new(Name::from_common_name(common_name), key.public_key())
                .validity(not_before, not_before + VALIDITY)
                .key_usage(KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_ENCIPHERMENT)
                .self_signed(&key)?;
        Ok(Self { key, certificate })
    }

    /// Takes a stored pair.
    ///
    /// # Errors
    /// [`TokenError::Key`] if either cannot be read or the key is not the certificate's.
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self, TokenError> {
        let identity = mdm_pki::Identity::from_pem(certificate, key, None)?;
        Ok(Self {
            key: identity.key,
            certificate: identity.certificate,
        })
    }

    /// The certificate to upload in Apple's portal.
    pub fn certificate_pem(&self) -> String {
        self.certificate.to_pem()
    }

    /// The certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The private key to store, PKCS#8 in PEM.
    ///
    /// # Errors
    /// [`TokenError::Key`] if OpenSSL fails.
    pub fn private_key_pem(&self) -> Result<Zeroizing<String>, TokenError> {
        Ok(self.key.to_pkcs8_pem()?)
    }

    /// The private key.
    pub fn private_key(&self) -> &PrivateKey {
        &self.key
    }

    /// Opens the token file that Apple gave for this pair, whatever the file is called.
    ///
    /// # Errors
    /// [`TokenError`], which tells a file that is no token from one for another key.
    pub fn open(&self, file: &[u8]) -> Result<ServerToken, TokenError> {
        ServerToken::open(file, &self.key)
    }

    /// Opens the token file with whichever of these pairs it was made for: those that wait for their
    /// token, and the one in use. The pair that opens it belongs to the token from now on.
    ///
    /// # Errors
    /// As [`TokenKeyPair::open`]; [`TokenError::WrongKey`] if it was made for none of them.
    pub fn open_with_any<'a>(
        pairs: impl IntoIterator<Item = &'a Self>,
        file: &[u8],
    ) -> Result<(&'a Self, ServerToken), TokenError> {
        let envelope = file::envelope(file)?;
        let mut refusal = TokenError::WrongKey;
        for pair in pairs {
            match ServerToken::from_envelope(&envelope, &pair.key) {
                Ok(token) => return Ok((pair, token)),
                Err(TokenError::WrongKey) => {}
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }
}

impl fmt::Debug for TokenKeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKeyPair")
            .field("certificate", &self.certificate)
            .finish_non_exhaustive()
    }
}

/// The credentials of one server in Apple's portal.
///
/// Serialising writes the secrets, since a token has to be stored; `Debug` does not show them.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ServerToken {
    /// Names the server; as a rule the same after a renewal. `CK_` in front.
    pub consumer_key: String,
    /// Signs together with `access_secret`. `CS_` in front.
    pub consumer_secret: Secret<String>,
    /// The token that Apple looks up. `AT_` in front.
    pub access_token: Secret<String>,
    /// Signs together with `consumer_secret`. `AS_` in front.
    pub access_secret: Secret<String>,
    /// When the token ends, a year after it was downloaded. Tokens for tests may have none.
    #[serde(
        default,
        deserialize_with = "lenient_time",
        skip_serializing_if = "Option::is_none"
    )]
    pub access_token_expiry: Option<DateTime<Utc>>,
    /// Keys without a name here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl ServerToken {
    /// A token of these four values, without an end.
    pub fn new(
        consumer_key: impl Into<String>,
        consumer_secret: impl Into<String>,
        access_token: impl Into<String>,
        access_secret: impl Into<String>,
    ) -> Self {
        Self {
            consumer_key: consumer_key.into(),
            consumer_secret: Secret::new(consumer_secret.into()),
            access_token: Secret::new(access_token.into()),
            access_secret: Secret::new(access_secret.into()),
            access_token_expiry: None,
            extra: Map::new(),
        }
    }

    /// Opens a token file with the private key that its certificate was uploaded for.
    ///
    /// Taken are: the S/MIME file as downloaded, with any line ends, however its header is folded
    /// or cut off, and as part of a longer mail; bare base64; PEM; the CMS itself in BER or DER; any
    /// of these in base64 once more. Text is ASCII or UTF-8, and its base64 in lines of 40 characters
    /// or more.
    ///
    /// # Errors
    /// [`TokenError`], which tells a file that is no token from one for another key.
    pub fn open(file: &[u8], key: &PrivateKey) -> Result<Self, TokenError> {
        Self::from_envelope(&file::envelope(file)?, key)
    }

    /// As [`ServerToken::open`], with a key that lives elsewhere.
    ///
    /// # Errors
    /// As [`ServerToken::open`]; [`TokenError::Key`] if the key does not answer.
    pub async fn open_with(file: &[u8], key: &dyn Decrypter) -> Result<Self, TokenError> {
        let envelope = file::envelope(file)?;
        Self::from_message(&file::decrypt_with(&envelope, key).await?)
    }

    fn from_envelope(envelope: &[u8], key: &PrivateKey) -> Result<Self, TokenError> {
        Self::from_message(&file::decrypt(envelope, key)?)
    }

    /// Reads what a token file holds when it is decrypted: the JSON between header and markers,
    /// any of which may be missing.
    ///
    /// # Errors
    /// [`TokenError::Json`] where the credentials are not inside, [`TokenError::WrongKey`] for what is
    /// no text at all.
    pub fn from_message(message: &[u8]) -> Result<Self, TokenError> {
        Self::from_json(&file::json(message)?)
    }

    /// Reads the token's JSON, such as [`ServerToken`] writes.
    ///
    /// # Errors
    /// [`TokenError::Json`] for anything else; the text is not repeated.
    pub fn from_json(json: &[u8]) -> Result<Self, TokenError> {
        let token: Self = serde_json::from_slice(json).map_err(|_| TokenError::Json)?;
        let values = [
            token.consumer_key.as_str(),
            token.consumer_secret.expose(),
            token.access_token.expose(),
            token.access_secret.expose(),
        ];
        if values.iter().any(|value| value.is_empty()) {
            return Err(TokenError::Json);
        }
        Ok(token)
    }

    /// Whether the token's year is over at `now`; a token without an end never is.
    pub fn is_expired(&self, now: DateTime<Utc>) -> bool {
        self.access_token_expiry.is_some_and(|expiry| expiry <= now)
    }
}

impl fmt::Debug for ServerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerToken")
            .field("consumer_key", &self.consumer_key)
            .field("access_token_expiry", &self.access_token_expiry)
            .finish_non_exhaustive()
    }
}

/// Why a token could not be read. No secret is ever part of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The file is over [`MAX_TOKEN_BYTES`].
    #[error("the token file is too large")]
    TooLarge,
    /// The file is no S/MIME message, base64 or CMS.
    #[error("the file is no server token: {0}")]
    NotAToken(&'static str),
    /// The file holds CMS that cannot be read.
    #[error("the server token is damaged: {0}")]
    Damaged(String),
    /// The token was made for another key pair, or the file is damaged inside.
    #[error("the server token does not open with this key: it was made for another certificate")]
    WrongKey,
    /// What was inside is no token: JSON with the four credentials.
    #[error("the server token does not hold the credentials")]
    Json,
    /// The key pair could not be made or read.
    #[error("the key pair cannot be used: {0}")]
    Key(String),
}

impl From<mdm_pki::Error> for TokenError {
    fn from(error: mdm_pki::Error) -> Self {
        Self::Key(error.to_string())
    }
}

/// An empty or odd time is no time.
fn lenient_time<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<DateTime<Utc>>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(value
        .as_str()
        .and_then(|text| DateTime::parse_from_rfc3339(text).ok())
        .map(|time| time.to_utc()))
}

#[cfg(test)]
mod tests;
