//! What the service asks of a database.
//!
//! Two shapes. On the hot path one method is one atomic step ([`CommandStore`]). For rare decisions
//! the store loads, [`decide`](crate::enrollment::decide) decides, the store commits
//! ([`EnrollmentStore`]). A vendor's own store is right when it passes the `contract` suite (feature
//! `contract`).
//!
//! Each method that changes something does all of it or, where it fails, nothing. Times are compared
//! as they are given; none is asked for. A store may keep them in whole microseconds.

mod commands;
mod enrollments;
mod escrow;
mod invitations;
mod leases;
mod memory;
mod outbox;
mod pushes;
mod reseal;
mod shared;
mod vault;

pub use commands::CommandStore;
pub use enrollments::{CommitError, EnrollmentFilter, EnrollmentStore};
pub use escrow::EscrowStore;
pub use invitations::InvitationStore;
pub use leases::LeaseStore;
pub use mdm_core::{StoreError, StoreErrorKind};
pub use memory::MemoryStore;
pub use outbox::Outbox;
pub use pushes::PushStore;
pub use reseal::{ResealStore, SealedKind, SealedRow, SealedValue};
pub use vault::{InvalidSecretName, SecretName, VaultStore};

/// Everything that the service needs of a database. [`VaultStore`] is for the server's own secrets and
/// [`ResealStore`] for a change of the sealing key; a store may do without.
pub trait Store:
    EnrollmentStore + CommandStore + PushStore + InvitationStore + EscrowStore + Outbox + LeaseStore
{
}

impl<S> Store for S where
    S: EnrollmentStore
        + CommandStore
        + PushStore
        + InvitationStore
        + EscrowStore
        + Outbox
        + LeaseStore
        + ?Sized
{
}
