//! `mdmtool profile`: configuration profiles, from the first recipe to the update of what is installed.
//!
//! A command answers in text, in colour on a terminal, or with `--json` in one JSON document. What went
//! wrong is one line on standard error, or one JSON document there. Exit codes: 0 done, and nothing is
//! wrong; 1 something is: findings, a signature that does not count, a difference, an update that is
//! refused; 2 the command line or a file cannot be used. No secret is taken from the command line, and
//! none is shown unless that is asked for.

mod changes;
mod fmt;
mod lint;
mod new;
mod output;
mod seal;
mod show;
mod sign;
mod source;
mod tree;
mod verify;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::{
    colour::{Paint, When},
    console::Console,
    failure::Failure,
};

/// The options of all of them, and which one.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Profile {
    /// Answer in one JSON document; errors are JSON too, on standard error.
    #[arg(long, global = true)]
    json: bool,
    /// When to write in colour.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: When,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done, and nothing is wrong; 1 something is: findings, a signature that does not count, a difference,
an update that is refused; 2 the command line or a file cannot be used.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a profile by a recipe; the same options make the same bytes.
    #[command(subcommand)]
    New(Box<new::Recipe>),
    /// Tell what a profile says; no secret is shown unless that is asked for.
    Show(show::Show),
    /// Tell what is wrong, weak or worn out in profiles; exit code 1 for errors.
    Lint(lint::Lint),
    /// Write a profile anew, as XML or binary, and lose nothing.
    Fmt(fmt::Fmt),
    /// Sign a profile: CMS with SHA-256 and the chain.
    Sign(sign::Sign),
    /// Tell what a profile's signature is worth, layer by layer; exit code 1 if it does not count.
    Verify(verify::Verify),
    /// Encrypt a profile's payloads to a device.
    Encrypt(seal::Encrypt),
    /// Decrypt a profile's payloads.
    Decrypt(seal::Decrypt),
    /// Tell what is different between two profiles; exit code 1 if anything is.
    Diff(changes::Diff),
    /// Tell what a device that has one profile does with another; exit code 1 if it refuses.
    Predict(changes::Predict),
}

/// What a command found: nothing wrong, or something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Fine,
    Found,
}

impl Verdict {
    fn of(is_fine: bool) -> Self {
        if is_fine { Self::Fine } else { Self::Found }
    }
}

type Told = Result<Verdict, Failure>;

impl Profile {
    /// Runs the command and tells what came of it.
    pub(crate) fn run(self) -> ExitCode {
        let mut console = Console::new(self.json);
        let console = &mut console;
        let paint = Paint::new(self.color);
        let told = match self.command {
            Command::New(recipe) => recipe.run(console).map(|()| Verdict::Fine),
            Command::Show(show) => show.run(console, paint).map(|()| Verdict::Fine),
            Command::Lint(lint) => lint.run(console, paint),
            Command::Fmt(fmt) => fmt.run(console),
            Command::Sign(sign) => sign.run(console).map(|()| Verdict::Fine),
            Command::Verify(verify) => verify.run(console, paint),
            Command::Encrypt(encrypt) => encrypt.run(console).map(|()| Verdict::Fine),
            Command::Decrypt(decrypt) => decrypt.run(console).map(|()| Verdict::Fine),
            Command::Diff(diff) => diff.run(console, paint),
            Command::Predict(predict) => predict.run(console, paint),
        };
        let told = told.and_then(|verdict| console.finish().map(|()| verdict));
        match told {
            Ok(Verdict::Fine) => ExitCode::SUCCESS,
            Ok(Verdict::Found) => ExitCode::FAILURE,
            Err(failure) => failure.tell(self.json),
        }
    }
}
