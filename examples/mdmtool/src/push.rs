//! `mdmtool push`: Apple's push service, and the certificate that it takes.
//!
//! A command answers in text, or with `--json` in one JSON document. What went wrong is one line on
//! standard error, or one JSON document there, and says what to do next. Exit codes: 0 done, and
//! nothing else to do; 1 the push was not taken, the certificate is the wrong one or nears its end;
//! 2 the command line or a file cannot be used. No secret is taken from the command line.

mod advice;
mod cert;
mod files;
mod send;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::{console::Console, runtime::block_on};

/// The options of all of them, and which one.
#[derive(Debug, Args)]
pub(crate) struct Push {
    /// Answer in one JSON document; errors are JSON too, on standard error.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Send one push, and tell what became of it and what to do; exit code 1 if it was not taken.
    Send(Box<send::Send>),
    /// Get a push certificate, look at it, renew it.
    #[command(subcommand)]
    Cert(cert::Command),
}

impl Push {
    /// Runs the command and tells what came of it.
    pub(crate) fn run(self) -> ExitCode {
        let mut console = Console::new(self.json);
        let done = match self.command {
            Command::Send(send) => block_on(send.run(&mut console)),
            Command::Cert(cert) => cert.run(&mut console),
        };
        match done.and(console.finish()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => failure.tell(self.json),
        }
    }
}
