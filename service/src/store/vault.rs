//! Secrets of the server itself, by name.

use std::{fmt, str::FromStr};

use async_trait::async_trait;

use super::StoreError;

/// Keys and identities of the server itself, such as that of an authority, so that all nodes on one
/// database have the same. What is kept here is sealed by whoever keeps it: [`Vault`](crate::Vault).
///
/// Nothing is ever deleted. None of the methods depends on a clock.
#[async_trait]
pub trait VaultStore: fmt::Debug + Send + Sync {
    /// What lies under this name.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot answer.
    async fn secret(&self, name: &SecretName) -> Result<Option<Vec<u8>>, StoreError>;

    /// Puts `sealed` there if nothing is; answers what lies there now. Of many who put something there at
    /// once one succeeds, and all are answered the same.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed: then it is as it was.
    async fn put_secret(&self, name: &SecretName, sealed: Vec<u8>) -> Result<Vec<u8>, StoreError>;

    /// Puts `sealed` in the place of `former`; whether that still lay there, byte for byte.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed: then it is as it was.
    async fn replace_secret(
        &self,
        name: &SecretName,
        former: &[u8],
        sealed: Vec<u8>,
    ) -> Result<bool, StoreError>;

    /// The names under which something lies, in their order, after `after`, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot answer.
    async fn secret_names(
        &self,
        after: Option<&SecretName>,
        limit: usize,
    ) -> Result<Vec<SecretName>, StoreError>;
}

/// The name of a secret of the server: 1 to 64 of the characters `a` to `z`, `0` to `9`, `-`, `_` and `.`,
/// sorted byte by byte.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretName(String);

impl SecretName {
    /// Most characters of a name.
    pub const MAX: usize = 64;

    /// Takes a name.
    ///
    /// # Errors
    /// [`InvalidSecretName`] for any that is too long, empty, or has other characters.
    pub fn new(name: impl Into<String>) -> Result<Self, InvalidSecretName> {
        let name = name.into();
        let takes = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
        if name.is_empty() || name.len() > Self::MAX || !name.bytes().all(takes) {
            return Err(InvalidSecretName);
        }
        Ok(Self(name))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SecretName {
    type Err = InvalidSecretName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::new(name)
    }
}

/// No name of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to 64 of the characters a to z, 0 to 9, '-', '_' and '.'")]
pub struct InvalidSecretName;
