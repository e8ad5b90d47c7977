//! Making a JWS, with a key at hand or with one that signs elsewhere.

use mdm_pki::{PrivateKey, PublicKey, SignatureAlgorithm, Signer};
use serde::Serialize;

use super::{Algorithm, FlattenedJws, Header, JwsError, KeyRef, read::signed};
use crate::acme::{base64url, jwk::Jwk};

/// Everything of a JWS but its signature.
#[derive(Debug, Clone)]
pub struct UnsignedJws {
    algorithm: Algorithm,
    protected: String,
    payload: String,
    to_sign: Vec<u8>,
}

impl UnsignedJws {
    /// A JWS with this header over this payload, which is empty for POST-as-GET.
    ///
    /// # Errors
    /// [`JwsError::Pki`] where OpenSSL fails.
    pub fn new(header: &Header, payload: &[u8]) -> Result<Self, JwsError> {
        let protected = serde_json::to_vec(&Members::of(header))
            .map_err(|_| JwsError::Configuration("the header cannot be written"))?;
        let (protected, payload) = (base64url::encode(protected), base64url::encode(payload));
        let algorithm = header.algorithm;
        let message = signed(&protected, &payload);
        Ok(Self {
            to_sign: algorithm.signature().to_sign(&message)?.into_owned(),
            algorithm,
            protected,
            payload,
        })
    }

    /// What is to be signed, as a [`Signer`] takes it: a digest, and for Ed25519 the message itself.
    pub fn to_sign(&self) -> &[u8] {
        &self.to_sign
    }

    /// How it is to be signed.
    pub fn signature_algorithm(&self) -> SignatureAlgorithm {
        self.algorithm.signature()
    }

    /// The JWS with its signature, which for ECDSA comes in DER.
    ///
    /// # Errors
    /// [`JwsError::Pki`] for a signature that is none of the algorithm.
    pub fn finish(self, signature: &[u8]) -> Result<FlattenedJws, JwsError> {
        let signature = match self.algorithm.curve() {
            Some(curve) => base64url::encode(curve.signature_to_fixed(signature)?),
            None => base64url::encode(signature),
        };
        Ok(FlattenedJws {
            protected: self.protected,
            payload: self.payload,
            signature,
        })
    }

    /// Signs with a key at hand.
    ///
    /// # Errors
    /// [`JwsError::Configuration`] for a key of another algorithm, or what went wrong.
    pub fn sign(self, key: &PrivateKey) -> Result<FlattenedJws, JwsError> {
        self.check(key.public_key())?;
        let signature = key.sign_digest(self.signature_algorithm(), &self.to_sign)?;
        self.finish(&signature)
    }

    /// Signs with a key that is asked.
    ///
    /// # Errors
    /// As [`sign`](Self::sign).
    pub async fn sign_with(self, signer: &dyn Signer) -> Result<FlattenedJws, JwsError> {
        self.check(signer.public_key())?;
        let algorithm = self.signature_algorithm();
        let signature = signer.sign(algorithm, &self.to_sign).await?;
        self.finish(&signature)
    }

    fn check(&self, key: &PublicKey) -> Result<(), JwsError> {
        match Algorithm::for_key(key) == Some(self.algorithm) {
            true => Ok(()),
            false => Err(JwsError::Configuration("the header is for another key")),
        }
    }
}

/// The header's members, in an order that does not change.
#[derive(Serialize)]
struct Members<'a> {
    alg: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwk: Option<&'a Jwk>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    url: &'a str,
}

impl<'a> Members<'a> {
    fn of(header: &'a Header) -> Self {
        let (jwk, kid) = match &header.key {
            KeyRef::Jwk(jwk) => (Some(jwk), None),
            KeyRef::Kid(kid) => (None, Some(kid.as_str())),
        };
        Self {
            alg: header.algorithm.as_str(),
            jwk,
            kid,
            nonce: header.nonce.as_deref(),
            url: &header.url,
        }
    }
}
