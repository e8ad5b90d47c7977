//! What the crate asks of a database: keep records, and change them in atomic steps.
//!
//! A store makes no decision. Whatever changes goes through [`AdeStore::commit`]: in one transaction
//! the store reads what a [`Step`] names, lets it decide, and writes what it says. All rules live in
//! steps, and those are this crate's. A vendor's own store is right when it passes the `contract`
//! suite (feature `contract`).

use std::{collections::BTreeMap, fmt, sync::Arc};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_core::SerialNumber;
pub use mdm_core::{StoreError, StoreErrorKind};

use crate::record::{
    AccountId, AccountRecord, DeviceRecord, DeviceState, GiveUpStep, ProfileRecord,
};

mod layer;
mod memory;

pub use layer::{CommitLayer, Layered};
pub use memory::MemoryAdeStore;

/// Accounts with their devices and profiles.
///
/// Two accounts may hold the same serial number: a device moves between them.
#[async_trait]
pub trait AdeStore: fmt::Debug + Send + Sync {
    /// Runs a step on an account: reads, decides, writes, all in one transaction that no other step on
    /// the account runs beside. Where the step decides nothing, nothing is written. The write is
    /// durable when this returns.
    ///
    /// The store may have the step decide more than once (as after a conflict between
    /// transactions); the last decision counts. A step that panics writes nothing; the store goes on,
    /// whether it passes the panic on or answers an error.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed: then nothing is written.
    async fn commit(&self, account: &AccountId, step: Arc<dyn Step>) -> Result<(), StoreError>;

    /// One account.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot answer; so also of the following.
    async fn account(&self, account: &AccountId) -> Result<Option<AccountRecord>, StoreError>;

    /// The names of the accounts after `after` in their order, at most `limit`. Names alone, so that
    /// an account whose record cannot be read keeps no other from being worked on.
    async fn accounts(
        &self,
        after: Option<&AccountId>,
        limit: usize,
    ) -> Result<Vec<AccountId>, StoreError>;

    /// One device.
    async fn device(
        &self,
        account: &AccountId,
        serial_number: &SerialNumber,
    ) -> Result<Option<DeviceRecord>, StoreError>;

    /// The accounts that have a record of this device, in the order of their names.
    async fn accounts_of(&self, serial_number: &SerialNumber)
    -> Result<Vec<AccountId>, StoreError>;

    /// The account's devices that `filter` takes, after `after` in the order of their serial numbers
    /// (by bytes), at most `limit`.
    async fn devices(
        &self,
        account: &AccountId,
        filter: &DeviceFilter,
        after: Option<&SerialNumber>,
        limit: usize,
    ) -> Result<Vec<DeviceRecord>, StoreError>;

    /// How many devices of the account `filter` takes.
    async fn count(&self, account: &AccountId, filter: &DeviceFilter) -> Result<u64, StoreError>;

    /// When the earliest of [`DeviceRecord::due`] is; none where no device is due ever.
    async fn next_due(&self, account: &AccountId) -> Result<Option<DateTime<Utc>>, StoreError>;

    /// The account's profiles after `after` in the order of their identifiers, at most `limit`.
    async fn profiles(
        &self,
        account: &AccountId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ProfileRecord>, StoreError>;
}

/// Which devices. A store has an index for each but [`All`](Self::All).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeviceFilter {
    /// Every one, also released ones.
    All,
    /// Those that are the account's.
    Present,
    /// Those that are the account's and were last named before this full fetch, or are in doubt since:
    /// `sweep` smaller than this.
    Unseen {
        /// The number of the full fetch.
        sweep: u64,
    },
    /// Those that are due at this time: [`DeviceRecord::due`] not after it.
    Due(DateTime<Utc>),
    /// Those that want this profile.
    Wanting(String),
    /// Those that are the account's and in this state.
    State(DeviceState),
    /// Those that were released before this time.
    ReleasedBefore(DateTime<Utc>),
    /// Those that replace another and wait for the answer which, see [`DeviceRecord::is_replacing`].
    Replacing,
    /// Those that are being given up and not done.
    GivingUp,
}

impl DeviceFilter {
    /// Whether this is one of the devices: what a store's queries have to agree with. Times are
    /// compared to the microsecond at least.
    pub fn takes(&self, device: &DeviceRecord) -> bool {
        match self {
            Self::All => true,
            Self::Present => device.is_present(),
            Self::Unseen { sweep } => device.is_present() && device.sweep < *sweep,
            Self::Due(now) => device.due.is_some_and(|due| due <= *now),
            Self::Wanting(uuid) => device.wanted_profile.as_ref() == Some(uuid),
            Self::State(state) => device.is_present() && device.state == *state,
            Self::ReleasedBefore(time) => device.released().is_some_and(|at| at < *time),
            Self::Replacing => device.is_replacing(),
            Self::GivingUp => device
                .give_up
                .as_ref()
                .is_some_and(|give_up| give_up.next != GiveUpStep::Done),
        }
    }
}

/// One atomic change: what it reads, and what it decides on that.
pub trait Step: fmt::Debug + Send + Sync {
    /// What it has to know.
    fn reads(&self) -> Reads;

    /// What is to be written; none for nothing.
    fn decide(&self, loaded: Loaded) -> Option<Changes>;
}

/// What a step has to know besides the account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reads {
    /// The devices.
    pub devices: Vec<SerialNumber>,
    /// The profiles.
    pub profiles: Vec<String>,
    /// Whether it has to know how many devices and profiles there are.
    pub counts: bool,
    /// Devices to be counted as well: those that want this profile.
    pub wanting: Option<String>,
}

impl Reads {
    /// Nothing but the account.
    pub fn account() -> Self {
        Self::default()
    }

    /// These devices.
    pub fn devices(devices: Vec<SerialNumber>) -> Self {
        Self {
            devices,
            ..Self::default()
        }
    }

    /// Sets some of the fields.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// What a store found of what a step reads.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Loaded {
    /// The account.
    pub account: Option<AccountRecord>,
    /// Those of the devices that it has a record of.
    pub devices: BTreeMap<SerialNumber, DeviceRecord>,
    /// Those of the profiles that it has a record of.
    pub profiles: BTreeMap<String, ProfileRecord>,
    /// The counts, where asked for; else zero.
    pub counts: Counts,
}

impl Loaded {
    /// What is known where there is an account but nothing else was asked for.
    pub fn new(account: Option<AccountRecord>) -> Self {
        Self {
            account,
            ..Self::default()
        }
    }

    /// Sets some of the fields.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// How much hangs on an account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Devices that are the account's.
    pub present: u64,
    /// Profiles.
    pub profiles: u64,
    /// Devices, present or not, that want the profile which was asked about.
    pub wanting: u64,
}

impl Counts {
    /// Counts to set fields in.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// What a step writes. Records replace those of the same name; what is forgotten is so after all
/// is written. Forgetting what is not there is no error.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Changes {
    /// The account.
    pub account: Option<AccountRecord>,
    /// Devices.
    pub devices: Vec<DeviceRecord>,
    /// Profiles.
    pub profiles: Vec<ProfileRecord>,
    /// Devices whose records are deleted.
    pub forget_devices: Vec<SerialNumber>,
    /// Profiles whose records are deleted.
    pub forget_profiles: Vec<String>,
    /// Deletes the account with everything that hangs on it, after all else.
    pub forget_account: bool,
}

impl Changes {
    /// Only the account.
    pub fn account(account: AccountRecord) -> Self {
        Self {
            account: Some(account),
            ..Self::default()
        }
    }

    /// Only these devices.
    pub fn devices(devices: Vec<DeviceRecord>) -> Self {
        Self {
            devices,
            ..Self::default()
        }
    }

    /// Sets some of the fields.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

#[async_trait]
impl<S: AdeStore + ?Sized> AdeStore for Arc<S> {
    async fn commit(&self, account: &AccountId, step: Arc<dyn Step>) -> Result<(), StoreError> {
        (**self).commit(account, step).await
    }

    async fn account(&self, account: &AccountId) -> Result<Option<AccountRecord>, StoreError> {
        (**self).account(account).await
    }

    async fn accounts(
        &self,
        after: Option<&AccountId>,
        limit: usize,
    ) -> Result<Vec<AccountId>, StoreError> {
        (**self).accounts(after, limit).await
    }

    async fn device(
        &self,
        account: &AccountId,
        serial_number: &SerialNumber,
    ) -> Result<Option<DeviceRecord>, StoreError> {
        (**self).device(account, serial_number).await
    }

    async fn accounts_of(
        &self,
        serial_number: &SerialNumber,
    ) -> Result<Vec<AccountId>, StoreError> {
        (**self).accounts_of(serial_number).await
    }

    async fn devices(
        &self,
        account: &AccountId,
        filter: &DeviceFilter,
        after: Option<&SerialNumber>,
        limit: usize,
    ) -> Result<Vec<DeviceRecord>, StoreError> {
        (**self).devices(account, filter, after, limit).await
    }

    async fn count(&self, account: &AccountId, filter: &DeviceFilter) -> Result<u64, StoreError> {
        (**self).count(account, filter).await
    }

    async fn next_due(&self, account: &AccountId) -> Result<Option<DateTime<Utc>>, StoreError> {
        (**self).next_due(account).await
    }

    async fn profiles(
        &self,
        account: &AccountId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ProfileRecord>, StoreError> {
        (**self).profiles(account, after, limit).await
    }
}
