//! The tables of `mdm-schema`: a static for each document, a private one for each list of keys.
//!
//! Lists refer to each other by address, so that shared ones are there once and a list may lead back
//! to itself.

mod document;
mod support;

use std::collections::{BTreeMap, BTreeSet};

use crate::failure::Outcome;
use crate::files::{self, File};
use crate::ir::{Document, Kind, ListId, Schema};
use crate::names;
use crate::overlay::Overlay;
use support::Shared;

/// Where the tables lie.
const FOLDER: &str = "foundation/schema/src/generated";

/// Every file of tables.
pub(crate) fn files(schema: &Schema, overlay: &Overlay) -> Outcome<Vec<File>> {
    let shared = Shared::of(schema);
    let lent = lent(schema, overlay, &shared);
    let mut files = vec![
        File::new(format!("{FOLDER}.rs"), kinds()),
        File::new(format!("{FOLDER}/support.rs"), shared.text()),
    ];
    let mut awkward = Vec::new();
    for kind in Kind::ALL {
        let of_kind = |document: &&Document| document.kind == kind;
        let mut modules = BTreeMap::new();
        let mut all = String::new();
        for document in schema.documents.iter().filter(of_kind) {
            let name = names::document(schema, overlay, document);
            if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
                awkward.push(format!("{}: `{name}` is no Rust name", document.file));
            }
            let (module, constant) = (names::snake(&name), names::screaming(&name));
            let text = document::text(schema, &shared, document, &constant, &lent);
            files.push(File::new(
                format!("{FOLDER}/{}/{module}.rs", kind.module()),
                text,
            ));
            all += &format!("    &{constant},\n");
            if let Some(other) = modules.insert(module, constant) {
                awkward.push(format!("{}: another {other} is there", document.file));
            }
        }
        let mut text = format!("{}use crate::model::Schema;\n\n", files::HEAD);
        for module in modules.keys() {
            text += &format!("mod {module};\n");
        }
        text.push('\n');
        for (module, constant) in &modules {
            text += &format!("pub use {module}::{constant};\n");
        }
        text += &format!(
            "\n/// Every one, sorted by id.\npub(super) static ALL: &[&Schema] = &[\n{all}];\n"
        );
        files.push(File::new(format!("{FOLDER}/{}.rs", kind.module()), text));
    }
    match awkward.is_empty() {
        true => Ok(files),
        false => Err(awkward.join("\n").into()),
    }
}

/// Where the lists lie that other documents refer to, by the path that those have for them.
fn lent(schema: &Schema, overlay: &Overlay, shared: &Shared) -> BTreeMap<ListId, String> {
    let mut borrowed = BTreeSet::new();
    for document in &schema.documents {
        let own = schema.lists_of(document);
        let keys = own.iter().flat_map(|list| &schema[*list]);
        let lists = keys.filter_map(|id| schema[*id].keys);
        borrowed.extend(lists.filter(|list| !own.contains(list)));
    }
    let mut lent = BTreeMap::new();
    for document in &schema.documents {
        if schema.lists_of(document).is_disjoint(&borrowed) {
            continue;
        }
        let name = names::document(schema, overlay, document);
        let lists = document::lists(schema, shared, document, &names::screaming(&name));
        for (list, constant) in lists {
            if borrowed.contains(&list) {
                let path = format!("super::{}::{constant}", names::snake(&name));
                lent.entry(list).or_insert(path);
            }
        }
    }
    lent
}

/// The root of the tables.
fn kinds() -> String {
    let mut modules = String::new();
    let mut arms = String::new();
    for kind in Kind::ALL {
        let module = kind.module();
        modules += &format!("/// {}\npub mod {module};\n", described(kind));
        arms += &format!("        Kind::{kind:?} => {module}::ALL,\n");
    }
    format!(
        "{}use crate::model::{{Kind, Schema}};\n\n\
         {modules}mod support;\n\n\
         /// Every schema of a kind, sorted by id.\n\
         pub(crate) fn of_kind(kind: Kind) -> &'static [&'static Schema] {{\n    \
             match kind {{\n{arms}    }}\n}}\n",
        files::HEAD
    )
}

fn described(kind: Kind) -> &'static str {
    match kind {
        Kind::CheckIn => "Check-in messages.",
        Kind::CheckInResponse => "What check-in messages are answered with.",
        Kind::Command => "Commands.",
        Kind::Response => "What devices answer to commands.",
        Kind::Payload => "Payloads of configuration profiles.",
        Kind::Configuration => "Declarations that configure.",
        Kind::Asset => "Declarations that configurations refer to.",
        Kind::Management => "Declarations about the management itself.",
        Kind::Activation => "Declarations that put configurations into force.",
        Kind::Credential => "Documents that credential assets point to.",
        Kind::StatusItem => "Items of status reports.",
        Kind::Protocol => "Documents of the declarative protocol.",
        Kind::ErrorBody => "Bodies of HTTP errors.",
        Kind::Document => "Other documents.",
    }
}
