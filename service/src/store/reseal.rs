//! Everything that lies sealed in a store, for whoever seals it anew.

use std::fmt;

use async_trait::async_trait;
use mdm_protocol::EnrollmentId;

use super::StoreError;

/// Access to what [`Sealed`](crate::Sealed) has sealed, as it lies there, so that it can be sealed anew under
/// another key while the store is in use: [`Sealed::reseal`](crate::Sealed::reseal).
#[async_trait]
pub trait ResealStore: fmt::Debug + Send + Sync {
    /// The values of one kind behind `after`, in the order of their rows, at most `limit`. What is there
    /// all the while is listed; what comes meanwhile may be or not.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot answer.
    async fn sealed_values(
        &self,
        kind: SealedKind,
        after: SealedRow,
        limit: usize,
    ) -> Result<Vec<SealedValue>, StoreError>;

    /// Puts each second value of that kind in the place of the first where that still lies there, byte for
    /// byte; tells how many were replaced. A row that somebody else is changing may be left as it is. Nothing else changes,
    /// no version either.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed: then nothing is replaced.
    async fn replace_sealed(
        &self,
        kind: SealedKind,
        changes: Vec<(SealedValue, Vec<u8>)>,
    ) -> Result<usize, StoreError>;
}

/// What a sealed value is. A store knows each of them, so there is none beyond these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a store that left one out would keep it under a key that is thrown away"
)]
pub enum SealedKind {
    /// The unlock token of an enrolment.
    UnlockToken,
    /// Its bootstrap token.
    BootstrapToken,
    /// A secret in escrow; its name is the kind of secret.
    Escrow,
    /// The body of a command; its name is the `CommandUUID`.
    Command,
    /// What a device answered to it; its name is the same.
    CommandResult,
}

impl SealedKind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::UnlockToken,
        Self::BootstrapToken,
        Self::Escrow,
        Self::Command,
        Self::CommandResult,
    ];
}

/// A sealed value where it lies.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SealedValue {
    /// The row that it lies in.
    pub row: SealedRow,
    /// Whose it is.
    pub holder: EnrollmentId,
    /// Which one of the holder's, as [`SealedKind`] says; empty for tokens.
    pub name: String,
    /// The value.
    pub sealed: Vec<u8>,
}

impl SealedValue {
    /// A value of an enrolment.
    pub fn new(
        row: SealedRow,
        holder: EnrollmentId,
        name: impl Into<String>,
        sealed: impl Into<Vec<u8>>,
    ) -> Self {
        Self {
            row,
            holder,
            name: name.into(),
            sealed: sealed.into(),
        }
    }
}

impl fmt::Debug for SealedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedValue")
            .field("row", &self.row)
            .field("holder", &self.holder)
            .finish_non_exhaustive()
    }
}

/// A row, as the store tells its rows apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SealedRow(u64, u64);

impl SealedRow {
    /// Before all rows.
    pub const START: Self = Self(0, 0);

    /// A row by its key, of one number or two.
    pub const fn new(first: u64, second: u64) -> Self {
        Self(first, second)
    }

    /// Its key.
    pub const fn key(self) -> (u64, u64) {
        (self.0, self.1)
    }
}
