//! Files for a test, gone when the test ends.

use std::{cell::RefCell, path::PathBuf};

use tempfile::TempDir;

thread_local! {
    /// A test has a thread of its own, so these go with it.
    static FOLDERS: RefCell<Vec<TempDir>> = const { RefCell::new(Vec::new()) };
}

/// A path in a new folder, where no file is yet.
pub(crate) fn path() -> PathBuf {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("mdm.sqlite");
    FOLDERS.with_borrow_mut(|folders| folders.push(folder));
    path
}
