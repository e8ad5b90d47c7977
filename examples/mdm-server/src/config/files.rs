//! What settings lead to: files of certificates, keys and secrets.

use std::{fs, path::Path};

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
        (None, Some(file)) => {
            let text = fs::read_to_string(file).map_err(Error::file(file))?;
            Ok(Secret::new(text.trim().to_owned()))
        }
        (None, None) => Err(Error::setting(
            key,
            format!("is missing: {key}_file, or a variable of the environment"),
        )),
    }
}

/// A certificate with its key.
pub(crate) fn identity(key: &str, files: &Identity) -> Result<pki::Identity, Error> {
    let certificate = fs::read(&files.certificate).map_err(Error::file(&files.certificate))?;
    let private = fs::read(&files.key).map_err(Error::file(&files.key))?;
    let private = Secret::new(private);
    pki::Identity::from_pem(&certificate, private.expose(), None).map_err(Error::in_setting(key))
}

/// Certificates in PEM; none where there is no file.
pub(crate) fn roots(key: &str, file: Option<&Path>) -> Result<Vec<Certificate>, Error> {
    let Some(file) = file else {
        return Ok(Vec::new());
    };
    let pem = fs::read(file).map_err(Error::file(file))?;
    Certificate::stack_from_pem(&pem).map_err(Error::in_setting(key))
}
