//! Values that must not leak: overwritten when dropped, never printed, reached only through `expose`.

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::{Zeroize, Zeroizing};

/// A secret value: overwritten when dropped, printed as `[redacted]`.
///
/// Serialising writes the value itself, since a secret has to travel to the peer or the store that
/// it is meant for. Equality takes time that depends on the value; compare secrets that an
/// attacker may probe with a constant-time function instead.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret<T: Zeroize>(Zeroizing<T>);

impl<T: Zeroize> Secret<T> {
    /// Takes the value in.
    pub fn new(value: T) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The value, for the one place that needs it.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<T: Zeroize + Serialize> Serialize for Secret<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: Zeroize + Deserialize<'de>> Deserialize<'de> for Secret<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::new)
    }
}

/// The device's address at Apple's push service, from `TokenUpdate`.
///
/// Opaque bytes of no fixed length (32 today; Apple documents none).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushToken(Secret<Vec<u8>>);

impl PushToken {
    /// Takes the token's bytes as the device sent them.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Secret::new(bytes.into()))
    }

    /// The bytes, for the request path of a push and for the store.
    pub fn expose(&self) -> &[u8] {
        self.0.expose()
    }
}

impl Hash for PushToken {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.expose().hash(state);
    }
}

/// The word that a device expects inside each of its pushes, from `TokenUpdate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PushMagic(Secret<String>);

impl PushMagic {
    /// Takes the word as the device sent it.
    pub fn new(magic: impl Into<String>) -> Self {
        Self(Secret::new(magic.into()))
    }

    /// The word, for the body of a push and for the store.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_never_reach_debug_output() {
        let shown = format!(
            "{:?} {:?} {:?}",
            Secret::new("hunter2".to_owned()),
            PushToken::new(*b"hunter2"),
            PushMagic::new("hunter2"),
        );
        assert_eq!(
            shown,
            "[redacted] PushToken([redacted]) PushMagic([redacted])"
        );
    }

    #[test]
    fn a_secret_travels_through_serde_as_its_value() {
        let json = serde_json::to_string(&PushMagic::new("abc")).unwrap();
        assert_eq!(json, r#""abc""#);
        let back: PushMagic = serde_json::from_str(&json).unwrap();
        assert_eq!(back.expose(), "abc");
    }
}
