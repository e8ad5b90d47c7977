//! Look-ups by key where they are asked for, without a reader's thread.
//!
//! What an authority asks for on its way to a certificate is one row by its id, some 20 µs of work. To wake a thread for it, which
//! wakes the caller's, takes longer; so it is done on a connection for that alone, by whoever finds it free.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, TryLockError},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};

use crate::sqlite::engine::Engine;

/// Statements that the connection keeps prepared.
const STATEMENTS: usize = 16;

/// What it keeps of the file in memory, as SQLite counts it (negative for KiB): the inner pages of the trees.
const CACHE: i64 = -512;

/// A connection that only reads. Clones share it.
#[derive(Clone, Default)]
pub(in crate::sqlite) struct Here(Arc<Mutex<State>>);

#[derive(Default)]
enum State {
    /// Nobody has asked yet, or the connection was given up.
    #[default]
    Unopened,
    Open(Connection),
    Closed,
}

impl Here {
    /// What the query finds; nothing where it is to be put to a reader: the connection is somebody else's at the moment, or
    /// there is a lock or an error in the way, which the reader waits for or tells of.
    pub(super) fn look<T>(
        &self,
        engine: &Engine,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Option<T> {
        let mut state = match self.0.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        if matches!(*state, State::Unopened) {
            *state = State::Open(open(engine).ok()?);
        }
        let State::Open(connection) = &*state else {
            return None;
        };
        let found = query(connection);
        if found.is_err() {
            *state = State::Unopened;
        }
        found.ok()
    }

    /// Lets go of the file, for good.
    pub(in crate::sqlite) fn close(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = State::Closed;
    }
}

fn open(engine: &Engine) -> rusqlite::Result<Connection> {
    // The lock keeps it on one thread at a time.
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(engine.path(), flags)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.busy_timeout(Duration::ZERO)?;
    connection.pragma_update(None, "cache_size", CACHE)?;
    Ok(connection)
}

impl fmt::Debug for Here {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Here")
    }
}
