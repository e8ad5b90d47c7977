//! Fresh nonces that answers brought, each for one request (RFC 8555 section 6.5).

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The most nonces that are kept.
const MOST: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Nonces(Mutex<Vec<String>>);

impl Nonces {
    /// The newest one: servers forget the oldest first.
    pub(super) fn take(&self) -> Option<String> {
        self.lock().pop()
    }

    pub(super) fn keep(&self, nonce: String) {
        let mut kept = self.lock();
        if kept.len() == MOST {
            kept.remove(0);
        }
        kept.push(nonce);
    }

    /// Forgets all: one that was refused is seldom alone.
    pub(super) fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_a_bounded_number_is_used_once() {
        let nonces = Nonces::default();
        assert_eq!(nonces.take(), None);
        for number in 0..=MOST {
            nonces.keep(number.to_string());
        }
        let taken: Vec<_> = std::iter::from_fn(|| nonces.take()).collect();
        let expected: Vec<_> = (1..=MOST).rev().map(|number| number.to_string()).collect();
        assert_eq!(taken, expected);
        nonces.keep("a".to_owned());
        nonces.forget();
        assert_eq!(nonces.take(), None);
    }
}
