//! `mdmtool ade`: Apple's device-assignment service from the command line.
//!
//! A command answers in text, or with `--json` in one JSON document. What went wrong is one line on
//! standard error, or one JSON document there, and says what to do next. Exit codes: 0 done; 1 Apple
//! refused or failed it, be it for some devices alone; 2 the command line or a file cannot be used.

mod account;
pub(crate) mod advice;
mod assign;
mod beta_tokens;
mod bypass_code;
mod devices;
mod disown;
mod online;
mod profile;
mod serials;
mod sync;
mod token;
mod verdicts;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use self::console::Console;
use crate::{
    console,
    failure::{self, Done},
    runtime::block_on,
    text,
};

/// The options of all of them, and which one.
#[derive(Debug, Args)]
pub(crate) struct Ade {
    /// Answer in one JSON document; errors are JSON too, on standard error.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a key pair, whose certificate is uploaded to get a server token.
    Keygen(token::Keygen),
    /// Decrypt a server token and print it as JSON, without its secrets unless asked for.
    Token(token::Token),
    /// Tell which server and organization the token is for, and until when.
    Account(account::Show),
    /// List all devices of the server, or tell all about some.
    Devices(devices::Devices),
    /// Keep a store in step with Apple, and tell what changed.
    Sync(Box<sync::Sync>),
    /// Give devices a profile.
    Assign(assign::Assign),
    /// Define profiles, look at them, take them away from devices.
    #[command(subcommand)]
    Profile(profile::Command),
    /// Give devices up for good: they leave the organization, and nothing brings them back.
    Disown(disown::Disown),
    /// List the beta programmes that devices can be enrolled in.
    BetaTokens(beta_tokens::BetaTokens),
    /// Make and read bypass codes of Activation Lock.
    #[command(subcommand)]
    BypassCode(bypass_code::Command),
}

impl Ade {
    /// Runs the command and tells what came of it.
    pub(crate) fn run(self) -> ExitCode {
        let mut console = Console::new(self.json);
        let done = match self.command {
            Command::Keygen(keygen) => keygen.run(&mut console),
            Command::Token(token) => token.run(&mut console),
            Command::Account(show) => block_on(show.run(&mut console)),
            Command::Devices(devices) => block_on(devices.run(&mut console)),
            Command::Sync(sync) => block_on(sync.run(&mut console)),
            Command::Assign(assign) => block_on(assign.run(&mut console)),
            Command::Profile(profile) => block_on(profile.run(&mut console)),
            Command::Disown(disown) => block_on(disown.run(&mut console)),
            Command::BetaTokens(tokens) => block_on(tokens.run(&mut console)),
            Command::BypassCode(code) => code.run(&mut console),
        };
        let done = done.and(console.finish());
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => failure.tell(self.json),
        }
    }
}
