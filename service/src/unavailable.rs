//! Somebody whom the service asks cannot answer now.

use std::error;

use crate::StoreError;

/// What is asked of a vendor cannot be told now: its database or another service is away. The device is
/// answered 503 with `Retry-After`, nothing is recorded, and it comes again.
#[derive(Debug, thiserror::Error)]
#[error("cannot be told now")]
pub struct Unavailable(#[source] Box<dyn error::Error + Send + Sync>);

impl Unavailable {
    /// What went wrong. It is logged, so it must hold no secret.
    pub fn new(cause: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

impl From<StoreError> for Unavailable {
    fn from(error: StoreError) -> Self {
        Self::new(error)
    }
}
