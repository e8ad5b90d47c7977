//! The traps of the schema, each in a few lines of YAML.

mod compare;
mod diff;
mod overlay;
mod read;
mod yaml;

use std::fs;

use tempfile::TempDir;

use crate::ir::{Document, Key, Kind, ListId, Schema};
use crate::read::read as read_checkout;

/// A checkout of these files.
fn checkout(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for root in ["declarative", "mdm", "other"] {
        fs::create_dir(folder.path().join(root)).unwrap();
    }
    for (name, text) in files {
        let path = folder.path().join(format!("{name}.yaml"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn schema(files: &[(&str, &str)]) -> Schema {
    read_checkout(checkout(files).path()).unwrap()
}

/// The one command with these keys.
fn command(keys: &str) -> Schema {
    schema(&[("mdm/commands/some", &command_text(keys))])
}

fn command_text(keys: &str) -> String {
    format!("title: Some Command\npayload:\n  requesttype: Some\npayloadkeys:\n{keys}")
}

/// Why the one command with these keys is refused.
fn refused(keys: &str) -> String {
    let folder = checkout(&[("mdm/commands/some", &command_text(keys))]);
    read_checkout(folder.path()).unwrap_err().to_string()
}

fn document<'a>(schema: &'a Schema, kind: Kind, id: &str) -> &'a Document {
    let is_it = |document: &&Document| document.kind == kind && document.id == id;
    schema.documents.iter().find(is_it).unwrap()
}

/// The key of the command `Some` at a path.
fn key<'a>(schema: &'a Schema, path: &str) -> &'a Key {
    let mut list: ListId = document(schema, Kind::Command, "Some").keys;
    let mut found = None;
    for name in path.split('/') {
        let id = schema[list]
            .iter()
            .find(|id| schema[**id].name == name)
            .unwrap();
        found = Some(&schema[*id]);
        list = schema[*id].keys.unwrap_or(list);
    }
    found.unwrap()
}
