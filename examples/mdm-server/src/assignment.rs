//! The store of device assignment, whose database holds no server token and no key in clear.

use std::sync::Arc;

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use mdm_sdk::{
    ade::{
        AdeStore,
        record::{AccountId, AccountRecord, DeviceRecord, ProfileRecord},
        store::{Changes, DeviceFilter, Loaded, Reads, Step, StoreError},
    },
    core::{Secret, SerialNumber, StoreErrorKind},
    pki::seal::SealingKeys,
};

/// Any store, which gets to see the secrets of accounts sealed, each bound to its account and field.
#[derive(Debug, Clone)]
pub(crate) struct Sealed<S> {
    store: S,
    keys: SealingKeys,
}

impl<S> Sealed<S> {
    pub(crate) fn new(store: S, keys: SealingKeys) -> Self {
        Self { store, keys }
    }
}

impl<S: AdeStore> Sealed<S> {
    /// Seals anew the accounts of which another key than the current one has sealed something, `page` at once; how many
    /// were looked at, and how many were sealed anew.
    pub(crate) async fn reseal(&self, page: usize) -> Result<(usize, usize), StoreError> {
        let (mut seen, mut resealed) = (0, 0);
        let mut after: Option<AccountId> = None;
        loop {
            let accounts = self.store.accounts(after.as_ref(), page).await?;
            for account in &accounts {
                seen += 1;
                if let Some(mut found) = self.store.account(account).await?
                    && each(&self.keys, &mut found, current).is_err()
                {
                    self.commit(account, Arc::new(Anew)).await?;
                    resealed += 1;
                }
            }
            match accounts.last() {
                Some(last) => after = Some(last.clone()),
                None => return Ok((seen, resealed)),
            }
        }
    }
}

/// The account as it is: it is opened on the way here and sealed on the way back.
#[derive(Debug)]
struct Anew;

impl Step for Anew {
    fn reads(&self) -> Reads {
        Reads::account()
    }

    fn decide(&self, loaded: Loaded) -> Option<Changes> {
        loaded.account.map(Changes::account)
    }
}

type Turn = fn(&SealingKeys, &str, &Secret<String>) -> Result<Secret<String>, StoreError>;

fn seal(
    keys: &SealingKeys,
    place: &str,
    text: &Secret<String>,
) -> Result<Secret<String>, StoreError> {
    let sealed = keys.seal(place, text.expose().as_bytes());
    let sealed = sealed.map_err(|error| StoreError::with_source(StoreErrorKind::Other, error))?;
    Ok(Secret::new(STANDARD.encode(sealed)))
}

fn open(
    keys: &SealingKeys,
    place: &str,
    text: &Secret<String>,
) -> Result<Secret<String>, StoreError> {
    let corrupt = || StoreError::new(StoreErrorKind::Corrupt);
    let sealed = STANDARD.decode(text.expose()).map_err(|_| corrupt())?;
    let opened = keys.open(place, &sealed);
    let opened = opened.map_err(|error| StoreError::with_source(StoreErrorKind::Corrupt, error))?;
    let text = std::str::from_utf8(opened.expose()).map_err(|_| corrupt())?;
    Ok(Secret::new(text.to_owned()))
}

/// Fails for what another key than the current one has sealed.
fn current(
    keys: &SealingKeys,
    _place: &str,
    text: &Secret<String>,
) -> Result<Secret<String>, StoreError> {
    let sealed = STANDARD.decode(text.expose());
    match sealed.is_ok_and(|sealed| !keys.is_outdated(&sealed)) {
        true => Ok(text.clone()),
        false => Err(StoreError::new(StoreErrorKind::Corrupt)),
    }
}

/// Seals or opens each secret of the account.
fn each(keys: &SealingKeys, account: &mut AccountRecord, turn: Turn) -> Result<(), StoreError> {
    let AccountRecord {
        id,
        credentials,
        staged,
        ..
    } = account;
    let change = |field: &str, secret: &mut Secret<String>| {
        *secret = turn(keys, &format!("assignment {field} {id}"), secret)?;
        Ok(())
    };
    if let Some(credentials) = credentials {
        let token = &mut credentials.token;
        change("consumer_secret", &mut token.consumer_secret)?;
        change("access_token", &mut token.access_token)?;
        change("access_secret", &mut token.access_secret)?;
        if let Some(key) = &mut credentials.private_key_pem {
            change("private_key", key)?;
        }
    }
    if let Some(staged) = staged {
        change("staged_key", &mut staged.private_key_pem)?;
    }
    Ok(())
}

/// A step that decides over opened secrets, and whose decision is sealed.
struct Between {
    step: Arc<dyn Step>,
    keys: SealingKeys,
    failed: std::sync::Mutex<Option<StoreError>>,
}

impl std::fmt::Debug for Between {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Between").finish_non_exhaustive()
    }
}

impl Between {
    fn decided(&self, mut loaded: Loaded) -> Result<Option<Changes>, StoreError> {
        if let Some(account) = &mut loaded.account {
            each(&self.keys, account, open)?;
        }
        let mut changes = self.step.decide(loaded);
        if let Some(account) = changes
            .as_mut()
            .and_then(|changes| changes.account.as_mut())
        {
            each(&self.keys, account, seal)?;
        }
        Ok(changes)
    }
}

impl Step for Between {
    fn reads(&self) -> Reads {
        self.step.reads()
    }

    fn decide(&self, loaded: Loaded) -> Option<Changes> {
        // A step cannot fail: it decides nothing then, and the commit tells.
        let (changes, error) = match self.decided(loaded) {
            Ok(changes) => (changes, None),
            Err(error) => (None, Some(error)),
        };
        *self
            .failed
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = error;
        changes
    }
}

#[async_trait]
impl<S: AdeStore> AdeStore for Sealed<S> {
    async fn commit(&self, account: &AccountId, step: Arc<dyn Step>) -> Result<(), StoreError> {
        let between = Arc::new(Between {
            step,
            keys: self.keys.clone(),
            failed: std::sync::Mutex::new(None),
        });
        self.store.commit(account, between.clone()).await?;
        let mut failed = between
            .failed
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        failed.take().map_or(Ok(()), Err)
    }

    async fn account(&self, account: &AccountId) -> Result<Option<AccountRecord>, StoreError> {
        let mut found = self.store.account(account).await?;
        if let Some(account) = &mut found {
            each(&self.keys, account, open)?;
        }
        Ok(found)
    }

    async fn accounts(
        &self,
        after: Option<&AccountId>,
        limit: usize,
    ) -> Result<Vec<AccountId>, StoreError> {
        self.store.accounts(after, limit).await
    }

    async fn device(
        &self,
        account: &AccountId,
        serial_number: &SerialNumber,
    ) -> Result<Option<DeviceRecord>, StoreError> {
        self.store.device(account, serial_number).await
    }

    async fn accounts_of(
        &self,
        serial_number: &SerialNumber,
    ) -> Result<Vec<AccountId>, StoreError> {
        self.store.accounts_of(serial_number).await
    }

    async fn devices(
        &self,
        account: &AccountId,
        filter: &DeviceFilter,
        after: Option<&SerialNumber>,
        limit: usize,
    ) -> Result<Vec<DeviceRecord>, StoreError> {
        self.store.devices(account, filter, after, limit).await
    }

    async fn count(&self, account: &AccountId, filter: &DeviceFilter) -> Result<u64, StoreError> {
        self.store.count(account, filter).await
    }

    async fn next_due(&self, account: &AccountId) -> Result<Option<DateTime<Utc>>, StoreError> {
        self.store.next_due(account).await
    }

    async fn profiles(
        &self,
        account: &AccountId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ProfileRecord>, StoreError> {
        self.store.profiles(account, after, limit).await
    }
}

#[cfg(test)]
mod tests {
    use mdm_sdk::{
        ade::{
            MemoryAdeStore, ServerToken,
            record::{Credentials, StagedKey},
        },
        pki::seal::SealingKey,
    };

    use super::*;

    #[derive(Debug)]
    struct Put(AccountRecord);

    impl Step for Put {
        fn reads(&self) -> Reads {
            Reads::account()
        }

        fn decide(&self, _loaded: Loaded) -> Option<Changes> {
            Some(Changes::account(self.0.clone()))
        }
    }

    #[tokio::test]
    async fn an_account_comes_back_and_its_secrets_lie_sealed() {
        let memory = Arc::new(MemoryAdeStore::new());
        let keys = SealingKeys::new(SealingKey::generate().unwrap());
        let store = Sealed::new(memory.clone(), keys);
        let id = AccountId::new("office").unwrap();
        let mut record = AccountRecord::new(id.clone());
        let token = ServerToken::new("CK_1", "CS_1", "AT_1", "AS_1");
        let mut credentials = Credentials::new(token, Utc::now());
        credentials.private_key_pem = Some(Secret::new("KEY-1".into()));
        record.credentials = Some(credentials);
        let staged = Secret::new("KEY-2".to_owned());
        record.staged = Some(StagedKey::new("PEM".into(), staged, Utc::now()));
        for _ in 0..2 {
            store
                .commit(&id, Arc::new(Put(record.clone())))
                .await
                .unwrap();
            assert_eq!(store.account(&id).await.unwrap().as_ref(), Some(&record));
        }
        let below = memory.account(&id).await.unwrap().unwrap();
        let below = serde_json::to_string(&below).unwrap();
        for secret in ["CS_1", "AT_1", "AS_1", "KEY-1", "KEY-2"] {
            assert!(!below.contains(secret), "{secret}");
        }

        let other = SealingKeys::new(SealingKey::generate().unwrap());
        let other = Sealed::new(memory, other);
        let step = || Arc::new(Put(AccountRecord::new(id.clone())));
        let error = other.commit(&id, step()).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt);
        assert_eq!(store.account(&id).await.unwrap().as_ref(), Some(&record));
    }
}
