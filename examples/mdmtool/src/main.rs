//! `mdmtool`: tells what an Apple-MDM document is and says, checks it, explains the vocabulary, and
//! works with Apple's device-assignment and push services.

mod ade;
mod attest;
mod cli;
mod console;
mod failure;
mod kind;
mod push;
mod runtime;
mod text;

use std::{env, process::ExitCode};

use clap::Parser;

fn main() -> ExitCode {
    match cli::Cli::try_parse() {
        Ok(cli) => cli.run(),
        Err(error) => {
            let mut arguments = env::args_os().skip(1);
            let first = arguments.next().unwrap_or_default();
            let wants_json = arguments.any(|argument| argument == "--json");
            let command = ["ade", "attest", "push"]
                .into_iter()
                .find(|name| first == *name);
            failure::usage(&error, command.filter(|_| wants_json))
        }
    }
}
