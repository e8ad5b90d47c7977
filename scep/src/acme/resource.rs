//! The objects that a server keeps and the requests that make and change them (RFC 8555 section 7.1).
//!
//! What a peer adds is passed over; what it may extend keeps the words that are not known here.

mod account;
mod authorization;
mod directory;
mod order;
mod revocation;

pub use self::{
    account::{Account, AccountStatus, AccountUpdate, KeyChange, NewAccount, OrderList},
    authorization::{
        AttestationResponse, Authorization, AuthorizationStatus, AuthorizationUpdate, Challenge,
        ChallengeStatus, ChallengeType, NewAuthorization,
    },
    directory::{Directory, DirectoryMeta},
    order::{Finalize, NewOrder, Order, OrderStatus},
    revocation::RevokeCert,
};

use serde::{Deserialize, Deserializer, de::DeserializeOwned};

/// Whether to leave out a member that is false.
#[allow(clippy::trivially_copy_pass_by_ref)] // serde gives a reference
fn is_false(value: &bool) -> bool {
    !value
}

/// Reads a member that is `null` as if it were not there.
fn or_default<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Default + Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// What is told beside what counts: in another form it is as if it were not there.
fn if_readable<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: DeserializeOwned,
    D: Deserializer<'de>,
{
    let told = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(told).ok())
}

#[cfg(test)]
mod tests;
