//! The token that a device asks for with `GetToken` when somebody signs in with a Managed Apple Account:
//! a JWT (RFC 7519) of the organization's server, signed with RS256 (RFC 7518).
//!
//! <https://developer.apple.com/documentation/devicemanagement/get-token>

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use mdm_pki::{DigestAlgorithm, KeyError, PrivateKey, SignatureAlgorithm, Signer, digest};
use serde::Serialize;

use crate::Error;

/// What a MAID token says. Apple takes each `jti` once, and only for a while after `iat`, so one is
/// made for each `GetToken`.
///
/// It is signed with the key that the server token in use was encrypted to: the key of a
/// [`TokenKeyPair`](crate::TokenKeyPair), wherever it lives.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct MaidToken {
    /// The server: [`Account::server_uuid`](crate::model::Account::server_uuid).
    pub iss: String,
    /// When it is made, in seconds since 1970.
    pub iat: i64,
    /// A name that no other token has: a random UUID.
    pub jti: String,
    /// What the device asked a token for.
    pub service_type: String,
}

impl MaidToken {
    /// `TokenServiceType` of the requests that are answered so.
    pub const SERVICE_TYPE: &'static str = "com.apple.maid";

    const ALGORITHM: SignatureAlgorithm = SignatureAlgorithm::RsaPkcs1Sha256;

    /// A token of this server, made at `now`.
    ///
    /// # Errors
    /// [`Error::Signing`] if OpenSSL has no randomness.
    pub fn new(server_uuid: impl Into<String>, now: DateTime<Utc>) -> Result<Self, Error> {
        Ok(Self {
            iss: server_uuid.into(),
            iat: now.timestamp(),
            jti: random_uuid()?,
            service_type: Self::SERVICE_TYPE.to_owned(),
        })
    }

    /// Everything but the signature, for a key that neither [`MaidToken::sign`] nor
    /// [`MaidToken::sign_with`] reaches.
    ///
    /// # Errors
    /// [`Error::Signing`] if OpenSSL offers no SHA-256.
    pub fn prepare(&self) -> Result<UnsignedMaidToken, Error> {
        let claims = serde_json::to_vec(self).map_err(mdm_transport::BuildError::body)?;
        let text = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","typ":"JWT"}"#),
            URL_SAFE_NO_PAD.encode(claims),
        );
        let digest = digest(DigestAlgorithm::Sha256, text.as_bytes())?;
        Ok(UnsignedMaidToken { text, digest })
    }

    /// Signs with a key at hand.
    ///
    /// # Errors
    /// [`Error::Signing`] if the key is not RSA or OpenSSL fails.
    pub fn sign(&self, key: &PrivateKey) -> Result<String, Error> {
        let unsigned = self.prepare()?;
        let signature = key.sign_digest(Self::ALGORITHM, unsigned.digest());
        Ok(unsigned.finish(&signature.map_err(mdm_pki::Error::from)?))
    }

    /// Signs with a key that lives elsewhere.
    ///
    /// # Errors
    /// [`Error::Signing`] if the key is not RSA or does not answer.
    pub async fn sign_with(&self, signer: &dyn Signer) -> Result<String, Error> {
        if !signer.algorithms().contains(&Self::ALGORITHM) {
            return Err(mdm_pki::Error::from(KeyError::UnsupportedAlgorithm).into());
        }
        let unsigned = self.prepare()?;
        let signature = signer.sign(Self::ALGORITHM, unsigned.digest()).await;
        Ok(unsigned.finish(&signature.map_err(mdm_pki::Error::from)?))
    }
}

/// A MAID token that waits for its signature.
#[derive(Debug, Clone)]
pub struct UnsignedMaidToken {
    text: String,
    digest: Vec<u8>,
}

impl UnsignedMaidToken {
    /// What has to be signed: a SHA-256 digest.
    pub fn digest(&self) -> &[u8] {
        &self.digest
    }

    /// How it has to be signed: RSASSA-PKCS1-v1_5.
    pub fn algorithm(&self) -> SignatureAlgorithm {
        MaidToken::ALGORITHM
    }

    /// Adds the signature, which is not verified here: what the device is answered with.
    pub fn finish(self, signature: &[u8]) -> String {
        format!("{}.{}", self.text, URL_SAFE_NO_PAD.encode(signature))
    }
}

/// A version 4 UUID (RFC 9562, section 5.4).
fn random_uuid() -> Result<String, mdm_pki::Error> {
    let random = u128::from_be_bytes(mdm_pki::random()?);
    let bits = random & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let mut text = format!("{bits:032x}");
    for at in [20, 16, 12, 8] {
        text.insert(at, '-');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use mdm_pki::KeySpec;
    use serde_json::{Value, json};

    use super::*;

    fn part(token: &str, index: usize) -> Value {
        let part = token.split('.').nth(index).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn both_ways_of_signing_give_the_same_token_with_its_claims() {
        let key = PrivateKey::generate(KeySpec::Rsa2048).unwrap();
        let now = "2026-01-02T03:04:05Z".parse().unwrap();
        let token = MaidToken::new("677CAB70FE18E2D0B2F1A3C4D5E6F708", now).unwrap();
        let signed = token.sign(&key).unwrap();
        assert_eq!(token.sign_with(&key).await.unwrap(), signed);
        let unsigned = token.prepare().unwrap();
        let signature = key
            .sign_digest(unsigned.algorithm(), unsigned.digest())
            .unwrap();
        assert_eq!(unsigned.finish(&signature), signed);
        assert_eq!(part(&signed, 0), json!({"alg": "RS256", "typ": "JWT"}));
        assert_eq!(
            part(&signed, 1),
            json!({
                "iss": "677CAB70FE18E2D0B2F1A3C4D5E6F708",
                "iat": 1_767_323_045,
                "jti": token.jti,
                "service_type": "com.apple.maid",
            })
        );
    }

    #[tokio::test]
    async fn a_key_of_another_kind_is_refused() {
        let key = PrivateKey::generate(KeySpec::P256).unwrap();
        let token = MaidToken::new("S", Utc::now()).unwrap();
        assert!(matches!(token.sign(&key), Err(Error::Signing(_))));
        assert!(matches!(
            token.sign_with(&key).await,
            Err(Error::Signing(_))
        ));
    }

    #[test]
    fn names_are_uuids_and_never_the_same() {
        let names: HashSet<_> = (0..100).map(|_| random_uuid().unwrap()).collect();
        assert_eq!(names.len(), 100);
        for name in names {
            let groups: Vec<_> = name.split('-').map(str::len).collect();
            assert_eq!(groups, [8, 4, 4, 4, 12]);
            assert_eq!(&name[14..15], "4");
            assert!("89ab".contains(&name[19..20]));
        }
    }
}
