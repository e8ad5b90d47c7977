//! `mdmtool acme`: certificates by ACME (RFC 8555), with the attestation of Apple's devices, from either side.
//!
//! Answers as the other commands do. Exit codes: 0 done; 1 the other side refused or failed it, or a key has to be
//! attested first; 2 the command line or a file cannot be used. No secret is taken from the command line.

mod advice;
mod answers;
mod devices;
mod enroll;
mod hosts;
mod order;
mod serve;
mod site;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::{console::Console, runtime::block_on};

/// The options of all of them, and which one.
#[derive(Debug, Args)]
pub(crate) struct Acme {
    /// Answer in one JSON document, or for `serve` in one a line; errors are JSON too, on standard error.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Get a certificate for a new key: of a device that attests it, or of host names.
    Enroll(Box<enroll::Enroll>),
    /// Be a server, with an authority of its own, until interrupted. `mdmtool scep certs` and `revoke` work with
    /// its store.
    Serve(Box<serve::Serve>),
}

impl Acme {
    /// Runs the command and tells what came of it.
    pub(crate) fn run(self) -> ExitCode {
        let mut console = Console::new(self.json);
        let done = block_on(async {
            match self.command {
                Command::Enroll(enroll) => enroll.run(&mut console).await,
                Command::Serve(serve) => serve.run(&mut console).await,
            }
        });
        match done.and(console.finish()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => failure.tell(self.json),
        }
    }
}
