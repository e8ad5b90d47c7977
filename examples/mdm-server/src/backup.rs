//! A copy of everything that devices depend on, and the way back. Secrets stay sealed in it: without the sealing
//! key it is worth nothing, and that is kept elsewhere.

use std::{fs, path::Path};

use mdm_storage::{SqliteStore, sqlite::Options};

use crate::{
    config::Config,
    database::FILE,
    error::Error,
    vault::{self, Vault},
};

/// Copies the data directory into `to`, which is made. The server may run: the database is copied as it is at one
/// moment, and the sealed files do not change.
pub(crate) async fn backup(config: &Config, to: &Path) -> Result<(), Error> {
    if to.exists() {
        return Err(already_there(to));
    }
    of_a_file(config)?;
    let options = Options::default().with(|options| options.read_only = true);
    let store = SqliteStore::open_with(config.data.join(FILE), options).await;
    let store = store.map_err(Error::part("the database"))?;
    vault::create_private(to)?;
    copy_sealed(&config.data, to)?;
    let copied = store.backup(to.join(FILE)).await;
    store.close().await;
    copied.map_err(Error::part("copying the database"))
}

/// Puts a backup into the data directory, which is empty or not there, after a look at whether it can be used.
pub(crate) fn restore(config: &Config, from: &Path) -> Result<(), Error> {
    of_a_file(config)?;
    let database = from.join(FILE);
    if !database.exists() {
        return Err(Error::part("the backup")(format!(
            "{} holds no {FILE}",
            from.display()
        )));
    }
    let sealed = Vault::open(from, vault::sealing_keys(&config.sealing)?)?;
    for file in Vault::files(from)? {
        let name = file.file_stem().unwrap_or_default();
        sealed.get(&name.to_string_lossy())?;
    }
    let is_empty = match fs::read_dir(&config.data) {
        Ok(mut entries) => entries.next().is_none(),
        Err(_) => !config.data.exists(),
    };
    if !is_empty {
        return Err(already_there(&config.data));
    }
    vault::create_private(&config.data)?;
    copy_sealed(from, &config.data)?;
    // Last, since with it the directory counts as one.
    copy(&database, &config.data.join(FILE))
}

fn of_a_file(config: &Config) -> Result<(), Error> {
    match config.database_url {
        None => Ok(()),
        Some(_) => Err(Error::setting(
            "database_url",
            "names a database that pg_dump copies; the sealed files of the data directory are copied as they are",
        )),
    }
}

fn copy_sealed(from: &Path, to: &Path) -> Result<(), Error> {
    for file in Vault::files(from)? {
        if let Some(name) = file.file_name() {
            copy(&file, &to.join(name))?;
        }
    }
    Ok(())
}

/// With the rights that the file has, which is its owner's alone.
fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    fs::copy(from, to).map(drop).map_err(Error::file(to))
}

fn already_there(path: &Path) -> Error {
    let source = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
    Error::file(path)(source)
}
