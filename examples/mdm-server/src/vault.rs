//! The server's own keys and identities: sealed, in the database, so that nodes on one database agree on them and a
//! copy of the database holds them all.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use mdm_sdk::{
    core::Secret,
    pki::{
        Identity,
        seal::{SealingKey, SealingKeys},
    },
    service::{
        self, StoreError, StoreErrorKind,
        store::{SecretName, VaultStore},
    },
};

use crate::{
    config::{self, Sealing},
    error::Error,
};

/// What the name of a sealed file ends in. A server before this one kept its secrets in such files.
const EXTENSION: &str = "sealed";

/// What a file's name ends in once the database has what it holds.
const TAKEN: &str = "sealed.taken";

/// Names that are listed together.
const PAGE: usize = 100;

/// The sealed secrets of the server. Each is bound to its name.
#[derive(Debug, Clone)]
pub(crate) struct Vault {
    vault: service::Vault<Arc<dyn VaultStore>>,
    keys: SealingKeys,
}

impl Vault {
    pub(crate) fn new(store: Arc<dyn VaultStore>, keys: SealingKeys) -> Self {
        Self {
            vault: service::Vault::new(store, keys.clone()),
            keys,
        }
    }

    /// What lies there under this name.
    pub(crate) async fn get(&self, name: &str) -> Result<Option<Secret<Vec<u8>>>, Error> {
        self.vault.get(&named(name)?).await.map_err(failed(name))
    }

    /// Puts something there, in the place of what was, which is lost: not where that is the only copy.
    pub(crate) async fn replace(&self, name: &str, plain: &[u8]) -> Result<(), Error> {
        let replaced = self.vault.replace(&named(name)?, plain).await;
        replaced.map(drop).map_err(failed(name))
    }

    /// What lies there, made first if nothing does. Where two nodes make it at once, both get the same.
    pub(crate) async fn get_or_make(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<Secret<Vec<u8>>, Error>,
    ) -> Result<Secret<Vec<u8>>, Error> {
        if let Some(found) = self.get(name).await? {
            return Ok(found);
        }
        let made = make()?;
        let kept = self.vault.put(&named(name)?, made.expose()).await;
        kept.map_err(failed(name))
    }

    /// The identity in the files that the table `name` of the settings leads to, of which a sealed copy is kept, or else that
    /// copy.
    pub(crate) async fn identity(
        &self,
        name: &str,
        certificate: &Option<PathBuf>,
        key: &Option<PathBuf>,
    ) -> Result<Option<Identity>, Error> {
        if let Some(files) = config::both(name, certificate, key)? {
            let identity = config::identity(name, &files)?;
            self.replace(name, to_pem(&identity)?.expose()).await?;
            return Ok(Some(identity));
        }
        let copy = self.get(name).await?;
        copy.as_ref().map(from_pem).transpose()
    }

    /// The names of all that is there.
    pub(crate) async fn names(&self) -> Result<Vec<SecretName>, Error> {
        let mut names: Vec<SecretName> = Vec::new();
        loop {
            let page = self.vault.names(names.last(), PAGE).await;
            let page = page.map_err(Error::part("the database"))?;
            if page.is_empty() {
                return Ok(names);
            }
            names.extend(page);
        }
    }

    /// Opens all that is there, to see whether it does.
    pub(crate) async fn look(&self) -> Result<(), Error> {
        for name in self.names().await? {
            self.get(name.as_str()).await?;
        }
        Ok(())
    }

    /// Seals what lies there anew, if another key than the current one has sealed it; whether one had.
    pub(crate) async fn reseal(&self, name: &SecretName) -> Result<bool, Error> {
        let resealed = self.vault.reseal(name).await;
        resealed.map_err(failed(name.as_str()))
    }

    /// Takes over what a server before this one kept in sealed files. A file stays, under another name, once the database
    /// has what it holds; where the database has something else, nothing is decided here.
    pub(crate) async fn take_over(&self, folder: &Path) -> Result<(), Error> {
        for path in sealed_files(folder)? {
            let (name, plain) = open_file(&path, &self.keys)?;
            let kept = self.vault.put(&named(&name)?, plain.expose()).await;
            if kept.map_err(failed(&name))? != plain {
                return Err(Error::Another { path, name });
            }
            let taken = path.with_extension(TAKEN);
            fs::rename(&path, &taken).map_err(Error::file(&path))?;
            tracing::info!(name, "a sealed file was taken over into the database");
        }
        Ok(())
    }
}

fn named(name: &str) -> Result<SecretName, Error> {
    SecretName::new(name).map_err(Error::part("the name of a secret"))
}

fn failed(name: &str) -> impl FnOnce(StoreError) -> Error {
    move |source| match source.kind() {
        StoreErrorKind::Corrupt => Error::Secret {
            name: name.to_owned(),
            source,
        },
        _ => Error::part("the database")(source),
    }
}

/// The sealed files in a directory.
pub(crate) fn sealed_files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
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

/// What a sealed file holds, with the name that it is bound to.
pub(crate) fn open_file(
    path: &Path,
    keys: &SealingKeys,
) -> Result<(String, Secret<Vec<u8>>), Error> {
    let sealed = fs::read(path).map_err(Error::file(path))?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    match keys.open(&format!("mdm-server {name}"), &sealed) {
        Ok(opened) => Ok((name.into_owned(), opened)),
        Err(source) => Err(Error::Sealed {
            path: path.to_owned(),
            source,
        }),
    }
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
        keys = keys.former(read(name, &config::text(name, file)?)?);
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
