//! `mdmtool scep`: certificates by SCEP (RFC 8894), from either side.
//!
//! Answers as the other commands do. Exit codes: 0 done; 1 the other side refused or failed it, is not the trusted
//! one, would not do for Apple's client, or a person has to decide first; 2 the command line or a file cannot be
//! used. No secret is taken from the command line.

mod advice;
mod caps;
mod certs;
mod challenge;
mod enroll;
mod obtain;
mod pending;
mod remote;
mod renew;
mod serve;
mod site;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::{console::Console, runtime::block_on};

/// The options of all of them, and which one.
#[derive(Debug, Args)]
pub(crate) struct Scep {
    /// Answer in one JSON document, or for `serve` in one a line; errors are JSON too, on standard error.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell what a server can do and which certificates it shows, and whether Apple's client takes that; exit
    /// code 1 if not.
    Caps(caps::Caps),
    /// Get a certificate for a new key.
    Enroll(Box<enroll::Enroll>),
    /// Get a certificate in place of one that ends: by its own key, or with a challenge as Apple's client does.
    Renew(Box<renew::Renew>),
    /// Be a server, with an authority of its own, until interrupted.
    Serve(Box<serve::Serve>),
    /// Issue a challenge for one certificate, and print it this once.
    Challenge(challenge::Issue),
    /// List the certificates that were issued.
    Certs(certs::List),
    /// Revoke a certificate.
    Revoke(certs::Revoke),
    /// List the requests that wait for a decision.
    Pending(pending::List),
    /// Let a request that waits have its certificate.
    Approve(pending::Approve),
    /// Let a request that waits have none.
    Deny(pending::Deny),
}

impl Scep {
    /// Runs the command and tells what came of it.
    pub(crate) fn run(self) -> ExitCode {
        let mut console = Console::new(self.json);
        let done = block_on(async {
            match self.command {
                Command::Caps(caps) => caps.run(&mut console).await,
                Command::Enroll(enroll) => enroll.run(&mut console).await,
                Command::Renew(renew) => renew.run(&mut console).await,
                Command::Serve(serve) => serve.run(&mut console).await,
                Command::Challenge(issue) => issue.run(&mut console).await,
                Command::Certs(list) => list.run(&mut console).await,
                Command::Revoke(revoke) => revoke.run(&mut console).await,
                Command::Pending(list) => list.run(&mut console).await,
                Command::Approve(approve) => approve.run(&mut console).await,
                Command::Deny(deny) => deny.run(&mut console).await,
            }
        });
        match done.and(console.finish()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => failure.tell(self.json),
        }
    }
}
