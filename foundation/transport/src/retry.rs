//! When to ask again: a pure policy, the reading of Retry-After, and a transport that applies both.

mod after;
mod policy;
mod retrying;

pub use after::retry_after;
pub use policy::{Attempt, Outcome, RetryPolicy};
pub use retrying::Retrying;
