//! External account binding: the one JWS with a MAC, inside a request for a new account (RFC 8555 section 7.3.4).

use std::fmt;

use mdm_core::Secret;
use mdm_pki::{DigestAlgorithm, digest::constant_time_eq, hmac};
use serde::Serialize;

use super::{
    FlattenedJws, JwsError, JwsLimits,
    read::{RawHeader, part, signed},
};
use crate::acme::{base64url, jwk::Jwk};

/// The shortest MAC key, in bytes (RFC 7518 section 3.2).
const MIN_MAC_KEY: usize = 32;

const HS256: &str = "HS256";

/// A key that the server's operator gave to someone out of band, and its name.
#[derive(Clone, PartialEq, Eq)]
pub struct ExternalAccountKey {
    kid: String,
    key: Secret<Vec<u8>>,
}

impl ExternalAccountKey {
    /// A key of at least 32 bytes and its name.
    ///
    /// # Errors
    /// [`JwsError::Configuration`] for a shorter key or no name.
    pub fn new(kid: impl Into<String>, key: Secret<Vec<u8>>) -> Result<Self, JwsError> {
        let kid = kid.into();
        if kid.is_empty() || key.expose().len() < MIN_MAC_KEY {
            return Err(JwsError::Configuration(
                "an external account needs a name and a key of at least 32 bytes",
            ));
        }
        Ok(Self { kid, key })
    }

    /// A key in base64url, as operators hand it out, and its name.
    ///
    /// # Errors
    /// As [`new`](Self::new); also for what is no base64url.
    pub fn from_base64url(kid: impl Into<String>, key: &str) -> Result<Self, JwsError> {
        let key = base64url::decode(key.trim().trim_end_matches('='))
            .map(Secret::new)
            .ok_or(JwsError::Configuration("the MAC key is no base64url"))?;
        Self::new(kid, key)
    }

    /// The key's name.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Binds an account's key in a request to this `newAccount` URL.
    ///
    /// # Errors
    /// [`JwsError::Pki`] where OpenSSL fails.
    pub fn bind(&self, account: &Jwk, url: &str) -> Result<FlattenedJws, JwsError> {
        let header = Header {
            alg: HS256,
            kid: &self.kid,
            url,
        };
        let write = |json: serde_json::Result<Vec<u8>>| {
            json.map(base64url::encode)
                .map_err(|_| JwsError::Configuration("the binding cannot be written"))
        };
        let protected = write(serde_json::to_vec(&header))?;
        let payload = write(serde_json::to_vec(account))?;
        let mac = self.mac(&signed(&protected, &payload))?;
        Ok(FlattenedJws {
            protected,
            payload,
            signature: base64url::encode(mac),
        })
    }

    pub(super) fn mac(&self, signed: &[u8]) -> Result<Vec<u8>, JwsError> {
        let mac = hmac(DigestAlgorithm::Sha256, self.key.expose(), signed);
        Ok(mac?)
    }
}

impl fmt::Debug for ExternalAccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExternalAccountKey")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    kid: &'a str,
    url: &'a str,
}

/// A binding that is read and not verified: it says whose key to verify it with.
#[derive(Debug, Clone)]
pub struct ExternalAccountBinding {
    kid: String,
    url: String,
    account: Jwk,
    signed: Vec<u8>,
    mac: Vec<u8>,
}

impl ExternalAccountBinding {
    /// Reads the `externalAccountBinding` of a request.
    ///
    /// # Errors
    /// [`JwsError::Algorithm`] for another algorithm than HS256, [`JwsError::Key`] for what is no key inside,
    /// [`JwsError::Malformed`] also for a nonce or a `jwk` in the header, [`JwsError::TooLarge`].
    pub fn parse(jws: &FlattenedJws, limits: &JwsLimits) -> Result<Self, JwsError> {
        let header = RawHeader::read(jws, limits)?;
        if header.alg != HS256 {
            return Err(JwsError::Algorithm);
        }
        let (Some(kid), None, None) = (header.kid, header.jwk, header.nonce) else {
            return Err(JwsError::Malformed(
                "the binding has no kid, or a jwk or nonce",
            ));
        };
        let payload = part(&jws.payload, "the payload is no base64url")?;
        Ok(Self {
            kid,
            url: header.url,
            account: Jwk::from_json(&payload)?,
            signed: signed(&jws.protected, &jws.payload),
            mac: part(&jws.signature, "the MAC is no base64url")?,
        })
    }

    /// The name of the key; nobody has verified it.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Verifies that the holder of `key` has bound the key `account` in a request to `url`.
    ///
    /// # Errors
    /// [`JwsError::Signature`] for another MAC, [`JwsError::Malformed`] for another account's key or URL.
    pub fn verify(
        &self,
        key: &ExternalAccountKey,
        account: &Jwk,
        url: &str,
    ) -> Result<(), JwsError> {
        let matches = constant_time_eq(&key.mac(&self.signed)?, &self.mac);
        if !matches || key.kid != self.kid {
            return Err(JwsError::Signature);
        }
        if self.url != url || self.account != *account {
            return Err(JwsError::Malformed(
                "the binding is of another key or request",
            ));
        }
        Ok(())
    }
}
