//! What settings lead to: files of certificates, keys and secrets. An error names the key that leads there.

use std::{
    fs,
    path::{Path, PathBuf},
};

use mdm_sdk::{
    core::Secret,
    pki::{self, Certificate},
};

use super::Identity;
use crate::error::Error;

/// A secret that stands in the settings, or in a file that they name; surrounding space does not count.
pub(crate) fn secret(
    key: &str,
    value: Option<&Secret<String>>,
    file: Option<&Path>,
) -> Result<Secret<String>, Error> {
    match (value, file) {
        (Some(_), Some(_)) => Err(Error::setting(
            format!("{key}_file"),
            format!("is given, and {key} as well"),
        )),
        (Some(value), None) => Ok(Secret::new(value.expose().trim().to_owned())),
        (None, Some(file)) => text(&format!("{key}_file"), file),
        (None, None) => Err(Error::setting(
            key,
            format!("is missing: {key}_file, or a variable of the environment"),
        )),
    }
}

/// What a file says; surrounding space does not count.
pub(crate) fn text(key: &str, file: &Path) -> Result<Secret<String>, Error> {
    let read = String::from_utf8(read(key, file)?);
    // The reader's own words would repeat what it met.
    let text = read.map_err(|_| Error::setting(key, format!("{} is no text", file.display())))?;
    Ok(Secret::new(text.trim().to_owned()))
}

/// Both files of an identity, or neither.
pub(crate) fn both(
    key: &str,
    certificate: &Option<PathBuf>,
    private: &Option<PathBuf>,
) -> Result<Option<Identity>, Error> {
    match (certificate, private) {
        (Some(certificate), Some(private)) => Ok(Some(Identity {
            certificate: certificate.clone(),
            key: private.clone(),
        })),
        (None, None) => Ok(None),
        (Some(_), None) => Err(Error::setting(format!("{key}.key"), "is missing")),
        (None, Some(_)) => Err(Error::setting(format!("{key}.certificate"), "is missing")),
    }
}

/// A certificate with its key. `key` names the table of both.
pub(crate) fn identity(key: &str, files: &Identity) -> Result<pki::Identity, Error> {
    let (of_certificate, of_key) = (format!("{key}.certificate"), format!("{key}.key"));
    let certificate = read(&of_certificate, &files.certificate)?;
    let private = Secret::new(read(&of_key, &files.key)?);
    certificates(&of_certificate, &files.certificate, &certificate)?;
    pki::Identity::from_pem(&certificate, private.expose(), None)
        .map_err(Error::in_setting(&of_key))
}

/// Certificates in PEM; none where there is no file.
pub(crate) fn roots(key: &str, file: Option<&Path>) -> Result<Vec<Certificate>, Error> {
    match file {
        None => Ok(Vec::new()),
        Some(file) => certificates(key, file, &read(key, file)?),
    }
}

fn certificates(key: &str, file: &Path, pem: &[u8]) -> Result<Vec<Certificate>, Error> {
    let found = Certificate::stack_from_pem(pem).map_err(Error::in_setting(key))?;
    match found.is_empty() {
        true => {
            let problem = format!("{} holds no certificate in PEM", file.display());
            Err(Error::setting(key, problem))
        }
        false => Ok(found),
    }
}

fn read(key: &str, file: &Path) -> Result<Vec<u8>, Error> {
    let problem = |error| Error::setting(key, format!("{}: {error}", file.display()));
    fs::read(file).map_err(problem)
}
