//! An account: one server in Apple's portal, with its token and where its sync stands.

use std::{collections::BTreeSet, fmt};

use chrono::{DateTime, Utc};
use mdm_core::{Secret, open_enum};
use serde::{Deserialize, Serialize};

use crate::{
    ServerToken,
    model::{Account, Cursor},
};

/// The vendor's own name for an account: 1 to 128 characters, none of them a control character.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId(Box<str>);

impl AccountId {
    /// The most characters.
    pub const MAX_CHARS: usize = 128;

    /// Takes a name.
    ///
    /// # Errors
    /// [`InvalidAccountId`] if it is blank, too long or holds a control character.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidAccountId> {
        let text = text.into();
        let fits = !text.trim().is_empty()
            && text.chars().count() <= Self::MAX_CHARS
            && !text.contains(char::is_control);
        fits.then(|| Self(text.into())).ok_or(InvalidAccountId)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for AccountId {
    type Error = InvalidAccountId;

    fn try_from(text: String) -> Result<Self, InvalidAccountId> {
        Self::new(text)
    }
}

impl From<AccountId> for String {
    fn from(id: AccountId) -> Self {
        id.0.into()
    }
}

/// A name that no account can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an account's name has 1 to 128 characters, none of them a control character")]
pub struct InvalidAccountId;

/// All that is remembered of an account, but for its devices and profiles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AccountRecord {
    /// The account.
    pub id: AccountId,
    /// The token in use. None before the first one, and after it was cleared.
    pub credentials: Option<Credentials>,
    /// A key pair whose token was not installed yet.
    pub staged: Option<StagedKey>,
    /// What Apple said about the account last.
    pub known: Option<KnownAccount>,
    /// The profile that new serial numbers get.
    pub default_profile: Option<String>,
    /// Profiles that were replaced by others and may still be wanted by devices.
    #[serde(default)]
    pub replaced_profiles: BTreeSet<String>,
    /// Where the sync stands.
    pub sync: SyncState,
    /// The node that works on the account.
    pub lease: Option<Lease>,
    /// What keeps the account from working.
    pub trouble: Option<Trouble>,
    /// The warnings that were given for the present token and counts, by their names.
    pub warned: Vec<String>,
}

impl AccountRecord {
    /// An account without token, devices and profiles.
    pub fn new(id: AccountId) -> Self {
        Self {
            id,
            credentials: None,
            staged: None,
            known: None,
            default_profile: None,
            replaced_profiles: BTreeSet::new(),
            sync: SyncState::default(),
            lease: None,
            trouble: None,
            warned: Vec::new(),
        }
    }
}

/// A server token and the key pair that it was opened with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Credentials {
    /// The token.
    pub token: ServerToken,
    /// The certificate that was uploaded, PEM. None where only the token's JSON was given.
    pub certificate_pem: Option<String>,
    /// Its private key, PKCS#8 in PEM; it also signs the token for Managed Apple Accounts (`GetToken`).
    pub private_key_pem: Option<Secret<String>>,
    /// When the token was installed.
    pub installed: DateTime<Utc>,
}

impl Credentials {
    /// A token without the key pair that it was opened with.
    pub fn new(token: ServerToken, installed: DateTime<Utc>) -> Self {
        Self {
            token,
            certificate_pem: None,
            private_key_pem: None,
            installed,
        }
    }
}

/// A key pair whose certificate is to be uploaded, kept until its token opens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StagedKey {
    /// The certificate to upload, PEM.
    pub certificate_pem: String,
    /// Its private key, PKCS#8 in PEM.
    pub private_key_pem: Secret<String>,
    /// When it was made.
    pub made: DateTime<Utc>,
}

impl StagedKey {
    /// A key pair that waits for its token.
    pub fn new(
        certificate_pem: String,
        private_key_pem: Secret<String>,
        made: DateTime<Utc>,
    ) -> Self {
        Self {
            certificate_pem,
            private_key_pem,
            made,
        }
    }
}

/// What Apple says about the account, and when it did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KnownAccount {
    /// The answer of `GET /account`.
    pub account: Account,
    /// When it was asked for.
    pub at: DateTime<Utc>,
}

impl KnownAccount {
    /// What Apple said at `at`.
    pub fn new(account: Account, at: DateTime<Utc>) -> Self {
        Self { account, at }
    }
}

/// Where an account's sync stands. Written in the same step as the devices that it counts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct SyncState {
    /// What the cursor is for.
    pub stage: Stage,
    /// Where to go on. None before the first page of a full fetch.
    pub cursor: Option<Cursor>,
    /// The number of the full fetch that runs or ran last; 0 before the first, which is number 2. A
    /// device that it named carries this number, one that is in doubt a smaller one.
    pub sweep: u64,
    /// How many device records the running full fetch has taken.
    pub taken: u64,
    /// Whether devices that the last full fetch did not name, or that are in doubt, are still to be
    /// asked about.
    pub unseen: bool,
    /// When the last full fetch began.
    pub full_began: Option<DateTime<Utc>>,
    /// When one was last complete.
    pub full_ended: Option<DateTime<Utc>>,
    /// When everything that changed was last known.
    pub current: Option<DateTime<Utc>>,
    /// When a round began last on somebody's request.
    pub requested: Option<DateTime<Utc>>,
    /// When a full fetch last began because Apple did not know the cursor any more.
    pub recovered: Option<DateTime<Utc>>,
    /// Nothing is asked of Apple before: it was busy, not reached, or does not accept the token.
    pub not_before: Option<DateTime<Utc>>,
    /// No round goes on before; devices are given their profiles all the same.
    pub round_not_before: Option<DateTime<Utc>>,
}

/// What a sync does next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stage {
    /// Fetches all devices.
    #[default]
    Fetch,
    /// Asks what changed since.
    Sync,
}

/// The node that works on an account, until its time is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Lease {
    /// The node's name.
    pub node: String,
    /// Grows with every new holder: a former one's steps are refused.
    pub number: u64,
    /// When it ends unless renewed.
    pub until: DateTime<Utc>,
}

impl Lease {
    /// A lease of this node.
    pub fn new(node: impl Into<String>, number: u64, until: DateTime<Utc>) -> Self {
        Self {
            node: node.into(),
            number,
            until,
        }
    }
}

/// What keeps an account from working.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Trouble {
    /// What it is.
    pub kind: TroubleKind,
    /// In words, for a person. Holds no secret.
    pub detail: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// When it was last met.
    pub last: DateTime<Utc>,
}

impl Trouble {
    /// A trouble first met now.
    pub fn new(kind: TroubleKind, detail: impl Into<String>, now: DateTime<Utc>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            since: now,
            last: now,
        }
    }
}

open_enum! {
    /// What keeps an account from working.
    pub enum TroubleKind {
        /// The token's year is over: download a new one.
        TokenExpired = "token_expired",
        /// Apple does not accept the token any more: its administrator is gone or changed the password.
        TokenRevoked = "token_revoked",
        /// A newer token was downloaded elsewhere.
        TokenSuperseded = "token_superseded",
        /// Somebody has to accept Apple's new terms and conditions in the portal.
        TermsNotSigned = "terms_not_signed",
        /// The token may not do this.
        AccessDenied = "access_denied",
        /// Apple is busy or asks to slow down.
        Busy = "busy",
        /// No answer came.
        Unreachable = "unreachable",
        /// Apple gave the same cursor again and said that more follows.
        RepeatedCursor = "repeated_cursor",
        /// Apple does not know the profile that devices want.
        ProfileNotFound = "profile_not_found",
        /// Anything else.
        Unexpected = "unexpected",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_no_account_can_have_is_refused_also_from_a_store() {
        for name in ["", "  ", "a\nb", &"x".repeat(129)] {
            assert_eq!(AccountId::new(name), Err(InvalidAccountId));
            let json = serde_json::to_string(name).unwrap();
            assert!(serde_json::from_str::<AccountId>(&json).is_err());
        }
        assert_eq!(AccountId::new("acme").unwrap().to_string(), "acme");
    }

    #[test]
    fn a_record_survives_its_store_and_shows_no_secret() {
        let now = DateTime::UNIX_EPOCH;
        let mut record = AccountRecord::new(AccountId::new("acme").unwrap());
        let token = ServerToken::new("CK_1", "CS_secret", "AT_secret", "AS_secret");
        let mut credentials = Credentials::new(token, now);
        credentials.private_key_pem = Some(Secret::new("key_secret".into()));
        record.credentials = Some(credentials);
        record.staged = Some(StagedKey::new(
            "pem".into(),
            Secret::new("staged_secret".into()),
            now,
        ));
        record.sync.cursor = Some(Cursor::new("c1"));
        let json = serde_json::to_string(&record).unwrap();
        assert_eq!(
            serde_json::from_str::<AccountRecord>(&json).unwrap(),
            record
        );
        assert!(!format!("{record:?}").contains("secret"), "{record:?}");
    }
}
