//! What the server keeps beside its database: keys and identities, each in a file, sealed.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use mdm_sdk::{
    core::Secret,
    pki::{
        Identity,
        seal::{SealingKey, SealingKeys},
    },
};

use crate::{
    config::{self, Sealing},
    error::Error,
};

/// What a sealed file's name ends in.
const EXTENSION: &str = "sealed";

/// The data directory's sealed files. A file is bound to its name.
#[derive(Debug, Clone)]
pub(crate) struct Vault {
    folder: PathBuf,
    keys: SealingKeys,
}

impl Vault {
    pub(crate) fn open(folder: &Path, keys: SealingKeys) -> Result<Self, Error> {
        create_private(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            keys,
        })
    }

    /// What lies there under this name.
    pub(crate) fn get(&self, name: &str) -> Result<Option<Secret<Vec<u8>>>, Error> {
        let path = self.path(name);
        let sealed = match fs::read(&path) {
            Ok(sealed) => sealed,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::File { path, source }),
        };
        match self.keys.open(&place(name), &sealed) {
            Ok(opened) => Ok(Some(opened)),
            Err(source) => Err(Error::Sealed { path, source }),
        }
    }

    /// Puts something there, in the place of what was; whole or not at all.
    pub(crate) fn put(&self, name: &str, plain: &[u8]) -> Result<(), Error> {
        let sealed = self.keys.seal(&place(name), plain);
        let sealed = sealed.map_err(Error::part("sealing"))?;
        write_whole(&self.path(name), &sealed)
    }

    /// What lies there, made first if nothing does.
    pub(crate) fn get_or_make(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<Secret<Vec<u8>>, Error>,
    ) -> Result<Secret<Vec<u8>>, Error> {
        if let Some(found) = self.get(name)? {
            return Ok(found);
        }
        let made = make()?;
        self.put(name, made.expose())?;
        Ok(made)
    }

    /// The sealed files that are there.
    pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).map_err(Error::file(folder))? {
            let path = entry.map_err(Error::file(folder))?.path();
            if path.extension().is_some_and(|it| it == EXTENSION) {
                found.push(path);
            }
        }
        found.sort();
        Ok(found)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.{EXTENSION}"))
    }
}

fn place(name: &str) -> String {
    format!("mdm-server {name}")
}

/// The keys that the settings name.
pub(crate) fn sealing_keys(settings: &Sealing) -> Result<SealingKeys, Error> {
    let key = config::secret(
        "sealing.key",
        settings.key.as_ref(),
        settings.key_file.as_deref(),
    )?;
    let read = |name: &str, text: &Secret<String>| {
        SealingKey::from_base64(text.expose()).map_err(Error::in_setting(name))
    };
    let mut keys = SealingKeys::new(read("sealing.key", &key)?);
    for file in &settings.former_key_files {
        let name = "sealing.former_key_files";
        keys = keys.former(read(name, &config::secret(name, None, Some(file))?)?);
    }
    Ok(keys)
}

/// An identity as PEM: its certificates and its key.
pub(crate) fn to_pem(identity: &Identity) -> Result<Secret<Vec<u8>>, Error> {
    let key = identity.key.to_pkcs8_pem();
    let key = key.map_err(Error::part("writing a key"))?;
    let pem = format!("{}{}", identity.chain_pem(), key.as_str());
    Ok(Secret::new(pem.into_bytes()))
}

/// An identity from its PEM.
pub(crate) fn from_pem(pem: &Secret<Vec<u8>>) -> Result<Identity, Error> {
    Identity::from_pem(pem.expose(), pem.expose(), None).map_err(Error::part("reading a key"))
}

/// Makes a directory that is its owner's alone.
pub(crate) fn create_private(folder: &Path) -> Result<(), Error> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(Error::file(folder))
}

/// Writes a file that is its owner's alone, beside its place and then into it.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> Result<(), Error> {
    let beside = path.with_extension("new");
    let _ = fs::remove_file(&beside);
    write_new(&beside, content)?;
    fs::rename(&beside, path).map_err(Error::file(path))
}

/// Writes a file that is its owner's alone, and not there yet.
pub(crate) fn write_new(path: &Path, content: &[u8]) -> Result<(), Error> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let write = || {
        let mut file = options.open(path)?;
        file.write_all(content)?;
        file.sync_all()
    };
    write().map_err(Error::file(path))
}
