//! What keeps the server from starting, or from doing a task of the command line.

use std::{
    io,
    path::{Path, PathBuf},
};

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why the program ends without having done what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A setting is missing, or is none. Names the key.
    #[error("{key}: {problem}")]
    Setting { key: String, problem: String },
    /// The file of settings is no TOML.
    #[error("{} is no TOML: line {line}: {problem}", path.display())]
    Toml {
        path: PathBuf,
        line: usize,
        problem: String,
    },
    /// A file cannot be read or written.
    #[error("{}", path.display())]
    File { path: PathBuf, source: io::Error },
    /// A sealed file does not open with the sealing keys.
    #[error("{} does not open with the sealing keys", path.display())]
    Sealed {
        path: PathBuf,
        source: mdm_sdk::pki::Error,
    },
    /// A sealed secret in the database does not open with the sealing keys.
    #[error("the secret {name} in the database does not open with the sealing keys")]
    Secret {
        name: String,
        source: mdm_sdk::service::StoreError,
    },
    /// A sealed file holds another secret than the database has under that name.
    #[error(
        "{} holds another {name} than the database: move the file away if the database is right",
        path.display()
    )]
    Another { path: PathBuf, name: String },
    /// A part of the server cannot be put together.
    #[error("{what}")]
    Part { what: &'static str, source: Cause },
}

impl Error {
    pub(crate) fn setting(key: impl Into<String>, problem: impl ToString) -> Self {
        Self::Setting {
            key: key.into(),
            problem: problem.to_string(),
        }
    }

    /// The file of settings, of which this is the text, is no TOML. The reader's own words show the line, and a secret
    /// may stand there.
    pub(crate) fn toml(path: &Path, text: &str, error: &toml::de::Error) -> Self {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map_or(1, |before| before.lines().count().max(1));
        Self::Toml {
            path: path.to_owned(),
            line,
            problem: error.message().to_owned(),
        }
    }

    /// The setting `key` leads to what cannot be used.
    pub(crate) fn in_setting<E: std::error::Error>(key: &str) -> impl Fn(E) -> Self {
        move |error| Self::setting(key, told(&error))
    }

    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    pub(crate) fn part<E: Into<Cause>>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Part {
            what,
            source: source.into(),
        }
    }
}

/// An error with its causes, on one line.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        // Some say their cause themselves.
        match text.ends_with(&cause) {
            true => text,
            false => format!("{text}: {cause}"),
        }
    })
}
