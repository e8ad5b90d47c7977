//! What is remembered of an account, its devices and its profiles.
//!
//! Records are plain values that serde reads and writes, so that any store can keep them: as one
//! document each, beside the few columns that [`store`](crate::store) names. They hold secrets
//! where they have to (the server token and its key), which `Debug` does not show.

mod account;
mod device;
mod give_up;
mod profile;

pub use account::{
    AccountId, AccountRecord, Credentials, InvalidAccountId, KnownAccount, Lease, Stage, StagedKey,
    SyncState, Trouble, TroubleKind,
};
pub use device::{
    Attempt, AttemptOutcome, DeviceRecord, DeviceState, Presence, Replacement, StateTimes,
};
pub(crate) use device::{Merged, Telling};
pub use give_up::{GiveUp, GiveUpStep, Release, ReleaseAttempt};
pub use profile::ProfileRecord;
