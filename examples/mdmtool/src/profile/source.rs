//! Profiles out of files: plain, signed, encrypted.

use std::path::{Path, PathBuf};

use chrono::Utc;
use clap::Args;
use mdm_pki::{PrivateKey, cms::DecryptPolicy};
use mdm_profiles::{
    Error, Profile,
    encrypt::decrypt,
    verify::{self, Layers, Opened, Trust},
};
use mdmtool::{input, one_line};

use crate::{
    failure::Failure,
    files::{self, Passphrase},
};

/// The longest profile that is read, in bytes.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// A file with a profile, and what opens it.
#[derive(Debug, Args)]
pub(super) struct SourceFile {
    /// The profile, or - for standard input: plain, signed or encrypted.
    file: PathBuf,
    #[command(flatten)]
    opener: Opener,
}

/// What opens profiles that are encrypted.
#[derive(Debug, Args)]
pub(super) struct Opener {
    /// The device's private key, PEM or DER, to open what is encrypted to it.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    #[command(flatten)]
    passphrase: Passphrase,
}

/// A profile that was read.
#[derive(Debug)]
pub(super) struct Source {
    /// The file, as people know it.
    pub(super) name: String,
    /// What was in it.
    pub(super) bytes: Vec<u8>,
    pub(super) profile: Profile,
    /// Whether it was encrypted; where a key was given, the profile is open.
    pub(super) was_encrypted: bool,
    /// Who signed it. Nobody is trusted here.
    pub(super) opened: Opened,
}

impl Source {
    pub(super) fn signers(&self) -> impl Iterator<Item = &Layers> {
        self.opened.signers.iter()
    }
}

impl SourceFile {
    pub(super) fn read(&self) -> Result<Source, Failure> {
        let key = self.opener.key(&[&self.file])?;
        read(&self.file, key.as_ref())
    }
}

impl Opener {
    /// The key, if one is named, beside these files: no two are read from standard input.
    pub(super) fn key(&self, files: &[&Path]) -> Result<Option<PrivateKey>, Failure> {
        let own = [self.key.as_deref(), self.passphrase.file()];
        files::take_stdin_once(own.into_iter().flatten().chain(files.iter().copied()))?;
        match &self.key {
            Some(key) => files::read_key(key, self.passphrase.read()?.as_ref()).map(Some),
            None => Ok(None),
        }
    }
}

/// Reads a profile, and opens what the key opens.
pub(super) fn read(file: &Path, key: Option<&PrivateKey>) -> Result<Source, Failure> {
    let (name, bytes) = read_bytes(file)?;
    let opened = verify::open(&bytes, &Trust::new(&[], Utc::now()));
    let opened = opened.map_err(|error| refused(&name, &error))?;
    let was_encrypted = opened.profile.is_encrypted();
    let profile = match key {
        Some(key) => decrypt(&opened.profile, key, &DecryptPolicy::default())
            .map_err(|error| refused(&name, &error))?,
        None => opened.profile.clone(),
    };
    Ok(Source {
        name,
        bytes,
        profile,
        was_encrypted,
        opened,
    })
}

/// The bytes of a file, and what to call it.
pub(super) fn read_bytes(file: &Path) -> Result<(String, Vec<u8>), Failure> {
    let name = match file.as_os_str() == "-" {
        true => "standard input".to_owned(),
        false => file.display().to_string(),
    };
    let bytes = input::read(file, MAX_BYTES)?;
    if bytes.trim_ascii().is_empty() {
        let next = "give a configuration profile";
        return Err(Failure::input(format!("{name} is empty"), next));
    }
    Ok((name, bytes))
}

/// That what is in the file is no profile that can be used, and why.
pub(super) fn refused(name: &str, error: &Error) -> Failure {
    let next = match error {
        Error::Plist(_) | Error::NotAProfile => "give a configuration profile",
        Error::Decrypt => "give by --key the key of the device that it is encrypted to",
        Error::NoContent => "give the signed profile, not its signature alone",
        _ => "compare it with what `mdmtool decode` tells of it",
    };
    Failure::input(format!("{name}: {}", one_line(error)), next)
}
