//! How much of what strangers leave behind is kept.

/// How many entries of `mdm-scep` are kept of what strangers or passing requests leave behind. Certificates
/// are not bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// One-time challenges, which orders of ACME have as well. Default 1,000,000.
    pub challenges: usize,
    /// Requests that wait for a person. Default 100,000.
    pub pending: usize,
    /// Accounts of ACME. Default 1,000,000.
    pub accounts: usize,
    /// Orders of ACME, which are kept as long as their certificates are valid. Default 1,000,000.
    pub orders: usize,
    /// Nonces of ACME that were spent and have not expired. Default 1,000,000.
    pub nonces: usize,
    /// Attested keys, which are never forgotten. Default 10,000,000.
    pub attested_keys: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            challenges: 1_000_000,
            pending: 100_000,
            accounts: 1_000_000,
            orders: 1_000_000,
            nonces: 1_000_000,
            attested_keys: 10_000_000,
        }
    }
}

impl Limits {
    /// The limits after `edit`.
    #[must_use]
    pub fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }
}
