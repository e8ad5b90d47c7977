//! Linking an account to Apple: its key pairs, its token, its renewal, and its end.
//!
//! A token counts only once Apple has answered with it: `GET /account` is asked by a client of its
//! own before one step puts it in the place of the former one.

use std::sync::{MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use mdm_core::Secret;

use super::{AdeService, Clients, Refusal, step};
use crate::{
    Error, ServerToken, TokenKeyPair,
    endpoint::GetAccount,
    model::Account,
    record::{AccountId, AccountRecord, Credentials, KnownAccount, Lease, StagedKey, SyncState},
    store::{Changes, Reads},
    token::Renewal,
};

/// Which tokens may take the place of the one in use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Installing {
    /// Only one with the same consumer key, as a renewal has it.
    #[default]
    SameServer,
    /// Any that Apple accepts.
    ///
    /// A consumer key can change though the server stays; then only the key does. With a token for
    /// another server the sync begins anew: devices stay until the next full fetch has shown which
    /// of them the other server has. Profiles are a server's own, so those that were defined are not
    /// known to the other one and have to be [replaced](AdeService::replace_profile).
    Force,
}

impl AdeService {
    /// Makes an account, without token.
    ///
    /// # Errors
    /// [`Refusal::AccountExists`]; [`Error::Store`], here as everywhere, if the store fails.
    pub async fn add_account(&self, account: &AccountId) -> Result<AccountRecord, Error> {
        let id = account.clone();
        step::run(self.store(), account, Reads::account(), move |loaded| {
            if loaded.account.is_some() {
                return Err(Refusal::AccountExists(id.clone()));
            }
            let record = AccountRecord::new(id.clone());
            Ok((Changes::account(record.clone()), record))
        })
        .await
    }

    /// The certificate to upload in Apple's portal, PEM. Its key pair is staged until a token opens
    /// with it; as long as it is, this gives the same certificate again, whatever the name.
    ///
    /// A new pair costs the time of making an RSA key, a fraction of a second.
    ///
    /// # Errors
    /// [`Refusal::NoAccount`], or [`Error::Token`] if no key pair can be made.
    pub async fn stage_key(&self, account: &AccountId, common_name: &str) -> Result<String, Error> {
        match self.account(account).await?.staged {
            Some(staged) => Ok(staged.certificate_pem),
            None => self.stage(account, common_name, false).await,
        }
    }

    /// As [`AdeService::stage_key`], with a new key pair even if one is staged: a token for that one
    /// does not open any more.
    ///
    /// # Errors
    /// As [`AdeService::stage_key`].
    pub async fn stage_new_key(
        &self,
        account: &AccountId,
        common_name: &str,
    ) -> Result<String, Error> {
        self.stage(account, common_name, true).await
    }

    async fn stage(
        &self,
        account: &AccountId,
        common_name: &str,
        anew: bool,
    ) -> Result<String, Error> {
        let now = self.inner.clock.now();
        let pair = TokenKeyPair::generate(common_name, now)?;
        let key = Secret::new(pair.private_key_pem()?.to_string());
        let made = StagedKey::new(pair.certificate_pem(), key, now);
        self.step(account, Reads::account(), move |mut record, _| {
            if let (Some(staged), false) = (&record.staged, anew) {
                return Ok((Changes::default(), staged.certificate_pem.clone()));
            }
            record.staged = Some(made.clone());
            Ok((Changes::account(record), made.certificate_pem.clone()))
        })
        .await
    }

    /// Takes a token file as it was downloaded, whatever it is called. It opens with the staged key
    /// pair, which then is the one in use; or, downloaded once more for the same certificate, with
    /// the one in use.
    ///
    /// The token replaces the one in use after Apple has answered with it, in one step that also
    /// ends the account's trouble and its waiting. Until then nothing changes: a staged key pair
    /// outlives a file that does not open, and a token that Apple refuses. A round under way with
    /// the former token ends.
    ///
    /// # Errors
    /// [`Refusal::NoStagedKey`] where there is no key at all, [`Error::Token`] for a file that opens
    /// with none; [`Refusal::ExpiredToken`]; [`Refusal::OlderToken`];
    /// [`Refusal::OtherConsumerKey`] and [`Refusal::OtherServer`] unless forced; and whatever Apple
    /// answers to the token, such as [`Error::is_token_superseded`] or
    /// [`Error::is_terms_not_signed`].
    pub async fn install_token(
        &self,
        account: &AccountId,
        file: &[u8],
        installing: Installing,
    ) -> Result<AccountRecord, Error> {
        let (token, key) = open(&self.account(account).await?, file)?;
        self.install(account, token, Some(key), installing).await
    }

    /// As [`AdeService::install_token`], with what was inside of a token file that somebody else has
    /// opened: its JSON, with or without header and markers.
    ///
    /// The key pair in use stays in use if the consumer key is the same. Where there is none, a
    /// token for Managed Apple Accounts cannot be signed.
    ///
    /// # Errors
    /// As [`AdeService::install_token`].
    pub async fn install_token_json(
        &self,
        account: &AccountId,
        json: &[u8],
        installing: Installing,
    ) -> Result<AccountRecord, Error> {
        let token = ServerToken::from_message(json)?;
        self.install(account, token, None, installing).await
    }

    async fn install(
        &self,
        account: &AccountId,
        token: ServerToken,
        key: Option<StagedKey>,
        installing: Installing,
    ) -> Result<AccountRecord, Error> {
        let asked = self.inner.clock.now();
        check_age(&self.account(account).await?, &token, asked)?;
        let client = self.new_client(token.clone())?;
        let known = KnownAccount::new(client.send(&GetAccount::new()).await?.bounded(), asked);

        let now = self.inner.clock.now();
        let offer = Offer {
            token: token.clone(),
            key,
            known,
            installing,
        };
        let record = self
            .step(account, Reads::account(), move |record, _| {
                let record = offer.install(record, now)?;
                Ok((Changes::account(record.clone()), record))
            })
            .await?;
        // Its session is open already.
        self.clients().insert(account.clone(), (token, client));
        Ok(record)
    }

    /// Forgets the token. Devices, profiles, assignments and the cursor stay for the next one; the key
    /// pair is staged unless another is, so that a token downloaded again for its certificate opens.
    ///
    /// # Errors
    /// [`Refusal::NoAccount`].
    pub async fn clear_token(&self, account: &AccountId) -> Result<(), Error> {
        let now = self.inner.clock.now();
        self.step(account, Reads::account(), move |mut record, _| {
            let Some(credentials) = record.credentials.take() else {
                return Ok((Changes::default(), ()));
            };
            record.staged = record.staged.or_else(|| key_in_use(&credentials));
            end_of_token(&mut record, now);
            Ok((Changes::account(record), ()))
        })
        .await?;
        self.clients().remove(account);
        Ok(())
    }

    /// Removes the account, with its keys and with the records of devices that were released.
    ///
    /// # Errors
    /// [`Refusal::AccountInUse`] as long as a device, a profile or a default profile hangs on it.
    pub async fn remove_account(&self, account: &AccountId) -> Result<(), Error> {
        let reads = Reads::account().with(|reads| reads.counts = true);
        self.step(account, reads, |record, loaded| {
            let (devices, profiles) = (loaded.counts.present, loaded.counts.profiles);
            let default_profile = record.default_profile.is_some();
            if devices > 0 || profiles > 0 || default_profile {
                return Err(Refusal::AccountInUse {
                    devices,
                    profiles,
                    default_profile,
                });
            }
            Ok((Changes::default().with(|c| c.forget_account = true), ()))
        })
        .await?;
        self.clients().remove(account);
        Ok(())
    }

    fn clients(&self) -> MutexGuard<'_, Clients> {
        let clients = self.inner.clients.lock();
        clients.unwrap_or_else(PoisonError::into_inner)
    }
}

/// A token that Apple has answered with.
struct Offer {
    token: ServerToken,
    key: Option<StagedKey>,
    known: KnownAccount,
    installing: Installing,
}

impl Offer {
    /// Puts the token in the place of the one in use.
    fn install(
        &self,
        mut record: AccountRecord,
        now: DateTime<Utc>,
    ) -> Result<AccountRecord, Refusal> {
        check_age(&record, &self.token, now)?;
        let is_other_server = self.check_server(&record)?;
        let mut credentials = Credentials::new(self.token.clone(), now);
        let kept = record
            .credentials
            .as_ref()
            .filter(|used| used.token.consumer_key == self.token.consumer_key);
        if let Some(key) = self.key.clone().or_else(|| kept.and_then(key_in_use)) {
            if record.staged.as_ref() == Some(&key) {
                record.staged = None;
            }
            credentials.certificate_pem = Some(key.certificate_pem);
            credentials.private_key_pem = Some(key.private_key_pem);
        }
        record.credentials = Some(credentials);
        record.known = Some(self.known.clone());
        end_of_token(&mut record, now);
        if is_other_server {
            record.sync = anew(&record.sync);
        }
        Ok(record)
    }

    /// Whether the token is for another server than the account's; refused unless forced.
    fn check_server(&self, record: &AccountRecord) -> Result<bool, Refusal> {
        let uuid = |account: &Account| account.server_uuid.as_deref().map(str::to_ascii_uppercase);
        let known = record.known.as_ref();
        let same_uuid = known
            .and_then(|known| uuid(&known.account))
            .zip(uuid(&self.known.account))
            .map(|(before, now)| before == now);
        let same_key = record
            .credentials
            .as_ref()
            .map(|used| used.token.consumer_key == self.token.consumer_key);
        let (is_other_server, refusal) = match (same_uuid, same_key) {
            (Some(false), _) | (None, Some(false)) => (true, Refusal::OtherServer),
            (Some(true), Some(false)) => (false, Refusal::OtherConsumerKey),
            (Some(true) | None, Some(true) | None) => return Ok(false),
        };
        match self.installing {
            Installing::SameServer => Err(refusal),
            Installing::Force => Ok(is_other_server),
        }
    }
}

/// Opens the file with the staged key pair, else with the one in use.
fn open(record: &AccountRecord, file: &[u8]) -> Result<(ServerToken, StagedKey), Error> {
    let used = record.credentials.as_ref().and_then(key_in_use);
    let mut failure = Error::from(Refusal::NoStagedKey);
    for key in record.staged.clone().into_iter().chain(used) {
        let pair = TokenKeyPair::from_pem(
            key.certificate_pem.as_bytes(),
            key.private_key_pem.expose().as_bytes(),
        )?;
        match pair.open(file) {
            Ok(token) => return Ok((token, key)),
            Err(error) => failure = error.into(),
        }
    }
    Err(failure)
}

fn key_in_use(credentials: &Credentials) -> Option<StagedKey> {
    Some(StagedKey::new(
        credentials.certificate_pem.clone()?,
        credentials.private_key_pem.clone()?,
        credentials.installed,
    ))
}

/// Refuses a token that has ended. Of two tokens of one server the one that was made last counts.
fn check_age(
    record: &AccountRecord,
    token: &ServerToken,
    now: DateTime<Utc>,
) -> Result<(), Refusal> {
    if token.is_expired(now) {
        return Err(Refusal::ExpiredToken);
    }
    match &record.credentials {
        Some(used) if token.replaces(&used.token) == Renewal::Older => Err(Refusal::OlderToken),
        _ => Ok(()),
    }
}

/// What was true of the former token is not of the next: its trouble, its warnings, and the work of
/// whoever still goes on with it.
fn end_of_token(record: &mut AccountRecord, now: DateTime<Utc>) {
    record.trouble = None;
    record.sync.not_before = None;
    record
        .warned
        .retain(|name| !super::warnings::is_of_token(name));
    if let Some(lease) = &mut record.lease {
        *lease = Lease::new(lease.node.clone(), lease.number.saturating_add(1), now);
    }
}

/// The sync of another server: nothing of the former one's is known to it. The sweep's number goes
/// on from where it is, so that devices of the former server are those that a fetch has not named.
fn anew(sync: &SyncState) -> SyncState {
    SyncState {
        sweep: sync.sweep,
        requested: sync.requested,
        ..SyncState::default()
    }
}
