//! Reading and writing files, within bounds.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    path::Path,
};

use mdm_pki::PrivateKey;

use crate::error::Error;

/// The longest key file that is read, in bytes.
const MAX_KEY_BYTES: usize = 1024 * 1024;

/// Reads a file of at most `limit` bytes; `-` is standard input.
///
/// # Errors
/// [`Error::Read`] and [`Error::TooLarge`].
pub fn read(name: &Path, limit: usize) -> Result<Vec<u8>, Error> {
    if name.as_os_str() == "-" {
        return take(&mut io::stdin().lock(), "standard input", limit);
    }
    let shown = name.display().to_string();
    let mut file = File::open(name).map_err(|source| Error::Read {
        name: shown.clone(),
        source,
    })?;
    take(&mut file, &shown, limit)
}

fn take(reader: &mut dyn Read, name: &str, limit: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    reader
        .take(bound)
        .read_to_end(&mut bytes)
        .map_err(|source| Error::Read {
            name: name.to_owned(),
            source,
        })?;
    if bytes.len() > limit {
        return Err(Error::TooLarge { limit });
    }
    Ok(bytes)
}

/// Reads a private key, PEM or DER.
///
/// # Errors
/// [`Error::Read`], [`Error::TooLarge`], and [`Error::Key`] for what is no key without a password.
pub fn read_key(name: &Path) -> Result<PrivateKey, Error> {
    let bytes = read(name, MAX_KEY_BYTES)?;
    let pem = bytes.windows(11).any(|window| window == b"-----BEGIN ");
    let key = if pem {
        PrivateKey::from_pem(&bytes, None)
    } else {
        PrivateKey::from_der(&bytes)
    };
    key.map_err(Error::Key)
}

/// Writes a new file that only its owner may read; never over another one.
///
/// # Errors
/// [`Error::Write`], also where the file is there already.
pub fn write_new(name: &Path, bytes: &[u8]) -> Result<(), Error> {
    let fail = |source| Error::Write {
        name: name.display().to_string(),
        source,
    };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(name).map_err(fail)?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(fail)
}
