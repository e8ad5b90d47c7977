//! `cargo xtask bench service`: the command endpoint, by our server over SQLite, by our server over PostgreSQL, and by
//! nanomdm over the same PostgreSQL: polls a second, how long a poll takes, what it costs server and database.
//!
//! In every poll a device of 10,000 reports a result, signed by its own identity, and gets its next command; the result is
//! on the disk before the answer leaves, on every side. Messages are signed before the clock runs, over one kept-alive
//! connection each of so many.

mod client;
mod compare;
mod devices;
mod load;
mod nanomdm;
mod pending;
mod process;
mod serve;
mod world;

use std::{error::Error, process::ExitCode};

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        [] => whole(),
        ["compare"] => compare::compare(),
        ["pending"] => pending::pending(),
        ["alone", side, connections, rounds] => compare::alone(side, connections, rounds),
        ["serve", store, address, ca] => serve::serve(store, address, ca.as_ref()),
        _ => {
            let usage = "usage: service [compare | pending | alone SIDE CONNECTIONS ROUNDS]";
            Err(usage.into())
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("service: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Both parts, whatever the first comes to.
fn whole() -> Result<bool, Failure> {
    let compared = compare::compare()?;
    let queued = pending::pending()?;
    Ok(compared && queued)
}
