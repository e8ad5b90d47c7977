//! `bypass-code`: what unlocks a device that the organization has locked. All of it happens here:
//! nothing is sent.

use std::path::Path;

use ade_client::{BypassCode, bypass_code::InvalidBypassCode};
use clap::{Args, Subcommand};
use mdmtool::input;
use serde_json::json;

use super::{Done, console::Console, failure::Failure, text};

/// The longest text that is read from standard input, in bytes.
const MAX_BYTES: usize = 4096;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a code, and the hash that Apple is given with it. Store the code before anything is
    /// locked: nobody else has it.
    New,
    /// Tell the hash that Apple is given for a code.
    Hash(Code),
    /// Check a code as somebody has typed it, and write it as it is meant.
    Parse(Code),
}

#[derive(Debug, Args)]
pub(super) struct Code {
    /// The code, in either case and with or without dashes and blanks; or - to read it from standard
    /// input, where no list of processes shows it.
    #[arg(value_name = "CODE", required = true)]
    code: Vec<String>,
}

impl Command {
    pub(super) fn run(self, console: &mut Console) -> Done {
        let (code, shown): (_, &[&str]) = match self {
            Self::New => (BypassCode::generate()?, &["code", "escrow_key"]),
            Self::Hash(code) => (code.read()?, &["escrow_key"]),
            Self::Parse(code) => (code.read()?, &["code"]),
        };
        let mut told = json!({});
        for key in shown {
            told[*key] = match *key {
                "code" => code.to_text().expose().as_str().into(),
                _ => code.escrow_key()?.to_upper_hex().into(),
            };
        }
        console.answer(&told, || match shown {
            [only] => told[*only].as_str().unwrap_or_default().to_owned(),
            _ => text::fields(&told, &[]),
        })
    }
}

impl Code {
    fn read(&self) -> Result<BypassCode, Failure> {
        let mut text = self.code.join(" ");
        if text == "-" {
            let bytes = input::read(Path::new("-"), MAX_BYTES)?;
            text = String::from_utf8_lossy(&bytes).into_owned();
        }
        text.parse().map_err(|error: InvalidBypassCode| {
            Failure::input(
                error.to_string(),
                "a symbol is missing, too many or misread; a code looks like \
                 3UM43-PUYVY-QYD1-UVCC-HEHJ-FKA4",
            )
        })
    }
}
