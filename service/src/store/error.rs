//! How a store fails, told without naming its database.

use std::{error, sync::Arc};

/// A store that did not do what it was asked. Nothing of the step is recorded.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{kind}")]
#[non_exhaustive]
pub struct StoreError {
    /// What is wrong.
    kind: StoreErrorKind,
    /// What the database said.
    source: Option<Arc<dyn error::Error + Send + Sync>>,
}

impl StoreError {
    /// An error of that kind.
    pub fn new(kind: StoreErrorKind) -> Self {
        Self { kind, source: None }
    }

    /// An error with what the database said. It is logged, so it must hold no secret.
    pub fn with_source(
        kind: StoreErrorKind,
        source: impl Into<Box<dyn error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            kind,
            source: Some(Arc::from(source.into())),
        }
    }

    /// What is wrong.
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

/// What is wrong with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// Another program holds the lock.
    #[error("the store is locked by another program")]
    Locked,
    /// The disk, or the limit set for the store, is full.
    #[error("the store is full")]
    Full,
    /// The store can be read only.
    #[error("the store is read-only")]
    ReadOnly,
    /// The store is damaged, or is not a store of this program.
    #[error("the store is damaged or not one of this program")]
    Corrupt,
    /// A newer program wrote the store.
    #[error("the store has schema version {found}, this program knows {known}")]
    SchemaTooNew {
        /// The version of the store.
        found: u32,
        /// The newest version that this program knows.
        known: u32,
    },
    /// The store cannot be reached or opened.
    #[error("the store cannot be reached")]
    Unreachable,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// Anything else.
    #[error("the store failed")]
    Other,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_its_kind_and_keeps_its_cause() {
        let error = StoreError::with_source(StoreErrorKind::Full, "database or disk is full");
        assert_eq!(error.to_string(), "the store is full");
        assert_eq!(
            error::Error::source(&error).unwrap().to_string(),
            "database or disk is full"
        );
        assert_eq!(error.kind(), StoreErrorKind::Full);
    }
}
