//! Why a file cannot be told.

use std::error::Error as StdError;

/// Why a file cannot be told, in one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be opened, or is no file.
    #[error("cannot read {name}")]
    Read {
        /// The file's name.
        name: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write {name}")]
    Write {
        /// The file's name.
        name: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// Longer than the limit.
    #[error("the document is longer than the limit of {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// Nothing there.
    #[error("the document is empty")]
    Empty,
    /// Neither of the forms that documents have.
    #[error("neither a property list, nor JSON, nor a CMS message")]
    Unreadable,
    /// Something that is readable, but none of the documents of MDM.
    #[error("{0}")]
    Unknown(String),
    /// Not what `--as` says.
    #[error("this is no {kind}: {problem}")]
    NotAs {
        /// The kind that was asked for.
        kind: &'static str,
        /// Why it is none.
        problem: String,
    },
    /// No kind of document.
    #[error(
        "{0:?} is no kind of document; there are checkin, command, response, profile, payload, ade-token, cms, declaration, credential, status-report, status-item, scep-message, error-body and document"
    )]
    UnknownKind(String),
    /// No kind of schema.
    #[error(
        "{0:?} is no kind of schema; there are checkIn, checkInResponse, command, response, payload, configuration, asset, management, activation, credential, statusItem, protocol, errorBody and document"
    )]
    UnknownSchemaKind(String),
    /// No name of Apple's vocabulary.
    #[error("{name:?} is no name that is known{}", near_misses(near))]
    UnknownName {
        /// The name.
        name: String,
        /// Names that look like it, the nearest first.
        near: Vec<String>,
    },
    /// No target.
    #[error(transparent)]
    Target(#[from] mdm_schema::target::InvalidTarget),
    /// The property list cannot be read.
    #[error("the property list cannot be read")]
    Plist(#[from] mdm_plist::Error),
    /// The JSON cannot be read.
    #[error("the JSON cannot be read")]
    Json(#[from] serde_json::Error),
    /// The message's keys cannot be read.
    #[error(transparent)]
    Protocol(#[from] mdm_protocol::Error),
    /// The profile cannot be read.
    #[error(transparent)]
    Profile(#[from] mdm_profiles::Error),
    /// The CMS message cannot be read.
    #[error("the CMS message cannot be read")]
    Cms(#[source] mdm_pki::Error),
    /// The SCEP message cannot be read.
    #[error("the SCEP message cannot be read")]
    Scep(#[from] mdm_scep::Error),
    /// The server token cannot be read.
    #[error(transparent)]
    Token(#[from] ade_client::TokenError),
    /// The key cannot be read.
    #[error("the key cannot be read")]
    Key(#[source] mdm_pki::Error),
    /// The message cannot be opened with the key.
    #[error("the message does not open with this key")]
    Decrypt(#[source] mdm_pki::Error),
}

fn near_misses(near: &[String]) -> String {
    if near.is_empty() {
        return String::new();
    }
    format!("; did you mean {}?", near.join(", "))
}

/// An error and its causes, in one line without control characters, of at most 500 characters.
pub fn one_line(error: &dyn StdError) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !line.contains(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        cause = error.source();
    }
    line.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(500)
        .collect()
}
