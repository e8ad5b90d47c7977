//! A copy of everything that devices depend on, and the way back: the database, as it is at one moment, which holds the
//! server's own keys too. Secrets stay sealed in it: without the sealing key it is worth nothing, and that is kept
//! elsewhere.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use mdm_storage::{SqliteStore, sqlite::Options};

use crate::{
    config::Config,
    database::{Database, FILE},
    error::Error,
    vault::{self, Vault},
};

/// Where a backup lies in the data directory until all of it is there.
const UNFINISHED: &str = "restoring";

/// Copies the database into `to`, which is made. The server may run.
pub(crate) async fn backup(config: &Config, to: &Path) -> Result<(), Error> {
    if to.exists() {
        return Err(already_there(to));
    }
    of_a_file(config)?;
    let options = Options::default().with(|options| options.read_only = true);
    let store = SqliteStore::open_with(config.data.join(FILE), options).await;
    let store = store.map_err(Error::part("the database"))?;
    vault::create_private(to)?;
    // Before a server of this version has run, keys lie in files.
    copy_sealed(&config.data, to)?;
    let copied = store.backup(to.join(FILE)).await;
    store.close().await;
    copied.map_err(Error::part("copying the database"))
}

/// Puts a backup into the data directory, which is empty or not there, after a look at whether it can be used.
pub(crate) async fn restore(config: &Config, from: &Path) -> Result<(), Error> {
    of_a_file(config)?;
    if !from.join(FILE).exists() {
        return Err(Error::part("the backup")(format!(
            "{} holds no {FILE}",
            from.display()
        )));
    }
    let is_new = !config.data.exists();
    let unfinished = config.data.join(UNFINISHED);
    if !is_new {
        // What a restore left behind that was cut off is no data.
        remove(&unfinished)?;
        let mut entries = fs::read_dir(&config.data).map_err(Error::file(&config.data))?;
        if entries.next().is_some() {
            return Err(already_there(&config.data));
        }
    }
    vault::create_private(&unfinished)?;
    let usable = copy_and_look(config, from, &unfinished).await;
    if usable.is_err() {
        remove(if is_new { &config.data } else { &unfinished })?;
        return usable;
    }
    for file in files(&unfinished)? {
        let name = file.file_name().unwrap_or_default();
        fs::rename(&file, config.data.join(name)).map_err(Error::file(&file))?;
    }
    remove(&unfinished)
}

/// Copies the backup into `to`, brings its schema up to date, and opens each secret of the server.
async fn copy_and_look(config: &Config, from: &Path, to: &Path) -> Result<(), Error> {
    let keys = vault::sealing_keys(&config.sealing)?;
    copy_sealed(from, to)?;
    for file in vault::sealed_files(to)? {
        vault::open_file(&file, &keys)?;
    }
    copy(&from.join(FILE), &to.join(FILE))?;
    let store = SqliteStore::open(to.join(FILE)).await;
    let database = Database::Sqlite(store.map_err(Error::part("the backup"))?);
    let looked = Vault::new(database.vault(), keys).look().await;
    database.close().await;
    looked
}

fn of_a_file(config: &Config) -> Result<(), Error> {
    match config.database_url {
        None => Ok(()),
        Some(_) => Err(Error::setting(
            "database_url",
            "names a database that pg_dump copies, the server's own keys included",
        )),
    }
}

fn copy_sealed(from: &Path, to: &Path) -> Result<(), Error> {
    for file in vault::sealed_files(from)? {
        if let Some(name) = file.file_name() {
            copy(&file, &to.join(name))?;
        }
    }
    Ok(())
}

/// What lies in a directory; the database last, since with it the data directory counts as one.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::file(folder))? {
        found.push(entry.map_err(Error::file(folder))?.path());
    }
    found.sort_by_key(|path| path.ends_with(FILE));
    Ok(found)
}

/// With the rights that the file has, which is its owner's alone.
fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    fs::copy(from, to).map(drop).map_err(Error::file(to))
}

fn remove(folder: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::file(folder)(error)),
        _ => Ok(()),
    }
}

fn already_there(path: &Path) -> Error {
    Error::file(path)(io::Error::from(io::ErrorKind::AlreadyExists))
}
