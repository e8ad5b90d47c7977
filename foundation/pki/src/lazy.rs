//! What is made when it is first asked for.

use std::sync::{Arc, OnceLock};

use crate::error::Error;

/// A value that is made once, and shared by all clones of its owner.
///
/// Behind a trait object, since it takes no part in what its owner equals: whoever has a key or a certificate as the key of a map
/// would be warned of interior mutability.
pub(crate) struct Lazy<T>(Arc<dyn Cell<T>>);

trait Cell<T>: Send + Sync {
    fn cell(&self) -> &OnceLock<T>;
}

impl<T: Send + Sync> Cell<T> for OnceLock<T> {
    fn cell(&self) -> &OnceLock<T> {
        self
    }
}

impl<T: Send + Sync + 'static> Lazy<T> {
    pub(crate) fn new() -> Self {
        Self(Arc::new(OnceLock::new()))
    }

    /// The value; one that cannot be made is asked for anew each time.
    pub(crate) fn get(&self, make: impl FnOnce() -> Result<T, Error>) -> Result<&T, Error> {
        let cell = self.0.cell();
        match cell.get() {
            Some(made) => Ok(made),
            None => {
                let made = make()?;
                Ok(cell.get_or_init(|| made))
            }
        }
    }
}

impl<T> Clone for Lazy<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
