//! Apple's checkout as [`Schema`]: which file is what, and what its keys say. What this program does
//! not know is an error, with file and line: nothing is dropped without a word.

mod fields;
mod key;
mod support;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::Path;

use crate::failure::Outcome;
use crate::ir::{Document, Key, Kind, List, ListId, Reason, Schema};
use crate::stats;
use crate::yaml::{NodeId, Tree};
use fields::Fields;
pub(crate) use support::PLATFORMS;

/// Attributes that are read over: prose, and examples.
const IGNORED: &[&str] = &[
    "behavior",
    "content",
    "description",
    "examples",
    "note",
    "notes",
];

/// The attributes that name a document on the wire.
const NAMES: &[&str] = &[
    "credentialtype",
    "declarationtype",
    "payloadtype",
    "requesttype",
    "statusitemtype",
];

/// Where Apple's page on a document lies.
const PAGES: &str = "https://developer.apple.com/documentation/devicemanagement/";

/// The folders of a checkout that hold schemas; beside them lie texts.
const ROOTS: &[&str] = &["declarative", "mdm", "other"];

/// What the files of a folder are, and what their `responsekeys` are.
const FOLDERS: &[(&str, Kind, Option<Kind>)] = &[
    ("declarative/declarations", Kind::Protocol, None),
    (
        "declarative/declarations/activations",
        Kind::Activation,
        None,
    ),
    ("declarative/declarations/assets", Kind::Asset, None),
    (
        "declarative/declarations/assets/credentials",
        Kind::Credential,
        None,
    ),
    (
        "declarative/declarations/configurations",
        Kind::Configuration,
        None,
    ),
    (
        "declarative/declarations/management",
        Kind::Management,
        None,
    ),
    ("declarative/protocol", Kind::Protocol, None),
    ("declarative/status", Kind::StatusItem, None),
    ("mdm/checkin", Kind::CheckIn, Some(Kind::CheckInResponse)),
    ("mdm/commands", Kind::Command, Some(Kind::Response)),
    ("mdm/errors", Kind::ErrorBody, None),
    ("mdm/profiles", Kind::Payload, None),
    ("other", Kind::Document, None),
];

/// Reads every file of a checkout.
pub(crate) fn read(root: &Path) -> Outcome<Schema> {
    let mut schema = Schema::default();
    for file in files(root)? {
        let tree = Tree::open(root, &file)?;
        let stem = file.strip_suffix(".yaml").unwrap_or(&file);
        document(&mut schema, &tree, stem)?;
    }
    identify(&mut schema)?;
    // Whoever follows the lists from here on comes to an end.
    stats::stats(&schema)?;
    Ok(schema)
}

/// Every schema file below the checkout, sorted.
pub(crate) fn files(root: &Path) -> Outcome<Vec<String>> {
    let mut files = Vec::new();
    for folder in ROOTS {
        if !root.join(folder).is_dir() {
            let what = format!("is no checkout of the schema: it has no folder `{folder}`");
            return Err(format!("{}: {what}", root.display()).into());
        }
        collect(root, folder, &mut files)?;
    }
    files.sort();
    Ok(files)
}

fn collect(root: &Path, folder: &str, files: &mut Vec<String>) -> Outcome {
    let wrong = |error: std::io::Error| format!("{folder}: {error}");
    for entry in fs::read_dir(root.join(folder)).map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        let name = entry.file_name();
        let name = name
            .to_str()
            .ok_or_else(|| format!("{folder}: a name is not UTF-8"))?;
        let path = format!("{folder}/{name}");
        if entry.file_type().map_err(wrong)?.is_dir() {
            collect(root, &path, files)?;
        } else if name.ends_with(".yaml") {
            files.push(path);
        } else if name.ends_with(".yml") {
            return Err(format!("{path}: ends in `.yml`, `.yaml` is expected").into());
        }
    }
    Ok(())
}

/// Whether a name describes any key that may stand there.
pub(crate) fn is_wildcard(name: &str) -> bool {
    name == "ANY" || name.starts_with("ANY ")
}

/// Apple's page on the document with this title.
pub(crate) fn page(title: &str) -> String {
    let letters = title.chars().filter(|c| c.is_ascii_alphanumeric());
    letters.fold(PAGES.to_owned(), |mut page, letter| {
        page.push(letter.to_ascii_lowercase());
        page
    })
}

/// Reads a file: one document, or with its answer two.
fn document(schema: &mut Schema, tree: &Tree, file: &str) -> Outcome {
    let (folder, stem) = file.rsplit_once('/').unwrap_or(("", file));
    let (_, kind, answer) = FOLDERS
        .iter()
        .find(|(known, ..)| *known == folder)
        .ok_or_else(|| format!("{file}.yaml: lies in no folder that says what it is"))?;
    // The one file of its folder that is no status item.
    let kind = match stem {
        "statusreason" if *kind == Kind::StatusItem => Kind::Protocol,
        _ => *kind,
    };

    let mut reader = Reader::new(schema, tree);
    let mut fields = Fields::of(tree, tree.root(), "the document")?;
    let title = fields.text("title")?.unwrap_or_default();
    let keys = match fields.take("payloadkeys") {
        Some(node) => reader.list(node)?,
        None => reader.no_keys(),
    };
    let answers = fields.take("responsekeys");
    let answer_keys = match answers {
        Some(node) => reader.list(node)?,
        None => reader.no_keys(),
    };
    let reasons = reasons(tree, &mut fields)?;
    let related_status_items = related(tree, &mut fields)?;

    let payload = fields.take("payload");
    let payload = payload.ok_or_else(|| fields.wrong(tree.root(), "has no `payload`"))?;
    let mut payload = Fields::of(tree, payload, "`payload`")?;
    let mut names = Vec::new();
    for attribute in NAMES {
        names.extend(payload.text(attribute)?);
    }
    let apply = payload.word("apply", &["single", "multiple", "combined"])?;
    let mut support = support::supported(tree, payload.take("supportedOS"))?;
    // A whole document in beta is one on every system.
    if let Some(beta) = payload.flag("beta")? {
        for block in &mut support {
            block.beta.get_or_insert(beta);
        }
    }
    payload.finish()?;
    fields.finish()?;

    let name = match names.as_slice() {
        [name] if name != "any" => name.clone(),
        [_] => title.clone(),
        [] if kind == Kind::ErrorBody => code(schema, keys)
            .ok_or_else(|| tree.wrong(tree.root(), "an error's `code` allows one text"))?,
        [] => return Err(tree.wrong(tree.root(), "has no type")),
        _ => return Err(tree.wrong(tree.root(), "has several types")),
    };
    let document = |kind, keys| Document {
        kind,
        file: file.to_owned(),
        id: name.clone(),
        name: name.clone(),
        page: page(&title),
        title: title.clone(),
        support: support.clone(),
        apply: None,
        keys,
        reasons: Vec::new(),
        related_status_items: Vec::new(),
    };
    match (answer, answers) {
        // Every command is answered, by a report without keys of its own if need be.
        (Some(Kind::Response), _) | (Some(_), Some(_)) => {
            let kind = answer.unwrap_or(kind);
            schema.documents.push(document(kind, answer_keys));
        }
        (None, Some(node)) => return Err(tree.wrong(node, "nothing answers such a document")),
        (_, None) => {}
    }
    schema.documents.push(Document {
        apply,
        reasons,
        related_status_items,
        ..document(kind, keys)
    });
    Ok(())
}

/// The one value that the key `code` allows.
fn code(schema: &Schema, keys: ListId) -> Option<String> {
    let code = schema[keys]
        .iter()
        .find(|key| schema[**key].name == "code")?;
    match schema[*code].allowed.as_slice() {
        [only] => match &only.value {
            crate::ir::Literal::String(text) => Some(text.clone()),
            _ => None,
        },
        _ => None,
    }
}

fn reasons(tree: &Tree, fields: &mut Fields<'_>) -> Outcome<Vec<Reason>> {
    let mut reasons = Vec::new();
    for node in fields.items("reasons")? {
        let mut reason = Fields::of(tree, node, "a reason")?;
        let code = reason.required("value")?;
        let mut details = Vec::new();
        for node in reason.items("details")? {
            let mut detail = Fields::of(tree, node, "a reason's detail")?;
            let key = detail.required("key")?;
            details.push((key, key::value_type(&mut detail)?));
            detail.finish()?;
        }
        reason.finish()?;
        reasons.push(Reason { code, details });
    }
    Ok(reasons)
}

fn related(tree: &Tree, fields: &mut Fields<'_>) -> Outcome<Vec<String>> {
    let mut related: Vec<String> = Vec::new();
    for node in fields.items("related-status-items")? {
        let mut item = Fields::of(tree, node, "a related status item")?;
        related.extend(item.texts("status-items")?.unwrap_or_default());
        item.finish()?;
    }
    Ok(related)
}

/// Sorts the documents, and gives those that share a name an id of their own.
fn identify(schema: &mut Schema) -> Outcome {
    let mut shared: BTreeMap<(Kind, String), usize> = BTreeMap::new();
    for document in &schema.documents {
        *shared
            .entry((document.kind, document.name.clone()))
            .or_default() += 1;
    }
    for document in &mut schema.documents {
        let stem = document.file.rsplit('/').next().unwrap_or_default();
        if shared.get(&(document.kind, document.name.clone())) > Some(&1) {
            document.id = stem.to_owned();
        }
    }
    schema
        .documents
        .sort_by(|a, b| (a.kind, &a.id).cmp(&(b.kind, &b.id)));
    for pair in schema.documents.windows(2) {
        if let [one, other] = pair
            && (one.kind, &one.id) == (other.kind, &other.id)
        {
            return Err(format!("{} and {}: both are `{}`", one.file, other.file, one.id).into());
        }
    }
    Ok(())
}

/// Reads the keys of one file into the schema, each list once.
struct Reader<'a> {
    schema: &'a mut Schema,
    tree: &'a Tree,
    lists: HashMap<NodeId, ListId>,
}

impl<'a> Reader<'a> {
    fn new(schema: &'a mut Schema, tree: &'a Tree) -> Self {
        Self {
            schema,
            tree,
            lists: HashMap::new(),
        }
    }

    fn no_keys(&mut self) -> ListId {
        let id = ListId(self.schema.lists.len());
        self.schema.lists.push(List::default());
        id
    }

    /// The list at a node; where an alias leads back to it, it is known already.
    fn list(&mut self, node: NodeId) -> Outcome<ListId> {
        if let Some(id) = self.lists.get(&node) {
            return Ok(*id);
        }
        let id = self.no_keys();
        self.lists.insert(node, id);
        let mut names = BTreeSet::new();
        for item in fields::list(self.tree, node, "a list of keys")? {
            let key: Key = self.key(*item)?;
            if !names.insert(key.name.clone()) {
                let what = format!("the key `{}` stands there twice", key.name);
                return Err(self.tree.wrong(*item, what));
            }
            let key_id = crate::ir::KeyId(self.schema.keys.len());
            self.schema.keys.push(key);
            self.schema.lists[id.0].keys.push(key_id);
        }
        Ok(id)
    }
}
