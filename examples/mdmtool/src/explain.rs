//! What a name of Apple's vocabulary means, and whether a device takes it.

mod find;
mod judge;
mod terms;
mod text;

use mdm_schema::{
    Key, Schema, Target,
    model::{Choice, Literal, Reason},
    path,
};

pub use self::text::{json, text};
use crate::error::Error;

/// Something that has a name: a document, a key in one, one of the key's values, or a code of a status
/// report.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Subject {
    /// The document.
    pub schema: &'static Schema,
    /// The way to the key; empty for the document itself.
    pub path: Vec<&'static Key>,
    /// The value that the key allows.
    pub choice: Option<&'static Choice>,
    /// The code.
    pub code: Option<&'static Reason>,
}

impl Subject {
    fn document(schema: &'static Schema) -> Self {
        Self {
            schema,
            path: Vec::new(),
            choice: None,
            code: None,
        }
    }

    /// A key below this one.
    fn below(&self, key: &'static Key) -> Self {
        let mut path = self.path.clone();
        path.push(key);
        Self {
            schema: self.schema,
            path,
            choice: None,
            code: None,
        }
    }

    /// The document's id, with the way to the key behind it.
    pub fn name(&self) -> String {
        let mut name = self.schema.id.to_owned();
        for key in &self.path {
            name = path::join(&name, key.name);
        }
        match self.choice.map(|choice| choice.value) {
            Some(Literal::String(text)) => path::join(&name, text),
            _ => name,
        }
    }
}

/// Everything that a name means.
///
/// # Errors
/// [`Error::UnknownName`] with the names that look like it.
pub fn find(name: &str) -> Result<Vec<Subject>, Error> {
    let found = find::find(name);
    if found.is_empty() {
        return Err(Error::UnknownName {
            name: name.chars().take(100).collect(),
            near: find::suggest(name),
        });
    }
    Ok(found)
}

/// The most meanings that are told in full; more are listed.
pub const MAX_TOLD: usize = 4;

/// The most meanings that are listed.
const MAX_LISTED: usize = 40;

/// What a name means, for people.
///
/// # Errors
/// See [`find`].
pub fn explain(name: &str, target: Option<&Target>) -> Result<String, Error> {
    let found = find(name)?;
    if found.len() > MAX_TOLD {
        let mut lines = vec![format!("{name} means {} things:", found.len())];
        let shown = found.iter().take(MAX_LISTED);
        lines.extend(shown.map(|subject| format!("  {}", find::line(subject))));
        if let Some(more) = found.len().checked_sub(MAX_LISTED).filter(|more| *more > 0) {
            lines.push(format!("  and {more} more"));
        }
        return Ok(lines.join("\n"));
    }
    let told: Vec<String> = found.iter().map(|subject| text(subject, target)).collect();
    Ok(told.join("\n\n"))
}
