//! The commands and their options.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};
use mdm_schema::Target;
use mdmtool::{
    Error, Options, decode, explain, input, one_line, roundtrip,
    schema::{self, SchemaKind},
    validate,
};

use crate::{acme::Acme, ade::Ade, attest::Attest, profile::Profile, push::Push, scep::Scep};

/// Tells what an Apple-MDM document is and says, and works with profiles, device assignment, push, SCEP and ACME.
#[derive(Debug, Parser)]
#[command(name = "mdmtool", version, about)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print what a file is, and what it says, as JSON, secrets included.
    Decode(Decode),
    /// Check a file against Apple's schema, and whether a device would take it: a line for each
    /// finding; exit code 0 without errors, 1 with some, 2 for what cannot be read.
    Validate(Validate),
    /// Read a file as its own types, write it from them again, compare, and check it; as JSON.
    Roundtrip(Decode),
    /// List, count or dump Apple's vocabulary.
    #[command(subcommand)]
    Schema(SchemaCommand),
    /// Tell what a name of Apple's vocabulary means, and whether a device takes it.
    Explain(Explain),
    /// Work with configuration profiles: make, show, check, sign, encrypt and compare them, and tell
    /// what an update does.
    Profile(Box<Profile>),
    /// Work with Apple's device-assignment service: tokens, devices, profiles.
    Ade(Ade),
    /// Look at what a device attests through Apple.
    Attest(Attest),
    /// Work with Apple's push service: send a push, get, look after and renew the certificate.
    Push(Box<Push>),
    /// Work with certificates by SCEP: get and renew them, look at a server, be one.
    Scep(Box<Scep>),
    /// Work with certificates by ACME and Apple's device attestation: get them, be a server.
    Acme(Box<Acme>),
}

/// A file, and what is known about it beforehand.
#[derive(Debug, Args)]
struct Input {
    /// The file, or - for standard input.
    file: PathBuf,
    /// What the file is, where its content cannot tell: KIND or KIND/NAME, such as
    /// response/RestartDevice.
    #[arg(long = "as", value_name = "KIND/NAME")]
    as_kind: Option<String>,
    /// The type, where the file does not name its own: by name, or by the file in Apple's
    /// repository, such as device.erase.
    #[arg(long = "type", value_name = "NAME")]
    hint: Option<String>,
    /// The private key, PEM or DER, to open what is encrypted.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The longest file that is read, in bytes.
    #[arg(long, value_name = "N", default_value_t = Options::default().limit)]
    max_bytes: usize,
}

#[derive(Debug, Args)]
struct Decode {
    #[command(flatten)]
    input: Input,
}

#[derive(Debug, Args)]
struct Validate {
    #[command(flatten)]
    input: Input,
    /// The device that it is meant for: system and version first, as in ios:18.2,supervised; then as
    /// needed automated, not-user-approved, user-enrollment or local, user-channel, shared-ipad.
    #[arg(long, value_name = "TARGET")]
    target: Option<Target>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum SchemaCommand {
    /// List the documents.
    List {
        /// Of this kind alone, such as command, payload or statusItem.
        kind: Option<SchemaKind>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Count documents and keys, as JSON.
    Stats,
    /// Print the tables whole, as JSON.
    Dump,
}

#[derive(Debug, Args)]
struct Explain {
    /// A document, a Document.Key, a status item, a skip key, a code: EraseDevice,
    /// com.apple.wifi.managed, passcode.settings, DeviceLock.PIN.
    name: String,
    /// The device that is asked about: system and version first, then as needed supervised,
    /// automated, not-user-approved, user-enrollment or local, user-channel, shared-ipad.
    #[arg(long, value_name = "TARGET")]
    target: Option<Target>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// What goes to standard output, and the exit code.
#[derive(Debug)]
struct Output {
    text: String,
    code: u8,
}

impl Cli {
    /// Runs the command and tells what came of it.
    pub(crate) fn run(self) -> ExitCode {
        let text = match self.command {
            Command::Profile(profile) => return profile.run(),
            Command::Ade(ade) => return ade.run(),
            Command::Attest(attest) => return attest.run(),
            Command::Push(push) => return push.run(),
            Command::Scep(scep) => return scep.run(),
            Command::Acme(acme) => return acme.run(),
            Command::Validate(validate) => return tell(validate.run(), 2),
            Command::Decode(decode) => decode.run(),
            Command::Roundtrip(decode) => decode.roundtrip(),
            Command::Schema(schema) => schema.run(),
            Command::Explain(explain) => explain.run(),
        };
        tell(text.map(|text| Output { text, code: 0 }), 1)
    }
}

fn tell(done: Result<Output, Error>, failed: u8) -> ExitCode {
    let output = match done {
        Ok(output) => output,
        Err(error) => return fail(&one_line(&error), failed),
    };
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{}", output.text).and_then(|()| stdout.flush()) {
        Ok(()) => output.code.into(),
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => output.code.into(),
        Err(error) => fail(&error.to_string(), 1),
    }
}

fn fail(line: &str, code: u8) -> ExitCode {
    // Where standard error is gone as well, the exit code still tells.
    let _ = writeln!(io::stderr(), "mdmtool: {line}");
    code.into()
}

impl Input {
    fn read(self) -> Result<(Vec<u8>, Options), Error> {
        let as_kind = self.as_kind.as_deref().map(str::parse).transpose()?;
        let key = self.key.as_deref().map(input::read_key).transpose()?;
        let bytes = input::read(&self.file, self.max_bytes)?;
        let options = Options::default().with(|options| {
            options.limit = self.max_bytes;
            options.key = key;
            options.as_kind = as_kind;
            options.hint = self.hint;
        });
        Ok((bytes, options))
    }
}

impl Decode {
    fn run(self) -> Result<String, Error> {
        let (bytes, options) = self.input.read()?;
        let document = decode(&bytes, &options)?;
        Ok(serde_json::to_string_pretty(&document)?)
    }
}

impl Decode {
    fn roundtrip(self) -> Result<String, Error> {
        let (bytes, options) = self.input.read()?;
        Ok(serde_json::to_string_pretty(&roundtrip(&bytes, &options)?)?)
    }
}

impl Validate {
    fn run(self) -> Result<Output, Error> {
        let (bytes, options) = self.input.read()?;
        let found = validate(&bytes, &options, self.target.as_ref())?;
        let text = if self.json {
            serde_json::to_string_pretty(&found)?
        } else {
            found.lines()
        };
        let code = u8::from(!found.is_valid());
        Ok(Output { text, code })
    }
}

impl SchemaCommand {
    fn run(self) -> Result<String, Error> {
        Ok(match self {
            Self::List { kind, json } => {
                let entries = schema::list(kind.map(|kind| kind.0));
                if json {
                    serde_json::to_string_pretty(&entries)?
                } else {
                    schema::list_text(&entries)
                }
            }
            Self::Stats => serde_json::to_string_pretty(&schema::stats())?,
            Self::Dump => serde_json::to_string(&schema::dump())?,
        })
    }
}

impl Explain {
    fn run(self) -> Result<String, Error> {
        let target = self.target.as_ref();
        if !self.json {
            return explain::explain(&self.name, target);
        }
        let found = explain::find(&self.name)?;
        let told: Vec<_> = found
            .iter()
            .map(|subject| explain::json(subject, target))
            .collect();
        Ok(serde_json::to_string_pretty(&told)?)
    }
}
