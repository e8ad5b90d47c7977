//! `cargo xtask bench scep`: processor time of the server for one RSA-2048 certificate, by our server over
//! SQLite, by micromdm's scepserver and by step-ca, over loopback HTTP with one connection and with eight.
//!
//! Requests are made before and replies checked after the clock runs; every certificate is on the disk
//! before it leaves, on either side. Ours is held against OpenSSL's own speed too, and has to stay flat from
//! 1,000 to 100,000 stored certificates.

mod client;
mod compare;
mod load;
mod process;
mod scale;
mod serve;
mod step_ca;

use std::{error::Error, process::ExitCode};

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        [] => whole(),
        ["compare"] => compare::compare(),
        ["scale"] => scale::scale(),
        ["alone", connections, rounds] => alone(connections, rounds),
        ["serve", folder] => serve::serve(folder.as_ref()),
        _ => Err("usage: scep [compare | scale | alone CONNECTIONS ROUNDS]".into()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("scep: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// How many requests are one round of ours by itself.
const ALONE: usize = 1500;

/// Ours by itself, for whoever looks where its time goes. The first round is that of a server that has just started.
fn alone(connections: &str, rounds: &str) -> Result<bool, Failure> {
    let runtime = tokio::runtime::Runtime::new()?;
    let devices = client::Devices::new()?;
    let connections = connections.parse()?;
    let server = process::Running::start(process::Side::Ours)?;
    for round in 0..rounds.parse::<usize>()? {
        let run = load::run(&server, &devices, round * ALONE, ALONE, connections);
        let run = runtime.block_on(run)?;
        let load::Run {
            each,
            system,
            rate,
            failed,
        } = run;
        println!(
            "{each:.0} µs/certificate, {system:.0} of it the system's; {rate:.0}/s; {failed} failed"
        );
    }
    Ok(true)
}

/// Both parts, whatever the first comes to.
fn whole() -> Result<bool, Failure> {
    let compared = compare::compare()?;
    let scaled = scale::scale()?;
    Ok(compared && scaled)
}
