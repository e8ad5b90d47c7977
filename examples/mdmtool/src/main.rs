//! `mdmtool`: tells what an Apple-MDM document is and says, checks it, explains the vocabulary, and works with
//! configuration profiles, Apple's device-assignment and push services, and certificates by SCEP and ACME.

mod acme;
mod ade;
mod attest;
mod certificate;
mod cli;
mod colour;
mod console;
mod failure;
mod files;
mod interval;
mod issue;
mod kind;
mod profile;
mod push;
mod runtime;
mod scep;
mod text;
mod web;

use std::{env, process::ExitCode};

use clap::Parser;

fn main() -> ExitCode {
    match cli::Cli::try_parse() {
        Ok(cli) => cli.run(),
        Err(error) => {
            let mut arguments = env::args_os().skip(1);
            let first = arguments.next().unwrap_or_default();
            let wants_json = arguments.any(|argument| argument == "--json");
            let command = ["acme", "ade", "attest", "profile", "push", "scep"]
                .into_iter()
                .find(|name| first == *name);
            failure::usage(&error, command.filter(|_| wants_json))
        }
    }
}
