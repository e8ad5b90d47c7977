//! `keygen` and `token`: the key pair, and the token that was encrypted to it.

use std::path::{Path, PathBuf};

use ade_client::{ServerToken, TokenKeyPair, token::MAX_TOKEN_BYTES};
use chrono::Utc;
use clap::{ArgAction, Args};
use mdmtool::input;
use serde_json::{Value, json};

use super::{Done, console::Console, failure::Failure};

/// What stands in a secret's place.
pub(super) const REDACTED: &str = "[redacted]";

#[derive(Debug, Args)]
pub(super) struct Keygen {
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

impl Keygen {
    pub(super) fn run(self, console: &mut Console) -> Done {
        let pair = TokenKeyPair::generate(&self.name, Utc::now())?;
        let key = self.key.unwrap_or_else(|| self.out.join("ade-key.pem"));
        let cert = self.cert.unwrap_or_else(|| self.out.join("ade-cert.pem"));
        input::write_new(&key, pair.private_key_pem()?.as_bytes())?;
        input::write_new(&cert, pair.certificate_pem().as_bytes())?;
        let (key, cert) = (key.display().to_string(), cert.display().to_string());
        console.answer(&json!({"key": key, "certificate": cert}), || {
            format!(
                "key          {key}\ncertificate  {cert}\n\
                 Upload the certificate to the server in Apple Business Manager or Apple School \
                 Manager, download its token,\nand keep the key: nothing else opens that token."
            )
        })
    }
}

#[derive(Debug, Args)]
pub(super) struct Token {
    /// The token as downloaded or its JSON, or - for standard input.
    file: PathBuf,
    /// The private key whose certificate was uploaded.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    #[command(flatten)]
    redact: Redact,
}

/// Whether secrets are left out.
#[derive(Debug, Args)]
pub(super) struct Redact {
    /// Leave the secrets out; --redact=false prints them.
    #[arg(
        long,
        value_name = "BOOL",
        action = ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_value_t = true,
        default_missing_value = "true"
    )]
    pub(super) redact: bool,
}

impl Token {
    pub(super) fn run(self, console: &mut Console) -> Done {
        let token = read(&self.file, self.key.as_deref())?;
        let mut value = serde_json::to_value(&token).map_err(mdmtool::Error::from)?;
        if self.redact.redact {
            redact(&mut value);
        }
        console.document(&value)
    }
}

/// Leaves what names the server and says until when; of keys that nobody knows yet, nobody knows whether
/// they are secret.
fn redact(token: &mut Value) {
    for (key, value) in token.as_object_mut().into_iter().flatten() {
        if !matches!(key.as_str(), "consumer_key" | "access_token_expiry") {
            *value = REDACTED.into();
        }
    }
}

/// Reads a token: as downloaded, with its key, or as JSON.
pub(super) fn read(file: &Path, key: Option<&Path>) -> Result<ServerToken, Failure> {
    let key = key.map(input::read_key).transpose()?;
    let bytes = input::read(file, MAX_TOKEN_BYTES)?;
    let is_json = bytes
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(&bytes)
        .trim_ascii_start()
        .starts_with(b"{");
    let token = match (is_json, key) {
        (true, _) => ServerToken::from_message(&bytes)?,
        (false, Some(key)) => ServerToken::open(&bytes, &key)?,
        (false, None) => {
            return Err(Failure::input(
                "the token is not JSON, and no key to open it is given",
                "give by --key the private key whose certificate was uploaded",
            ));
        }
    };
    if token.access_token.expose() == REDACTED {
        return Err(Failure::input(
            "the token was printed without its secrets",
            "print it with --redact=false, or give the file that was downloaded",
        ));
    }
    Ok(token)
}
