//! The server's own keys and identities, sealed.

use mdm_core::{Secret, StoreError, StoreErrorKind};
use mdm_pki::seal::SealingKeys;

use crate::store::{SecretName, VaultStore};

/// How often a change is asked for again that another one came before.
const ATTEMPTS: usize = 8;

/// Secrets of the server itself in a store that sees them sealed, each bound to its name. All nodes on one
/// store agree on them: of many that make one at once one is kept.
///
/// ```
/// use mdm_core::Secret;
/// use mdm_pki::seal::{SealingKey, SealingKeys};
/// use mdm_service::{MemoryStore, Vault, store::SecretName};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let vault = Vault::new(MemoryStore::new(), SealingKeys::new(SealingKey::generate()?));
/// let name = SecretName::new("authority")?;
/// assert!(vault.get(&name).await?.is_none());
/// let kept = vault.put(&name, b"a key").await?;
/// // Another node, a moment later.
/// assert_eq!(vault.put(&name, b"another key").await?, kept);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Vault<S> {
    store: S,
    keys: SealingKeys,
}

impl<S: VaultStore> Vault<S> {
    /// Seals what goes into `store`, and opens what comes out of it.
    pub fn new(store: S, keys: SealingKeys) -> Self {
        Self { store, keys }
    }

    /// What lies under this name.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot answer; [`Corrupt`](StoreErrorKind::Corrupt) with an
    /// [`mdm_pki::Error`] as its source if none of the keys opens it.
    pub async fn get(&self, name: &SecretName) -> Result<Option<Secret<Vec<u8>>>, StoreError> {
        let found = self.store.secret(name).await?;
        found.map(|sealed| self.open(name, &sealed)).transpose()
    }

    /// Puts a secret there if nothing is; answers what lies there now.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn put(
        &self,
        name: &SecretName,
        plain: &[u8],
    ) -> Result<Secret<Vec<u8>>, StoreError> {
        let sealed = self.seal(name, plain)?;
        let kept = self.store.put_secret(name, sealed).await?;
        self.open(name, &kept)
    }

    /// Puts a secret there, in the place of what was; whether that was another or none.
    ///
    /// # Errors
    /// As [`get`](Self::get); [`Locked`](StoreErrorKind::Locked) if others change it all the time.
    pub async fn replace(&self, name: &SecretName, plain: &[u8]) -> Result<bool, StoreError> {
        for _ in 0..ATTEMPTS {
            let Some(former) = self.store.secret(name).await? else {
                let sealed = self.seal(name, plain)?;
                if self.store.put_secret(name, sealed.clone()).await? == sealed {
                    return Ok(true);
                }
                continue;
            };
            if self.open(name, &former)?.expose() == plain {
                return Ok(false);
            }
            let sealed = self.seal(name, plain)?;
            if self.store.replace_secret(name, &former, sealed).await? {
                return Ok(true);
            }
        }
        Err(changes_all_the_time())
    }

    /// Seals anew what lies there, if another key than the current one has sealed it; whether one had.
    ///
    /// # Errors
    /// As [`replace`](Self::replace).
    pub async fn reseal(&self, name: &SecretName) -> Result<bool, StoreError> {
        for _ in 0..ATTEMPTS {
            let former = self.store.secret(name).await?;
            let Some(former) = former.filter(|sealed| self.keys.is_outdated(sealed)) else {
                return Ok(false);
            };
            let sealed = self.seal(name, self.open(name, &former)?.expose())?;
            if self.store.replace_secret(name, &former, sealed).await? {
                return Ok(true);
            }
        }
        Err(changes_all_the_time())
    }

    /// The names under which something lies, in their order, after `after`, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot answer.
    pub async fn names(
        &self,
        after: Option<&SecretName>,
        limit: usize,
    ) -> Result<Vec<SecretName>, StoreError> {
        self.store.secret_names(after, limit).await
    }

    fn seal(&self, name: &SecretName, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        let sealed = self.keys.seal(&place(name), plain);
        sealed.map_err(|error| StoreError::with_source(StoreErrorKind::Other, error))
    }

    fn open(&self, name: &SecretName, sealed: &[u8]) -> Result<Secret<Vec<u8>>, StoreError> {
        let opened = self.keys.open(&place(name), sealed);
        opened.map_err(|error| StoreError::with_source(StoreErrorKind::Corrupt, error))
    }
}

fn place(name: &SecretName) -> String {
    format!("vault {name}")
}

fn changes_all_the_time() -> StoreError {
    StoreError::new(StoreErrorKind::Locked)
}
