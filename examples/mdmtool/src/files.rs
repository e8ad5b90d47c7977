//! Certificates, keys and secrets out of files.

use std::{
    env,
    path::{Path, PathBuf},
};

use clap::Args;
use mdm_core::Secret;
use mdm_pki::{Certificate, Error, Identity, PrivateKey};
use mdmtool::{input, one_line};

use crate::failure::Failure;

/// The longest file that is read, in bytes.
pub(crate) const MAX_BYTES: usize = 1024 * 1024;

/// Where the passphrase is looked for if no file is named.
const PASSPHRASE: &str = "MDMTOOL_PASSPHRASE";

/// A certificate with its key.
#[derive(Debug, Args)]
pub(crate) struct IdentityFiles {
    /// The certificate: PEM, DER or PKCS #12.
    #[arg(long, value_name = "FILE")]
    cert: PathBuf,
    /// Its key, PEM or DER, where it is not in the same file.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    #[command(flatten)]
    passphrase: Passphrase,
}

/// What opens the key.
#[derive(Debug, Clone, Args)]
pub(crate) struct Passphrase {
    /// The passphrase of the key: the first line of this file, or - for standard input; else the
    /// environment variable MDMTOOL_PASSPHRASE.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl IdentityFiles {
    pub(crate) fn new(cert: &Path, key: &Path, passphrase: &Passphrase) -> Self {
        Self::of(cert.to_owned(), Some(key.to_owned()), passphrase)
    }

    /// With the key in the certificate's file where none is named.
    pub(crate) fn of(cert: PathBuf, key: Option<PathBuf>, passphrase: &Passphrase) -> Self {
        Self {
            cert,
            key,
            passphrase: passphrase.clone(),
        }
    }

    /// The certificate's file.
    pub(crate) fn file(&self) -> &Path {
        &self.cert
    }

    /// The key's file.
    pub(crate) fn key_file(&self) -> &Path {
        self.key.as_deref().unwrap_or(&self.cert)
    }

    /// What opens the key.
    pub(crate) fn passphrase(&self) -> &Passphrase {
        &self.passphrase
    }

    pub(crate) fn read(&self) -> Result<Identity, Failure> {
        self.take_stdin_once(&[])?;
        let passphrase = self.passphrase.read()?;
        let given = passphrase.as_ref();
        let bytes = read(&self.cert)?;
        let key = self.key.as_deref().map(|key| read_key(key, given));
        let failed = |error: Error| unusable(&self.cert, &error);
        let (certificates, key) = match (form(&bytes), key.transpose()?) {
            (Form::Pkcs12, _) => return pkcs12(&bytes, given).map_err(failed),
            (Form::Pem, Some(key)) => (Certificate::stack_from_pem(&bytes), key),
            (Form::Pem, None) => {
                let key =
                    PrivateKey::from_pem(&bytes, text(given)).map_err(|error| match error {
                        Error::Malformed { .. } => no_key(&self.cert),
                        other => failed(other),
                    })?;
                (Certificate::stack_from_pem(&bytes), key)
            }
            (Form::Certificate(certificate), Some(key)) => (Ok(vec![certificate]), key),
            (Form::Certificate(_), None) => return Err(no_key(&self.cert)),
            (Form::Other, _) => return Err(no_certificate(&self.cert)),
        };
        let certificates = certificates.map_err(failed)?;
        if certificates.is_empty() {
            return Err(no_certificate(&self.cert));
        }
        let pem: String = certificates.iter().map(Certificate::to_pem).collect();
        let key = key.to_pkcs8_pem().map_err(failed)?;
        Identity::from_pem(pem.as_bytes(), key.as_bytes(), None).map_err(failed)
    }

    /// Refuses to read two things from standard input, these files and others of the command line.
    pub(crate) fn take_stdin_once(&self, others: &[Option<&Path>]) -> Result<(), Failure> {
        let own = [
            Some(self.cert.as_path()),
            self.key.as_deref(),
            self.passphrase.passphrase_file.as_deref(),
        ];
        take_stdin_once(own.iter().chain(others).copied().flatten())
    }
}

impl Passphrase {
    pub(crate) fn file(&self) -> Option<&Path> {
        self.passphrase_file.as_deref()
    }

    pub(crate) fn read(&self) -> Result<Option<Secret<String>>, Failure> {
        secret(self.file(), PASSPHRASE)
    }
}

/// Refuses to read two things from standard input: the second would be empty.
pub(crate) fn take_stdin_once<'a>(files: impl Iterator<Item = &'a Path>) -> Result<(), Failure> {
    match files.filter(|file| file.as_os_str() == "-").count() {
        0 | 1 => Ok(()),
        _ => Err(Failure::input(
            "two files are to be read from standard input",
            "name a file for all but one of them",
        )),
    }
}

/// The first line of a file, or else what stands in an environment variable.
pub(crate) fn secret(
    file: Option<&Path>,
    variable: &str,
) -> Result<Option<Secret<String>>, Failure> {
    let Some(file) = file else {
        return Ok(env::var(variable).ok().map(Secret::new));
    };
    Ok(Some(first_line(file)?))
}

/// The first line of a file.
pub(crate) fn first_line(file: &Path) -> Result<Secret<String>, Failure> {
    let bytes = Secret::new(read(file)?);
    let text = std::str::from_utf8(bytes.expose()).map_err(|_| {
        Failure::input(
            format!("{} is no text", file.display()),
            "give a file with one line of text",
        )
    })?;
    let line = text.lines().next().unwrap_or_default();
    Ok(Secret::new(line.to_owned()))
}

/// The certificates of a file without their keys: PEM, DER, or the one of PKCS #12; perhaps none.
pub(crate) fn any_certificates(
    file: &Path,
    passphrase: Option<&Secret<String>>,
) -> Result<Vec<Certificate>, Failure> {
    let bytes = read(file)?;
    let failed = |error: Error| unusable(file, &error);
    Ok(match form(&bytes) {
        Form::Certificate(certificate) => vec![certificate],
        Form::Pem => Certificate::stack_from_pem(&bytes).map_err(failed)?,
        Form::Pkcs12 => vec![pkcs12(&bytes, passphrase).map_err(failed)?.certificate],
        Form::Other => Vec::new(),
    })
}

/// All certificates of a file, PEM or DER.
pub(crate) fn certificates(file: &Path) -> Result<Vec<Certificate>, Failure> {
    let bytes = read(file)?;
    let found = match form(&bytes) {
        Form::Certificate(certificate) => vec![certificate],
        Form::Pem => Certificate::stack_from_pem(&bytes).map_err(|error| unusable(file, &error))?,
        Form::Pkcs12 | Form::Other => Vec::new(),
    };
    match found.is_empty() {
        true => Err(no_certificate(file)),
        false => Ok(found),
    }
}

/// Writes a key that only its owner may read, encrypted if there is a passphrase; never over another file.
pub(crate) fn write_key(
    file: &Path,
    key: &PrivateKey,
    passphrase: Option<&Secret<String>>,
) -> Result<(), Failure> {
    match passphrase {
        Some(passphrase) => {
            let pem = key.to_encrypted_pkcs8_pem(passphrase.expose());
            let pem = pem.map_err(|error| {
                let next = "give a passphrase, or no --passphrase-file";
                Failure::input(one_line(&error), next)
            })?;
            input::write_new(file, pem.as_bytes())?;
        }
        None => {
            let pem = key.to_pkcs8_pem().map_err(mdmtool::Error::Key)?;
            input::write_new(file, pem.as_bytes())?;
        }
    }
    Ok(())
}

pub(crate) fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    Ok(input::read(file, MAX_BYTES)?)
}

pub(crate) fn read_key(
    file: &Path,
    passphrase: Option<&Secret<String>>,
) -> Result<PrivateKey, Failure> {
    let bytes = Secret::new(read(file)?);
    let bytes = bytes.expose();
    let key = match is_pem(bytes) {
        true => PrivateKey::from_pem(bytes, text(passphrase)),
        false => PrivateKey::from_der(bytes).or_else(|error| match passphrase {
            Some(passphrase) => PrivateKey::from_encrypted_der(bytes, passphrase.expose()),
            None => Err(error),
        }),
    };
    key.map_err(|error| unusable(file, &error))
}

/// What a file's first bytes say that it is.
enum Form {
    Pem,
    Certificate(Certificate),
    Pkcs12,
    Other,
}

fn form(bytes: &[u8]) -> Form {
    if is_pem(bytes) {
        return Form::Pem;
    }
    match (Certificate::from_der(bytes), bytes.first()) {
        (Ok(certificate), _) => Form::Certificate(certificate),
        (Err(_), Some(0x30)) => Form::Pkcs12,
        _ => Form::Other,
    }
}

fn is_pem(bytes: &[u8]) -> bool {
    bytes.windows(11).any(|window| window == b"-----BEGIN ")
}

fn pkcs12(bytes: &[u8], passphrase: Option<&Secret<String>>) -> Result<Identity, Error> {
    Identity::from_pkcs12(bytes, text(passphrase).unwrap_or_default())
}

fn text(secret: Option<&Secret<String>>) -> Option<&str> {
    secret.map(|secret| secret.expose().as_str())
}

fn unusable(file: &Path, error: &Error) -> Failure {
    let next = match error {
        Error::Password => {
            "give the passphrase by --passphrase-file or in the environment variable MDMTOOL_PASSPHRASE"
        }
        Error::KeyMismatch => "give by --key the key that the certificate's request was made with",
        _ => "give a certificate and its key in PEM, DER or PKCS #12",
    };
    Failure::input(format!("{}: {}", file.display(), one_line(error)), next)
}

fn no_key(file: &Path) -> Failure {
    Failure::input(
        format!("{} holds no key", file.display()),
        "give by --key the key that the certificate's request was made with",
    )
}

pub(crate) fn no_certificate(file: &Path) -> Failure {
    Failure::input(
        format!("{} holds no certificate", file.display()),
        "give a certificate in PEM or DER, or with its key in PKCS #12",
    )
}
