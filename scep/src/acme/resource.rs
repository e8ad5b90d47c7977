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

/// Whether to leave out a member that is false.
#[allow(clippy::trivially_copy_pass_by_ref)] // serde gives a reference
fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests;
