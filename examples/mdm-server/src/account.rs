//! The people who sign in: a file of users, with a hash of each one's password.
//!
//! One line each, as `mdm-server user NAME` prints it:
//!
//! ```toml
//! "anna" = { password = "$scrypt$ln=14,r=8,p=5$...", managed_apple_account = "anna@example.com", data = { ROOM = "12" } }
//! ```

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use mdm_sdk::{core::Secret, pki, service::Account};
use serde::Deserialize;
use tokio::sync::Semaphore;

use crate::error::{Error, told};

/// Fewest characters of a password that is taken, and most bytes of one that is looked at.
const PASSWORD: (usize, usize) = (8, 1_024);

/// Longest name of a user, in bytes.
const NAME: usize = 256;

/// Largest file of users, in bytes.
const FILE: u64 = 8 << 20;

/// scrypt (RFC 7914) at a cost that OWASP recommends, and how a hash of it begins.
const COST: (u8, u32, u32) = (14, 8, 5);
const PREFIX: &str = "$scrypt$ln=14,r=8,p=5$";

/// How many passwords are hashed at the same time: each takes 16 MiB.
const AT_ONCE: usize = 4;

const KEY: &str = "accounts.users";

/// The users. Their file is read whenever somebody signs in, so that who is taken out is out.
#[derive(Debug)]
pub(crate) struct Users {
    path: PathBuf,
    /// What an unknown user's password is held against.
    nobody: String,
    turns: Semaphore,
}

impl Users {
    /// The users of a file, which has to be readable now.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        check(path)?;
        let random = pki::random::<32>().map_err(Error::part("randomness"))?;
        Ok(Self {
            path: path.to_owned(),
            nobody: hash(&Secret::new(random.to_vec()))?,
            turns: Semaphore::new(AT_ONCE),
        })
    }

    /// Whose name and password these are. Who is not known is told as late as who has another password.
    pub(crate) async fn find(
        &self,
        name: &str,
        password: Secret<String>,
    ) -> Result<Option<Account>, Error> {
        let _turn = self.turns.acquire().await;
        let (path, key, nobody) = (self.path.clone(), folded(name), self.nobody.clone());
        let searching = tokio::task::spawn_blocking(move || {
            let found = read(&path)?.remove(&key);
            let held_against = found.as_ref().map_or(&nobody, |(_, user)| &user.password);
            let is_right = verify(password.expose(), held_against);
            Ok(found.filter(|_| is_right))
        });
        let found: Option<(String, User)> = searching
            .await
            .map_err(Error::part("hashing a password"))??;
        Ok(found.map(|(name, user)| user.into_account(name)))
    }
}

/// Whether the file holds users and nothing else.
pub(crate) fn check(path: &Path) -> Result<(), Error> {
    match read(path) {
        Ok(_) => Ok(()),
        Err(error @ Error::File { .. }) => Err(Error::setting(KEY, told(&error))),
        Err(error) => Err(error),
    }
}

/// A name as it is looked up: without regard to case, or to spaces that a keyboard adds.
pub(crate) fn folded(name: &str) -> String {
    name.trim().to_lowercase()
}

/// The line of the file for a user.
pub(crate) fn line(
    name: &str,
    managed_apple_account: Option<&str>,
    password: &Secret<String>,
) -> Result<String, Error> {
    if folded(name).is_empty() || name.len() > NAME {
        return Err(Error::setting("the name", "is empty or too long"));
    }
    let (fewest, most) = PASSWORD;
    if password.expose().chars().count() < fewest || password.expose().len() > most {
        let problem = format!("has fewer than {fewest} characters, or more than {most} bytes");
        return Err(Error::setting("the password", problem));
    }
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let password = hash(&Secret::new(password.expose().as_bytes().to_vec()))?;
    let account = managed_apple_account
        .map(|account| format!(", managed_apple_account = {}", quoted(account)))
        .unwrap_or_default();
    // A key in quotes is written as a text is, unless that has lines.
    let name = match name.trim() {
        name if name.chars().any(char::is_control) => {
            return Err(Error::setting("the name", "is more than one line"));
        }
        name => name.replace('\\', "\\\\").replace('"', "\\\""),
    };
    Ok(format!(
        "\"{name}\" = {{ password = {}{account} }}",
        quoted(&password)
    ))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct User {
    password: String,
    managed_apple_account: Option<String>,
    /// Variables of the profile.
    #[serde(default)]
    data: BTreeMap<String, String>,
}

impl User {
    fn into_account(self, name: String) -> Account {
        Account::new(name).with(|account| {
            account.managed_apple_account = self.managed_apple_account;
            let data = self.data.into_iter();
            account.data = data
                .map(|(key, value)| (key, serde_json::Value::String(value)))
                .collect();
        })
    }
}

/// The users by their names as they are looked up.
fn read(path: &Path) -> Result<BTreeMap<String, (String, User)>, Error> {
    let length = fs::metadata(path).map_err(Error::file(path))?.len();
    if length > FILE {
        return Err(Error::setting(KEY, "is too large a file"));
    }
    let text = fs::read_to_string(path).map_err(Error::file(path))?;
    let users: BTreeMap<String, User> = toml::from_str(&text).map_err(|error| {
        // The reader's words would show a password that somebody wrote down as it is.
        let before = text.get(..error.span().unwrap_or_default().start);
        let line = before.unwrap_or_default().matches('\n').count() + 1;
        Error::setting(KEY, format!("line {line} is no user"))
    })?;
    let mut found = BTreeMap::new();
    for (name, user) in users {
        if parts(&user.password).is_none() {
            let problem = format!("the password of {name:?} is not as `mdm-server user` writes it");
            return Err(Error::setting(KEY, problem));
        }
        if found.insert(folded(&name), (name.clone(), user)).is_some() {
            return Err(Error::setting(KEY, format!("{name:?} is there twice")));
        }
    }
    Ok(found)
}

type Salt = [u8; 16];
type Hash = [u8; 32];

fn hash(password: &Secret<Vec<u8>>) -> Result<String, Error> {
    let salt: Salt = pki::random().map_err(Error::part("randomness"))?;
    let hash = pki::scrypt::<{ size_of::<Hash>() }>(password.expose(), &salt, COST);
    let hash = hash.map_err(Error::part("hashing a password"))?;
    let [salt, hash] = [&salt[..], &hash[..]].map(|bytes| STANDARD_NO_PAD.encode(bytes));
    Ok(format!("{PREFIX}{salt}${hash}"))
}

fn verify(password: &str, hash: &str) -> bool {
    // Takes the time of the others all the same.
    let (password, fits) = match password.len() <= PASSWORD.1 {
        true => (password, true),
        false => ("", false),
    };
    let Some((salt, hash)) = parts(hash) else {
        return false;
    };
    pki::scrypt::<{ size_of::<Hash>() }>(password.as_bytes(), &salt, COST)
        .is_ok_and(|found| pki::digest::constant_time_eq(&found[..], &hash))
        && fits
}

/// Salt and hash, at the cost of all others: so verification takes as long for everybody, which tells nobody who is known.
fn parts(hash: &str) -> Option<(Salt, Hash)> {
    let (salt, hash) = hash.strip_prefix(PREFIX)?.split_once('$')?;
    let bytes = |text: &str| STANDARD_NO_PAD.decode(text).ok();
    Some((bytes(salt)?.try_into().ok()?, bytes(hash)?.try_into().ok()?))
}

#[cfg(test)]
mod tests;
