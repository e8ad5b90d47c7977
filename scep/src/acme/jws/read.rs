//! Reading and verifying.

use serde::{Deserialize, de::IgnoredAny};

use super::{Algorithm, FlattenedJws, Header, JwsError, JwsLimits, KeyRef};
use crate::acme::{
    base64url,
    json::{self, Object, present},
    jwk::{Jwk, RawJwk},
};

/// A JWS that is read and not verified: its header may be looked at, in order to find the key.
#[derive(Debug, Clone)]
pub struct Jws {
    header: Header,
    signed: Vec<u8>,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// A JWS whose signature holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifiedJws {
    /// The protected header.
    pub header: Header,
    /// The key that it is signed with.
    pub key: Jwk,
    /// What is signed; empty for POST-as-GET.
    pub payload: Vec<u8>,
}

impl Jws {
    /// Reads the body of a request: a JWS with a nonce.
    ///
    /// # Errors
    /// [`JwsError`] for anything else than RFC 8555 section 6.2 prescribes: another form, an algorithm or key that is not
    /// taken, a critical or unencoded header, both or neither of `jwk` and `kid`, no nonce.
    pub fn parse(body: &[u8], limits: &JwsLimits) -> Result<Self, JwsError> {
        let jws = Self::read(&FlattenedJws::from_json(body, limits)?, limits)?;
        match jws.header.nonce {
            Some(_) => Ok(jws),
            None => Err(JwsError::Malformed("nonce is missing")),
        }
    }

    /// Reads the payload of a key change: a JWS of the new key, without a nonce (RFC 8555 section 7.3.5).
    ///
    /// # Errors
    /// As [`parse`](Self::parse); also for a `kid` and for a nonce.
    pub fn parse_inner(payload: &[u8], limits: &JwsLimits) -> Result<Self, JwsError> {
        let jws = Self::read(&FlattenedJws::from_json(payload, limits)?, limits)?;
        match jws.header {
            Header {
                nonce: None,
                key: KeyRef::Jwk(_),
                ..
            } => Ok(jws),
            _ => Err(JwsError::Malformed(
                "the inner JWS has a nonce, or no key of its own",
            )),
        }
    }

    fn read(jws: &FlattenedJws, limits: &JwsLimits) -> Result<Self, JwsError> {
        let raw = RawHeader::read(jws, limits)?;
        let algorithm = Algorithm::from_name(&raw.alg).ok_or(JwsError::Algorithm)?;
        let key = match (raw.jwk, raw.kid) {
            (Some(Object(jwk)), None) => KeyRef::Jwk(Jwk::from_raw(jwk)?),
            (None, Some(kid)) => KeyRef::Kid(kid),
            _ => return Err(JwsError::Malformed("both or neither of jwk and kid")),
        };
        let nonce = raw.nonce;
        if nonce.as_ref().is_some_and(|it| !is_nonce(it)) {
            return Err(JwsError::Malformed("the nonce is no base64url"));
        }
        Ok(Self {
            header: Header {
                algorithm,
                key,
                nonce,
                url: raw.url,
            },
            signed: signed(&jws.protected, &jws.payload),
            payload: part(&jws.payload, "the payload is no base64url")?,
            signature: part(&jws.signature, "the signature is no base64url")?,
        })
    }

    /// The protected header; nobody has verified it.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Verifies the signature: with the key inside, where there is one, which has to be this key then.
    ///
    /// # Errors
    /// [`JwsError::Algorithm`] for an algorithm that is not the key's, [`JwsError::Signature`].
    pub fn verify(self, key: &Jwk) -> Result<VerifiedJws, JwsError> {
        let algorithm = self.header.algorithm;
        if Algorithm::for_key(key.key()) != Some(algorithm) {
            return Err(JwsError::Algorithm);
        }
        if matches!(&self.header.key, KeyRef::Jwk(inside) if inside != key) {
            return Err(JwsError::Signature);
        }
        let der = match algorithm.curve() {
            Some(curve) => curve
                .signature_from_fixed(&self.signature)
                .map_err(|_| JwsError::Signature)?,
            None => self.signature,
        };
        key.key()
            .verify(algorithm.signature(), &self.signed, &der)
            .map_err(|error| match error {
                mdm_pki::Error::BadSignature => JwsError::Signature,
                other => other.into(),
            })?;
        Ok(VerifiedJws {
            header: self.header,
            key: key.clone(),
            payload: self.payload,
        })
    }

    /// Verifies the signature with the key inside.
    ///
    /// # Errors
    /// As [`verify`](Self::verify); [`JwsError::Malformed`] where the header names an account.
    pub fn verify_own_key(self) -> Result<VerifiedJws, JwsError> {
        match &self.header.key {
            KeyRef::Jwk(key) => {
                let key = key.clone();
                self.verify(&key)
            }
            KeyRef::Kid(_) => Err(JwsError::Malformed("jwk is missing")),
        }
    }
}

impl VerifiedJws {
    /// Whether this is a POST-as-GET (RFC 8555 section 6.3).
    pub fn is_post_as_get(&self) -> bool {
        self.payload.is_empty()
    }
}

/// The members of a protected header that are looked at.
#[derive(Deserialize)]
pub(super) struct RawHeader {
    pub(super) alg: String,
    pub(super) url: String,
    #[serde(default, deserialize_with = "present")]
    pub(super) nonce: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) jwk: Option<Object<RawJwk>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) kid: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    b64: Option<IgnoredAny>,
}

impl RawHeader {
    pub(super) fn read(jws: &FlattenedJws, limits: &JwsLimits) -> Result<Self, JwsError> {
        JwsError::within("protected header", jws.protected.len(), limits.header)?;
        let json = part(&jws.protected, "the protected header is no base64url")?;
        let header: Self = json::read(&json)
            .map_err(|_| JwsError::Malformed("the protected header is not of the right form"))?;
        if header.crit.is_some() || header.b64.is_some() {
            // RFC 7515 section 4.1.11 and RFC 8555 section 6.2: nothing critical is known, and nothing is unencoded.
            return Err(JwsError::Malformed("a critical or unencoded header"));
        }
        for (what, text) in [
            ("url", Some(&header.url)),
            ("nonce", header.nonce.as_ref()),
            ("kid", header.kid.as_ref()),
        ] {
            JwsError::within(what, text.map_or(0, String::len), limits.text)?;
        }
        Ok(header)
    }
}

/// What the signature is over (RFC 7515 section 5.1).
pub(super) fn signed(protected: &str, payload: &str) -> Vec<u8> {
    [protected, ".", payload].concat().into_bytes()
}

pub(super) fn part(text: &str, wrong: &'static str) -> Result<Vec<u8>, JwsError> {
    base64url::decode(text).ok_or(JwsError::Malformed(wrong))
}

/// RFC 8555 section 6.5.1: characters of base64url, whatever they stand for.
pub(in crate::acme) fn is_nonce(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !text.is_empty() && text.bytes().all(known)
}
