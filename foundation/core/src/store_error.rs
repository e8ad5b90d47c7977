//! How a store fails, told without naming its database.

use std::{error, fmt, sync::Arc};

/// A store that did not do what it was asked. Nothing of the step is recorded.
#[derive(Debug, Clone)]
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

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl error::Error for StoreError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn error::Error + 'static))
    }
}

/// What is wrong with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// Another program holds the lock.
    Locked,
    /// The disk, or the limit set for the store, is full.
    Full,
    /// The store can be read only.
    ReadOnly,
    /// The store is damaged, or is not a store of this program.
    Corrupt,
    /// A newer program wrote the store.
    SchemaTooNew {
        /// The version of the store.
        found: u32,
        /// The newest version that this program knows.
        known: u32,
    },
    /// The store cannot be reached or opened.
    Unreachable,
    /// The store was closed.
    Closed,
    /// Anything else.
    Other,
}

impl fmt::Display for StoreErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Locked => "the store is locked by another program",
            Self::Full => "the store is full",
            Self::ReadOnly => "the store is read-only",
            Self::Corrupt => "the store is damaged or not one of this program",
            Self::SchemaTooNew { found, known } => {
                return write!(
                    f,
                    "the store has schema version {found}, this program knows {known}"
                );
            }
            Self::Unreachable => "the store cannot be reached",
            Self::Closed => "the store is closed",
            Self::Other => "the store failed",
        })
    }
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
