//! Public keys in JSON (RFC 7517; RFC 7518 section 6; RFC 8037) and their thumbprints (RFC 7638).

use std::fmt;

use mdm_pki::{
    Curve, DigestAlgorithm, KeyAlgorithm, KeyComponents, PublicKey, digest,
    digest::constant_time_eq,
};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, IgnoredAny},
    ser::SerializeMap as _,
};

use super::{
    base64url,
    json::{self, Object, present},
};

/// The smallest RSA key that is taken, in bits.
pub const MIN_RSA_BITS: usize = 2048;
/// The largest one, in bits: a signature is verified before it is known whose it is.
pub const MAX_RSA_BITS: usize = 8192;

/// The public key of an account: RSA of 2048 to 8192 bits, a point of P-256, P-384 or P-521, or Ed25519.
///
/// Read from JSON strictly: what makes the key stands once and in its one form, and a private key is none. Members that
/// do not make the key (`alg`, `use`, `kid`) are passed over. Two are equal where the keys are.
#[derive(Clone)]
pub struct Jwk {
    key: PublicKey,
    components: KeyComponents,
    thumbprint: Thumbprint,
}

/// Why something is no [`Jwk`].
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum JwkError {
    /// It is no object of the right form.
    #[error("the key is malformed: {0}")]
    Malformed(&'static str),
    /// It has the secret half of a key, which nobody should have sent.
    #[error("the key is a private one")]
    Private,
    /// A kind of key, curve or size that is not taken.
    #[error("the key is of a kind or size that is not taken")]
    Unsupported,
    /// OpenSSL takes its numbers for no key.
    #[error(transparent)]
    Pki(#[from] mdm_pki::Error),
}

impl Jwk {
    /// A public key as JWK.
    ///
    /// # Errors
    /// [`JwkError::Unsupported`] for another kind or size, [`JwkError::Pki`] for a point that is not on its curve.
    pub fn new(key: &PublicKey) -> Result<Self, JwkError> {
        match key.algorithm() {
            KeyAlgorithm::Rsa { .. } | KeyAlgorithm::Ec(_) | KeyAlgorithm::Ed25519 => {
                Self::from_components(&key.components()?)
            }
            _ => Err(JwkError::Unsupported),
        }
    }

    fn from_components(components: &KeyComponents) -> Result<Self, JwkError> {
        let key = PublicKey::from_components(components)?;
        if let KeyAlgorithm::Rsa { bits } = key.algorithm()
            && !(MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits)
        {
            return Err(JwkError::Unsupported);
        }
        let components = key.components()?;
        let json = serde_json::to_vec(&Members(&components))
            .map_err(|_| JwkError::Malformed("cannot be written"))?;
        let thumbprint = Thumbprint::of(&json)?;
        Ok(Self {
            key,
            components,
            thumbprint,
        })
    }

    /// Reads a key from JSON.
    ///
    /// # Errors
    /// [`JwkError`], which tells a key that is not taken from one that is malformed.
    pub fn from_json(json: &[u8]) -> Result<Self, JwkError> {
        let raw: RawJwk =
            json::read(json).map_err(|_| JwkError::Malformed("not an object with text members"))?;
        Self::from_raw(raw)
    }

    pub(super) fn from_raw(raw: RawJwk) -> Result<Self, JwkError> {
        let secret = [raw.d, raw.p, raw.q, raw.dp, raw.dq, raw.qi, raw.oth, raw.k];
        if secret.iter().any(Option::is_some) {
            return Err(JwkError::Private);
        }
        let components = match raw.kty.as_deref() {
            Some("RSA") => KeyComponents::rsa(number(raw.n)?, number(raw.e)?),
            Some("EC") => {
                let crv = raw.crv.ok_or(JwkError::Malformed("crv is missing"))?;
                let curve = curve(&crv).ok_or(JwkError::Unsupported)?;
                let (x, y) = (number(raw.x)?, number(raw.y)?);
                // RFC 7518 section 6.2.1.2: at full length.
                if [&x, &y].iter().any(|it| it.len() != curve.coordinate_len()) {
                    return Err(JwkError::Malformed("a coordinate of another length"));
                }
                KeyComponents::ec(curve, x, y)
            }
            // RFC 8037 section 2; X25519 signs nothing, and Ed448 nobody asks for.
            Some("OKP") => match raw.crv.as_deref() {
                Some("Ed25519") => KeyComponents::ed25519(number(raw.x)?),
                Some(_) => return Err(JwkError::Unsupported),
                None => return Err(JwkError::Malformed("crv is missing")),
            },
            Some(_) => return Err(JwkError::Unsupported),
            None => return Err(JwkError::Malformed("kty is missing")),
        };
        Self::from_components(&components).map_err(|error| match error {
            // Sizes beyond what is calculated with at all.
            JwkError::Pki(mdm_pki::Error::Unsupported { .. }) => JwkError::Unsupported,
            other => other,
        })
    }

    /// The key.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The key's name: the SHA-256 of its canonical form (RFC 7638).
    pub fn thumbprint(&self) -> Thumbprint {
        self.thumbprint
    }

    /// A challenge's token bound to the key: `token.thumbprint` (RFC 8555 section 8.1).
    pub fn key_authorization(&self, token: &str) -> String {
        format!("{token}.{}", self.thumbprint)
    }
}

impl PartialEq for Jwk {
    fn eq(&self, other: &Self) -> bool {
        self.components == other.components
    }
}

impl Eq for Jwk {}

impl fmt::Debug for Jwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Jwk({:?}, {})", self.key.algorithm(), self.thumbprint)
    }
}

/// Written in the canonical form: what makes the key, in the order of the alphabet.
impl Serialize for Jwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Members(&self.components).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Jwk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_raw(Object::deserialize(deserializer)?.0).map_err(D::Error::custom)
    }
}

/// The SHA-256 thumbprint of a key, shown in base64url.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Thumbprint([u8; 32]);

impl Thumbprint {
    fn of(json: &[u8]) -> Result<Self, JwkError> {
        let digest = digest(DigestAlgorithm::Sha256, json)?;
        let digest = <[u8; 32]>::try_from(digest.as_slice());
        digest
            .map(Self)
            .map_err(|_| JwkError::Malformed("cannot be digested"))
    }

    /// A thumbprint that was kept.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether a text is this thumbprint, in a time that does not depend on it.
    pub fn is(&self, text: &str) -> bool {
        constant_time_eq(self.to_string().as_bytes(), text.as_bytes())
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url::encode(self.0))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Thumbprint({self})")
    }
}

/// A key's members as they came. What is not named here does not make a key.
#[derive(Deserialize)]
pub(super) struct RawJwk {
    #[serde(default, deserialize_with = "present")]
    kty: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crv: Option<String>,
    #[serde(default, deserialize_with = "present")]
    x: Option<String>,
    #[serde(default, deserialize_with = "present")]
    y: Option<String>,
    #[serde(default, deserialize_with = "present")]
    n: Option<String>,
    #[serde(default, deserialize_with = "present")]
    e: Option<String>,
    #[serde(default, deserialize_with = "present")]
    d: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    p: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    q: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    dp: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    dq: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    qi: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    oth: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    k: Option<IgnoredAny>,
}

/// The members that make a key (RFC 7638 section 3.2, RFC 8037 section 2), in their order.
struct Members<'a>(&'a KeyComponents);

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self.0 {
            KeyComponents::Ec { curve, x, y } => {
                map.serialize_entry("crv", crv(*curve))?;
                map.serialize_entry("kty", "EC")?;
                map.serialize_entry("x", &base64url::encode(x))?;
                map.serialize_entry("y", &base64url::encode(y))?;
            }
            KeyComponents::Ed25519 { x } => {
                map.serialize_entry("crv", "Ed25519")?;
                map.serialize_entry("kty", "OKP")?;
                map.serialize_entry("x", &base64url::encode(x))?;
            }
            KeyComponents::Rsa { modulus, exponent } => {
                map.serialize_entry("e", &base64url::encode(exponent))?;
                map.serialize_entry("kty", "RSA")?;
                map.serialize_entry("n", &base64url::encode(modulus))?;
            }
            _ => return Err(serde::ser::Error::custom("a key of an unknown kind")),
        }
        map.end()
    }
}

/// Leading zeros of an RSA number, which some write, change neither key nor thumbprint.
fn number(text: Option<String>) -> Result<Vec<u8>, JwkError> {
    text.and_then(|text| base64url::decode(&text))
        .ok_or(JwkError::Malformed("a number is missing or no base64url"))
}

fn crv(curve: Curve) -> &'static str {
    match curve {
        Curve::P256 => "P-256",
        Curve::P384 => "P-384",
        Curve::P521 => "P-521",
        _ => "",
    }
}

fn curve(crv: &str) -> Option<Curve> {
    match crv {
        "P-256" => Some(Curve::P256),
        "P-384" => Some(Curve::P384),
        "P-521" => Some(Curve::P521),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
