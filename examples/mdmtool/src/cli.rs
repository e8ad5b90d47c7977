//! The commands and their options.

use std::path::PathBuf;

use ade_client::{ServerToken, TokenKeyPair};
use chrono::Utc;
use clap::{Args, Parser, Subcommand};
use mdm_schema::Target;
use mdmtool::{
    Error, Options, decode, explain, input, roundtrip,
    schema::{self, SchemaKind},
    validate,
};

/// Tells what an Apple-MDM document is and says.
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
    /// Mind the keys and tokens of automated device enrolment.
    #[command(subcommand)]
    Ade(Ade),
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

#[derive(Debug, Subcommand)]
enum Ade {
    /// Make a key pair, whose certificate is uploaded to get a server token.
    Keygen(Keygen),
    /// Decrypt a server token and print it as JSON, secrets included.
    Token(Token),
}

#[derive(Debug, Args)]
struct Keygen {
    /// The folder for ade-key.pem and ade-cert.pem.
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
    /// Where the private key goes instead.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Where the certificate goes instead.
    #[arg(long, value_name = "FILE")]
    cert: Option<PathBuf>,
    /// The name in the certificate.
    #[arg(long, value_name = "NAME", default_value = "mdm-server")]
    name: String,
}

#[derive(Debug, Args)]
struct Token {
    /// The token as downloaded, or - for standard input.
    file: PathBuf,
    /// The private key whose certificate was uploaded.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

/// What goes to standard output, and the exit code.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) text: String,
    pub(crate) code: u8,
}

/// Why there is nothing to say, and the exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) code: u8,
}

impl Cli {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<Output, Failure> {
        if let Command::Validate(validate) = self.command {
            return validate.run().map_err(|error| Failure { error, code: 2 });
        }
        match self.text() {
            Ok(text) => Ok(Output { text, code: 0 }),
            Err(error) => Err(Failure { error, code: 1 }),
        }
    }

    fn text(self) -> Result<String, Error> {
        match self.command {
            Command::Decode(decode) => decode.run(),
            Command::Validate(validate) => validate.run().map(|output| output.text),
            Command::Roundtrip(decode) => decode.roundtrip(),
            Command::Schema(schema) => schema.run(),
            Command::Explain(explain) => explain.run(),
            Command::Ade(Ade::Keygen(keygen)) => keygen.run(),
            Command::Ade(Ade::Token(token)) => token.run(),
        }
    }
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

impl Keygen {
    fn run(self) -> Result<String, Error> {
        let pair = TokenKeyPair::generate(&self.name, Utc::now())?;
        let key = self.key.unwrap_or_else(|| self.out.join("ade-key.pem"));
        let cert = self.cert.unwrap_or_else(|| self.out.join("ade-cert.pem"));
        input::write_new(&key, pair.private_key_pem()?.as_bytes())?;
        input::write_new(&cert, pair.certificate_pem().as_bytes())?;
        let made = serde_json::json!({
            "key": key.display().to_string(),
            "certificate": cert.display().to_string(),
        });
        Ok(serde_json::to_string_pretty(&made)?)
    }
}

impl Token {
    fn run(self) -> Result<String, Error> {
        let key = input::read_key(&self.key)?;
        let file = input::read(&self.file, ade_client::token::MAX_TOKEN_BYTES)?;
        let token = ServerToken::open(&file, &key)?;
        Ok(serde_json::to_string_pretty(&token)?)
    }
}
