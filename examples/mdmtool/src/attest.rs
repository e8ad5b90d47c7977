//! `mdmtool attest`: what a device attests through Apple, in ACME or in answer to DeviceInformation.
//!
//! Answers as the other commands do. Exit codes: 0 it could be read and, where that was asked for, verified; 1 it is
//! not believed, or the device does not attest; 2 the command line or a file cannot be used.

mod source;
mod told;

pub(crate) use self::source::att_obj;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use mdm_pki::{
    Certificate,
    attestation::{Answer, Freshness, Statement, Verifier},
    pem::decode_base64,
};
use mdmtool::{input, one_line};
use serde_json::{Value, json};

use crate::{
    console::Console,
    failure::{Done, Failure},
    kind::Kind,
    text,
};

/// The longest file that is read, in bytes.
const MAX_BYTES: usize = 1024 * 1024;

/// The options of all of them, and which one.
#[derive(Debug, Args)]
pub(crate) struct Attest {
    /// Answer in one JSON document; errors are JSON too, on standard error.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell what an attestation says of the device, and with --root whether it holds.
    Decode(Decode),
}

#[derive(Debug, Args)]
struct Decode {
    /// The attestation, or - for standard input: ACME's attObj as CBOR, base64, or JSON; certificates
    /// in PEM or DER, the device's first; the response to DeviceInformation.
    file: PathBuf,
    /// Verify against this root, PEM or DER: Apple's is at
    /// https://www.apple.com/certificateauthority/private/.
    #[arg(long, value_name = "FILE", requires = "freshness")]
    root: Option<PathBuf>,
    /// The token of the ACME challenge that it has to answer.
    #[arg(long, value_name = "TEXT", requires = "root", group = "freshness")]
    token: Option<String>,
    /// The nonce of the DeviceInformation command that it has to answer, in hex.
    #[arg(long, value_name = "HEX", requires = "root", group = "freshness")]
    nonce: Option<String>,
    /// The same in base64, as in the command's property list.
    #[arg(long, value_name = "BASE64", requires = "root", group = "freshness")]
    nonce_base64: Option<String>,
    /// Verify as of this time, such as 2026-01-31T12:00:00Z, instead of now.
    #[arg(long, value_name = "TIME", requires = "root")]
    at: Option<DateTime<Utc>>,
}

impl Attest {
    /// Runs the command and tells what came of it.
    pub(crate) fn run(self) -> ExitCode {
        let mut console = Console::new(self.json);
        let Command::Decode(decode) = self.command;
        match decode.run(&mut console).and(console.finish()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => failure.tell(self.json),
        }
    }
}

impl Decode {
    fn run(self, console: &mut Console) -> Done {
        let stdin = |file: &Path| file.as_os_str() == "-";
        if stdin(&self.file) && self.root.as_deref().is_some_and(stdin) {
            return Err(Failure::input(
                "two files are to be read from standard input",
                "name a file for all but one of them",
            ));
        }
        let question = self.question()?;
        let bytes = input::read(&self.file, MAX_BYTES)?;
        let name = self.file.display();
        let (form, answer) = source::read(&bytes).map_err(|problem| {
            Failure::input(
                format!("{name}: {problem}"),
                "give ACME's attObj, a chain of certificates, or the response to DeviceInformation",
            )
        })?;
        let Answer::Attested(statement) = answer else {
            let document = json!({"form": form, "attested": false});
            console.answer(&document, || "the device does not attest".to_owned())?;
            return match question {
                None => Ok(()),
                Some(_) => Err(Failure::told(
                    Kind::Attestation,
                    "the device answered without attestation",
                    "whether that will do is for the server's policy to say",
                )),
            };
        };
        let outcome = question
            .map(|question| question.ask(&statement, self.at))
            .transpose();
        let mut document = told::document(form, &statement).map_err(|error| {
            Failure::input(
                format!("{name}: {}", one_line(&error)),
                "give an attestation of Apple's",
            )
        })?;
        if let (Value::Object(keys), Some(verified)) = (&mut document, verified(&outcome)) {
            keys.insert("verified".to_owned(), verified.into());
        }
        console.answer(&document, || told::text(&document))?;
        outcome.map(drop)
    }

    fn question(&self) -> Result<Option<Question>, Failure> {
        let Some(root) = &self.root else {
            return Ok(None);
        };
        let nonce = |bytes: Option<Vec<u8>>| {
            bytes.map(Freshness::nonce).ok_or_else(|| {
                Failure::input(
                    "the nonce cannot be read",
                    "give up to 32 bytes in hex or base64",
                )
            })
        };
        let freshness = match (&self.token, &self.nonce, &self.nonce_base64) {
            (Some(token), ..) => Freshness::acme(token),
            (_, Some(hex), _) => nonce(text::from_hex(hex))?,
            (_, _, Some(base64)) => nonce(decode_base64(base64.as_bytes()).ok())?,
            // clap sees to it that there is one.
            _ => nonce(None)?,
        };
        freshness.expected().map_err(|error| {
            Failure::input(
                one_line(&error),
                "give it as the server sent it to the device",
            )
        })?;
        Ok(Some(Question {
            verifier: verifier(root)?,
            freshness,
        }))
    }
}

/// What the attestation has to stand up to.
struct Question {
    verifier: Verifier,
    freshness: Freshness,
}

impl Question {
    fn ask(&self, statement: &Statement, at: Option<DateTime<Utc>>) -> Result<(), Failure> {
        let at = at.unwrap_or_else(Utc::now);
        match self.verifier.verify(statement, &self.freshness, at) {
            Ok(_) => Ok(()),
            Err(error) => Err(Failure::told(Kind::Attestation, one_line(&error), "")),
        }
    }
}

fn verified(outcome: &Result<Option<()>, Failure>) -> Option<bool> {
    match outcome {
        Ok(asked) => asked.map(|()| true),
        Err(_) => Some(false),
    }
}

fn verifier(file: &Path) -> Result<Verifier, Failure> {
    let bytes = input::read(file, MAX_BYTES)?;
    let roots = match Certificate::from_der(&bytes) {
        Ok(root) => Ok(vec![root]),
        Err(_) => Certificate::stack_from_pem(&bytes),
    };
    roots
        .and_then(|roots| Verifier::new(&roots))
        .map_err(|error| {
            Failure::input(
                format!("{}: {}", file.display(), one_line(&error)),
                "give Apple's Enterprise Attestation Root CA in PEM or DER",
            )
        })
}
