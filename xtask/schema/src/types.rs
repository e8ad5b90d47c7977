//! The Rust types of every document: which file holds them, and how the files hang together.

mod shape;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    docs,
    failure::{Failure, Outcome},
    files::File,
    ir::{Document, KeyId, Kind, Schema},
    names,
    overlay::Overlay,
};
use shape::Shape;

/// A folder of generated types, one file for each document, with its index beside it.
struct Folder {
    /// Below the workspace, without `.rs`.
    path: &'static str,
    about: &'static str,
    /// Folders inside.
    inner: &'static [&'static str],
    any: &'static [Any],
}

/// The dynamic form of some kinds of documents.
struct Any {
    name: &'static str,
    kinds: &'static [Kind],
    about: &'static str,
}

const FOLDERS: &[Folder] = &[
    Folder {
        path: "ade-client/src/model/generated",
        about: "The words of Apple's schema that profiles of device assignment hold.",
        inner: &[],
        any: &[],
    },
    Folder {
        path: "mdm-protocol/src/command/generated",
        about: "Every command, with what devices answer it with.",
        inner: &[],
        any: &[Any {
            name: "AnyCommand",
            kinds: &[Kind::Command],
            about: "Any command.",
        }],
    },
    Folder {
        path: "mdm-protocol/src/ddm/generated",
        about: "The documents of declarative management.",
        inner: &[
            "activation",
            "asset",
            "configuration",
            "credential",
            "management",
            "status_item",
        ],
        any: &[Any {
            name: "AnyDeclaration",
            kinds: &[
                Kind::Configuration,
                Kind::Asset,
                Kind::Management,
                Kind::Activation,
            ],
            about: "The payload of any declaration.",
        }],
    },
    Folder {
        path: "mdm-protocol/src/ddm/generated/activation",
        about: "Declarations that put configurations into force.\n\n\
                Each goes into a [`Declaration`](crate::ddm::Declaration) by `Declaration::of`, and comes \
                out of one by `Declaration::payload_as`.",
        inner: &[],
        any: &[],
    },
    Folder {
        path: "mdm-protocol/src/ddm/generated/asset",
        about: "Declarations that configurations refer to.\n\n\
                Each goes into a [`Declaration`](crate::ddm::Declaration) by `Declaration::of`, and comes \
                out of one by `Declaration::payload_as`.",
        inner: &[],
        any: &[],
    },
    Folder {
        path: "mdm-protocol/src/ddm/generated/configuration",
        about: "Declarations that configure.\n\n\
                Each goes into a [`Declaration`](crate::ddm::Declaration) by `Declaration::of`, and comes \
                out of one by `Declaration::payload_as`.",
        inner: &[],
        any: &[],
    },
    Folder {
        path: "mdm-protocol/src/ddm/generated/credential",
        about: "The documents that credential assets point to.",
        inner: &[],
        any: &[Any {
            name: "AnyCredential",
            kinds: &[Kind::Credential],
            about: "Any document that a credential asset points to.",
        }],
    },
    Folder {
        path: "mdm-protocol/src/ddm/generated/management",
        about: "Declarations about the management itself.\n\n\
                Each goes into a [`Declaration`](crate::ddm::Declaration) by `Declaration::of`, and comes \
                out of one by `Declaration::payload_as`.",
        inner: &[],
        any: &[],
    },
    Folder {
        path: "mdm-protocol/src/ddm/generated/status_item",
        about: "Items of status reports.\n\n\
                [`StatusReport::read`](crate::ddm::StatusReport::read) takes one out of a report by its type, \
                `StatusReport::items` all of them.",
        inner: &[],
        any: &[Any {
            name: "AnyStatusItem",
            kinds: &[Kind::StatusItem],
            about: "Any status item.",
        }],
    },
    Folder {
        path: "mdm-protocol/src/document/generated",
        about: "Documents that others refer to.",
        inner: &[],
        any: &[],
    },
    Folder {
        path: "mdm-protocol/src/enroll/generated",
        about: "What is exchanged before a device is enrolled, and the errors that stop it; MachineInfo is \
                written by hand.",
        inner: &[],
        any: &[Any {
            name: "AnyErrorBody",
            kinds: &[Kind::ErrorBody],
            about: "Any body of an HTTP error.",
        }],
    },
    Folder {
        path: "profiles/src/payload/generated",
        about: "Every payload of a profile.",
        inner: &[],
        any: &[Any {
            name: "AnyPayload",
            kinds: &[Kind::Payload],
            about: "Any payload.",
        }],
    },
];

/// Where the answers to commands are re-exported; their types lie beside those of the commands.
const RESPONSES: &str = "mdm-protocol/src/response/generated.rs";

const ANY_RESPONSE: Any = Any {
    name: "AnyResponse",
    kinds: &[Kind::Response],
    about: "What a device answers a command with, beside the status. Commands that have no variant here \
            are answered by a status alone.",
};

/// The file whose keys are not those of a document, but the values of one key elsewhere.
const SKIP_KEYS: &str = "other/skipkeys";

/// One file of a folder.
struct Entry {
    /// The file, without `.rs`.
    file: String,
    /// The types that are documents, with their kinds.
    types: Vec<(String, Kind)>,
    /// The feature that has to be on.
    feature: Option<String>,
}

/// Every file of types.
pub(crate) fn files(schema: &Schema, overlay: &Overlay) -> Outcome<Vec<File>> {
    let mut files = Vec::new();
    let mut entries: BTreeMap<&str, Vec<Entry>> = BTreeMap::new();
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, document) in schema.documents.iter().enumerate() {
        groups.entry(&document.file).or_default().push(index);
    }
    for documents in groups.values_mut() {
        // A command without response keys is answered by a status alone.
        documents.retain(|index| {
            let document = &schema.documents[*index];
            !document.kind.is_answer() || !schema[document.keys].is_empty()
        });
    }
    for documents in groups.values() {
        let document = &schema.documents[documents[0]];
        let Some(folder) = folder(document) else {
            continue;
        };
        if document.file == SKIP_KEYS {
            let entry = Entry {
                file: "skip_key".to_owned(),
                types: vec![("SkipKey".to_owned(), document.kind)],
                feature: None,
            };
            files.push(File {
                path: format!("{}/{}.rs", folder.path, entry.file),
                text: write::skip_keys(schema, overlay, document),
            });
            entries.entry(folder.path).or_default().push(entry);
            continue;
        }
        let foreign = foreign(schema, overlay, &groups, documents)?;
        let module = shape::Module::of(schema, overlay, documents, &foreign)
            .map_err(|failure| within(&document.file, &failure))?;
        let entry = entry(&module, overlay);
        files.push(File {
            path: format!("{}/{}.rs", folder.path, entry.file),
            text: write::file(&module),
        });
        entries.entry(folder.path).or_default().push(entry);
    }
    for entries in entries.values_mut() {
        entries.sort_by(|a, b| a.file.cmp(&b.file));
    }
    for folder in FOLDERS {
        files.push(File {
            path: format!("{}.rs", folder.path),
            text: index(folder, &entries)?,
        });
    }
    files.push(File {
        path: RESPONSES.to_owned(),
        text: responses(&entries),
    });
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// What the keys are that a file's documents have from another file, as that one calls their types.
fn foreign(
    schema: &Schema,
    overlay: &Overlay,
    groups: &BTreeMap<&str, Vec<usize>>,
    documents: &[usize],
) -> Outcome<BTreeMap<KeyId, Shape>> {
    let own = documents.iter().map(|index| &schema.documents[*index]);
    let mut borrowed: BTreeSet<_> = own.flat_map(|own| schema.borrowed(own)).collect();
    let mut foreign = BTreeMap::new();
    for (file, lenders) in groups {
        if borrowed.is_empty() {
            break;
        }
        let keys = lenders.iter().map(|index| &schema.documents[*index]);
        let keys: BTreeSet<_> = keys.flat_map(|lender| schema.own_keys(lender)).collect();
        if keys.is_disjoint(&borrowed) {
            continue;
        }
        let nothing = BTreeMap::new();
        let lender = shape::Module::of(schema, overlay, lenders, &nothing)
            .map_err(|failure| within(file, &failure))?;
        let path = format!("super::{}", entry(&lender, overlay).file);
        let lent = lender.lent(&path);
        foreign.extend(lent.into_iter().filter(|(id, _)| borrowed.contains(id)));
        borrowed.retain(|id| !keys.contains(id));
    }
    Ok(foreign)
}

/// A failure that says in which file.
fn within(file: &str, failure: &Failure) -> Failure {
    let failure = failure.to_string();
    match failure.starts_with(file) {
        true => failure.into(),
        false => format!("{file}: {failure}").into(),
    }
}

/// Where a document's types belong; check-in messages, the documents of the declarative protocol and
/// MachineInfo are written by hand.
fn folder(document: &Document) -> Option<&'static Folder> {
    let path = match document.kind {
        Kind::CheckIn | Kind::CheckInResponse | Kind::Protocol => return None,
        Kind::Command | Kind::Response => "mdm-protocol/src/command/generated",
        Kind::Payload => "profiles/src/payload/generated",
        Kind::Configuration => "mdm-protocol/src/ddm/generated/configuration",
        Kind::Asset => "mdm-protocol/src/ddm/generated/asset",
        Kind::Management => "mdm-protocol/src/ddm/generated/management",
        Kind::Activation => "mdm-protocol/src/ddm/generated/activation",
        Kind::Credential => "mdm-protocol/src/ddm/generated/credential",
        Kind::StatusItem => "mdm-protocol/src/ddm/generated/status_item",
        Kind::ErrorBody => "mdm-protocol/src/enroll/generated",
        Kind::Document => match document.file.as_str() {
            "other/machineinfo" => return None,
            SKIP_KEYS => "ade-client/src/model/generated",
            "other/esso" => "mdm-protocol/src/enroll/generated",
            _ => "mdm-protocol/src/document/generated",
        },
    };
    FOLDERS.iter().find(|folder| folder.path == path)
}

fn entry(module: &shape::Module<'_>, overlay: &Overlay) -> Entry {
    let mut types = Vec::new();
    let mut feature = None;
    for (definition, document) in write::roots(module) {
        types.push((definition.name.clone(), document.kind));
        let file = document.file.strip_prefix("mdm/profiles/");
        let area = file.and_then(|file| {
            let mut areas = overlay.areas.iter();
            areas.find(|area| area.files.iter().any(|name| name == file))
        });
        feature = area.map(|area| area.name.clone());
    }
    let first = types.first().map(|(name, _)| names::snake(name));
    Entry {
        file: first.unwrap_or_default(),
        types,
        feature,
    }
}

/// The file beside a folder: its modules, its types, their dynamic form.
fn index(folder: &Folder, all: &BTreeMap<&str, Vec<Entry>>) -> Outcome<String> {
    let own = all.get(folder.path).map_or(&[][..], Vec::as_slice);
    let mut seen = BTreeSet::new();
    for entry in own {
        for name in entry
            .types
            .iter()
            .map(|(name, _)| name)
            .chain([&entry.file])
        {
            if !seen.insert(name.as_str()) {
                return Err(format!("{}: `{name}` is there twice", folder.path).into());
            }
        }
    }
    let about: Vec<_> = folder.about.split("\n\n").map(str::to_owned).collect();
    let about = docs::comment(&about, 0).replace("///", "//!");
    let mut text = format!("{}\n{about}", write::MARK);
    let mut modules = Vec::new();
    let mut uses = Vec::new();
    for inner in folder.inner {
        modules.push(format!("pub mod {inner};\n"));
    }
    for entry in own {
        let feature = feature(entry);
        let types = entry.types.iter();
        let types: Vec<_> = types
            .filter(|(_, kind)| *kind != Kind::Response)
            .map(|(name, _)| name.as_str())
            .collect();
        modules.push(format!("{feature}pub mod {};\n", entry.file));
        uses.push(match types.as_slice() {
            [one] => format!("{feature}pub use {}::{one};\n", entry.file),
            types => format!(
                "{feature}pub use {}::{{{}}};\n",
                entry.file,
                types.join(", ")
            ),
        });
    }
    text += &section(&modules);
    let dynamic: Vec<_> = folder.any.iter().map(|any| dynamic(any, all)).collect();
    if !dynamic.is_empty() {
        let word = match folder.any.iter().any(|any| any.kinds == [Kind::StatusItem]) {
            true => "any_status_item",
            false => "any_item",
        };
        text += &format!("\nuse mdm_schema::{word};\n");
    }
    if !folder.inner.is_empty() && !dynamic.is_empty() {
        let kinds = folder.any.iter().flat_map(|any| any.kinds);
        let globs: BTreeSet<_> = kinds.map(|kind| format!("{}::*", kind.module())).collect();
        let globs: Vec<_> = globs.into_iter().collect();
        text += &format!("\nuse self::{{{}}};\n", globs.join(", "));
    }
    text += &section(&uses);
    for dynamic in dynamic {
        text += "\n";
        text += &dynamic;
    }
    Ok(text)
}

/// The file of the answers to commands.
fn responses(all: &BTreeMap<&str, Vec<Entry>>) -> String {
    let mut uses = Vec::new();
    for entry in all.values().flatten() {
        let answers = entry
            .types
            .iter()
            .filter(|(_, kind)| *kind == Kind::Response);
        uses.extend(
            answers.map(|(name, _)| format!("pub use crate::command::{}::{name};\n", entry.file)),
        );
    }
    format!(
        "{}\n//! What devices answer commands with.\n\nuse mdm_schema::any_item;\n{}\n{}",
        write::MARK,
        section(&uses),
        dynamic(&ANY_RESPONSE, all),
    )
}

fn section(lines: &[String]) -> String {
    match lines {
        [] => String::new(),
        lines => format!("\n{}", lines.concat()),
    }
}

/// The enum of every document of some kinds.
fn dynamic(any: &Any, all: &BTreeMap<&str, Vec<Entry>>) -> String {
    let mut variants: Vec<(&str, String)> = Vec::new();
    for entry in all.values().flatten() {
        for (name, kind) in &entry.types {
            if any.kinds.contains(kind) {
                variants.push((name, feature(entry)));
            }
        }
    }
    variants.sort();
    let about = docs::comment(&[any.about.to_owned()], 4);
    let is_status = any.kinds == [Kind::StatusItem];
    let mut text = match is_status {
        true => format!("any_status_item! {{\n{about}    pub enum {} {{\n", any.name),
        false => {
            let kinds: Vec<_> = any.kinds.iter().map(|kind| format!("{kind:?}")).collect();
            let kinds = kinds.join(" | ");
            format!(
                "any_item! {{\n{about}    pub enum {}: {kinds} {{\n",
                any.name
            )
        }
    };
    for (name, feature) in variants {
        if !feature.is_empty() {
            text += &format!("        {feature}");
        }
        text += &format!("        {name},\n");
    }
    text + "    }\n}\n"
}

fn feature(entry: &Entry) -> String {
    match &entry.feature {
        Some(feature) => format!("#[cfg(feature = {feature:?})]\n"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests;
