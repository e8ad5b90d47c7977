//! What went wrong, as a line for a person or as JSON for a program, and the exit code: 1 where the
//! other side refused or failed it, 2 where the command line or a file cannot be used.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use mdmtool::one_line;
use serde_json::{Map, Value};

use crate::{ade::advice, kind::Kind};

/// Why a command did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A file, or what it holds.
    #[error(transparent)]
    File(#[from] mdmtool::Error),
    /// What was asked for cannot be.
    #[error("{message}")]
    Input { message: String, next: &'static str },
    /// The service, the store, or the rules in between.
    #[error(transparent)]
    Ade(#[from] ade_client::Error),
    /// The connection cannot be set up.
    #[error(transparent)]
    Transport(#[from] mdm_transport_reqwest::BuildError),
    /// Of this kind, and what to do about it.
    #[error("{message}")]
    Told {
        kind: Kind,
        message: String,
        next: String,
    },
    /// Apple answered, and not for every device as hoped.
    #[error("{message}")]
    Devices { message: String, next: &'static str },
    /// Apple's answers lead nowhere.
    #[error("{0}")]
    Answers(&'static str),
    /// Somebody wanted the program to end.
    #[error("interrupted")]
    Interrupted,
    /// Nothing can be written or waited for.
    #[error("the answer cannot be written")]
    Output(#[source] io::Error),
    /// The program cannot run here.
    #[error("the runtime cannot be started")]
    Runtime(#[source] io::Error),
}

/// What a command gives: it has told its result already.
pub(crate) type Done = Result<(), Failure>;

impl From<ade_client::TokenError> for Failure {
    fn from(error: ade_client::TokenError) -> Self {
        Self::Ade(error.into())
    }
}

impl Failure {
    /// Something about the command line or a file, and what to do about it.
    pub(crate) fn input(message: impl Into<String>, next: &'static str) -> Self {
        Self::Input {
            message: message.into(),
            next,
        }
    }

    /// Something of this kind, and what to do about it.
    pub(crate) fn told(kind: Kind, message: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Told {
            kind,
            message: message.into(),
            next: next.into(),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::File(_) | Self::Input { .. } | Self::Transport(_) => Kind::Input,
            Self::Told { kind, .. } => *kind,
            Self::Devices { .. } => Kind::Devices,
            Self::Answers(_) => Kind::Unreadable,
            Self::Interrupted => Kind::Interrupted,
            Self::Output(_) | Self::Runtime(_) => Kind::Other,
            Self::Ade(error) => advice::of_service(error),
        }
    }

    /// What to do next; empty where nobody knows better than the reader.
    fn next(&self, kind: Kind) -> String {
        match self {
            Self::Input { next, .. } | Self::Devices { next, .. } => (*next).to_owned(),
            Self::Told { next, .. } => next.clone(),
            Self::Answers(_) => "try again later".to_owned(),
            Self::Interrupted => {
                "what is stored stays; the next sync goes on from there".to_owned()
            }
            Self::Ade(error) => advice::for_service(error, kind),
            _ => String::new(),
        }
    }

    /// Writes it to standard error.
    pub(crate) fn tell(&self, json: bool) -> ExitCode {
        let kind = self.kind();
        let next = self.next(kind);
        let told = if json {
            self.json(kind, &next)
        } else {
            // What another side said may end in a full stop.
            let line = one_line(self);
            format!("mdmtool: {}{}", line.trim_end_matches('.'), sentence(&next))
        };
        // Where standard error is gone as well, the exit code still tells.
        let _ = writeln!(io::stderr(), "{told}");
        kind.exit_code().into()
    }

    fn json(&self, kind: Kind, next: &str) -> String {
        let mut error = Map::new();
        error.insert("kind".to_owned(), kind.as_str().into());
        error.insert("message".to_owned(), one_line(self).into());
        if !next.is_empty() {
            error.insert("next".to_owned(), next.into());
        }
        if let Self::Ade(ade_client::Error::Api(api)) = self {
            error.insert("endpoint".to_owned(), api.endpoint.into());
            error.insert("status".to_owned(), api.status.as_u16().into());
            let code = api.code.as_ref().map(|code| code.as_str());
            error.insert("code".to_owned(), code.into());
        }
        document(error)
    }
}

/// What clap says about the command line, in JSON for the commands that answer in it.
pub(crate) fn usage(error: &clap::Error, json_of: Option<&str>) -> ExitCode {
    let Some(command) = json_of.filter(|_| error.use_stderr()) else {
        let _ = error.print();
        return u8::try_from(error.exit_code()).unwrap_or(2).into();
    };
    let text = error.to_string();
    let (message, _) = text.split_once("\n\n").unwrap_or((text.as_str(), ""));
    let words: Vec<&str> = message.split_whitespace().collect();
    let message = words.join(" ");
    let message = message.strip_prefix("error: ").unwrap_or(&message);
    let mut keys = Map::new();
    keys.insert("kind".to_owned(), Kind::Usage.as_str().into());
    keys.insert("message".to_owned(), message.into());
    keys.insert(
        "next".to_owned(),
        format!("see mdmtool {command} --help").into(),
    );
    let _ = writeln!(io::stderr(), "{}", document(keys));
    Kind::Usage.exit_code().into()
}

fn document(error: Map<String, Value>) -> String {
    let mut document = Map::new();
    document.insert("error".to_owned(), error.into());
    Value::Object(document).to_string()
}

/// What to do next, as a sentence behind the first.
fn sentence(next: &str) -> String {
    let mut rest = next.chars();
    match rest.next() {
        Some(first) => format!(". {}{}.", first.to_uppercase(), rest.as_str()),
        None => String::new(),
    }
}
