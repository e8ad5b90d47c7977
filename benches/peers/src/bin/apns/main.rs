//! `cargo xtask bench apns`: pushes over one connection, by our client, by `a2` with and without
//! TCP_NODELAY, by apns2 and nanopush in Go, and by h2load, against the fake service.
//!
//! Each client and the service is a process of its own. What is compared are pushes per second,
//! and at many in flight the processor time of 100,000 pushes; peak memory is stated. The second
//! part counts what each client loses while the service goes away every 1,000 pushes.

mod client;
mod faults;
mod process;
mod service;
mod side;
mod table;
mod usual;

use std::{error::Error, process::ExitCode};

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        [] => whole(),
        ["table"] => table::table(),
        ["faults"] => faults::faults(),
        ["serve", folder, behaviour, number] => service::serve(folder, behaviour, number),
        ["push", port, folder, in_flight, pushes] => client::push(port, folder, in_flight, pushes),
        _ => Err("usage: apns [table | faults]".into()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("apns: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Both parts, whatever the first comes to.
fn whole() -> Result<bool, Failure> {
    let table = table::table()?;
    let faults = faults::faults()?;
    Ok(table && faults)
}
