//! A profile as it was defined with Apple, and what goes with it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::model::Profile;

/// A profile preset: what Apple knows under `uuid`, and what Apple has no key for.
///
/// Apple cannot change a profile: a changed one is another, and the former one says so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProfileRecord {
    /// Apple's identifier.
    pub uuid: String,
    /// What Apple was told.
    pub profile: Profile,
    /// The most users of a Shared iPad, handed over when a device enrols.
    pub shared_ipad_max_users: Option<u32>,
    /// When it was defined.
    pub defined: DateTime<Utc>,
    /// The profile that devices which want this one get instead.
    pub replaced_by: Option<String>,
}

impl ProfileRecord {
    /// A profile that Apple has just given this identifier.
    pub fn new(uuid: impl Into<String>, profile: Profile, defined: DateTime<Utc>) -> Self {
        Self {
            uuid: uuid.into(),
            profile,
            shared_ipad_max_users: None,
            defined,
            replaced_by: None,
        }
    }
}
