//! `mdmtool`: tells what an Apple-MDM document is and says, checks it, explains the vocabulary, and
//! works with Apple's device-assignment service.

mod ade;
mod cli;

use std::{env, process::ExitCode};

use clap::Parser;

fn main() -> ExitCode {
    match cli::Cli::try_parse() {
        Ok(cli) => cli.run(),
        Err(error) => {
            let mut arguments = env::args_os().skip(1);
            let is_ade = arguments.next().is_some_and(|first| first == "ade");
            ade::usage(
                &error,
                is_ade && arguments.any(|argument| argument == "--json"),
            )
        }
    }
}
