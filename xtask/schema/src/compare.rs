//! The tables against the YAML, key by key: what a dump of them says has to be what the files say.
//!
//! Nothing of the reader that the tables were written by is used here but [`yaml`](crate::yaml), so
//! that neither hides the mistakes of the other. What the overlay corrects is the only difference
//! that is accepted, and has to be one.

mod expect;

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use crate::failure::Outcome;
use crate::overlay::Written;
use crate::yaml::{NodeId, Tree};
use expect::{entry, items, scalar};

/// What came out.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) documents: usize,
    /// Keys as the files have them.
    pub(crate) written: usize,
    /// Keys as they are counted: each use of a list, one within itself once more, values that are
    /// keys.
    pub(crate) counted: usize,
    pub(crate) corrections: Vec<String>,
    pub(crate) differences: Vec<String>,
}

/// The kinds of a folder's files: what `payloadkeys` are, and what `responsekeys` are.
const FOLDERS: &[(&str, &str, Option<&str>)] = &[
    ("declarative/declarations/activations/", "activation", None),
    (
        "declarative/declarations/assets/credentials/",
        "credential",
        None,
    ),
    ("declarative/declarations/assets/", "asset", None),
    (
        "declarative/declarations/configurations/",
        "configuration",
        None,
    ),
    ("declarative/declarations/management/", "management", None),
    ("declarative/declarations/", "protocol", None),
    ("declarative/protocol/", "protocol", None),
    ("declarative/status/statusreason.", "protocol", None),
    ("declarative/status/", "statusItem", None),
    ("mdm/checkin/", "checkIn", Some("checkInResponse")),
    ("mdm/commands/", "command", Some("response")),
    ("mdm/errors/", "errorBody", None),
    ("mdm/profiles/", "payload", None),
    ("other/", "document", None),
];

/// A file of the checkout, and what it is.
struct Source {
    name: String,
    tree: Tree,
    kind: &'static str,
    answer: Option<&'static str>,
    /// What the document calls itself.
    wire: String,
}

/// Compares `checkout` with a dump of the tables.
pub(crate) fn compare(checkout: &Path, dump: &Value, overlay: &Written) -> Outcome<Report> {
    let mut names = Vec::new();
    yaml_files(checkout, "", &mut names)?;
    names.sort();
    let sources = names.iter().map(|name| Source::open(checkout, name));
    let sources = sources.collect::<Outcome<Vec<_>>>()?;
    let mut shared: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for source in &sources {
        *shared.entry((source.kind, &source.wire)).or_default() += 1;
    }

    let mut tables = BTreeMap::new();
    let documents = dump.as_array().ok_or("the dump is no array")?;
    for document in documents {
        let text = |name: &str| document.get(name).and_then(Value::as_str);
        let (kind, id) = text("kind")
            .zip(text("id"))
            .ok_or("the dump has no kinds or ids")?;
        tables.insert((kind.to_owned(), id.to_owned()), document);
    }

    let mut report = Report::default();
    let mut accepted = Accepted::of(overlay, &sources, &mut report)?;
    for source in &sources {
        let stem = source.name.rsplit('/').next().unwrap_or_default();
        let stem = stem.strip_suffix(".yaml").unwrap_or(stem);
        let id = match shared.get(&(source.kind, source.wire.as_str())) {
            Some(1) => source.wire.as_str(),
            _ => stem,
        };
        let mut walk = Walk {
            source,
            accepted: &mut accepted,
            report: &mut report,
            seen: HashSet::new(),
        };
        let root = source.tree.root();
        let answers = entry(&source.tree, root, "responsekeys").is_some();
        let answer = source.answer.filter(|kind| answers || *kind == "response");
        for (kind, keys) in [(Some(source.kind), "payloadkeys"), (answer, "responsekeys")] {
            let Some(kind) = kind else { continue };
            match tables.remove(&(kind.to_owned(), id.to_owned())) {
                Some(table) => walk.document(table, keys)?,
                None => walk.differs(kind, "is not in the tables"),
            }
        }
        walk.finish();
    }
    for (kind, id) in tables.keys() {
        let line = format!("{kind} {id}: is in the tables only");
        report.differences.push(line);
    }
    accepted.finish(&mut report);
    Ok(report)
}

/// Every YAML file below a folder but for the documentation's.
fn yaml_files(root: &Path, below: &str, names: &mut Vec<String>) -> Outcome {
    let wrong = |error: std::io::Error| format!("{}/{below}: {error}", root.display());
    for entry in fs::read_dir(root.join(below)).map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{below}{name}");
        if entry.path().is_dir() {
            if path != "docs" && !name.starts_with('.') {
                yaml_files(root, &format!("{path}/"), names)?;
            }
        } else if name.ends_with(".yaml") {
            names.push(path);
        }
    }
    Ok(())
}

impl Source {
    fn open(root: &Path, name: &str) -> Outcome<Self> {
        let tree = Tree::open(root, name)?;
        let folder = FOLDERS.iter().find(|(folder, ..)| name.starts_with(folder));
        let (_, kind, answer) = folder.ok_or_else(|| format!("{name}: what is it?"))?;
        let wire = wire(&tree).ok_or_else(|| format!("{name}: has no name"))?;
        Ok(Self {
            name: name.to_owned(),
            tree,
            kind,
            answer: *answer,
            wire,
        })
    }
}

/// What a document calls itself: its one `...type` below `payload`, or the value of its key `code`.
fn wire(tree: &Tree) -> Option<String> {
    let payload = entry(tree, tree.root(), "payload")?;
    let mut types = expect::entries(tree, payload).filter(|(name, _)| name.ends_with("type"));
    if let Some((_, node)) = types.next() {
        let name = scalar(tree, node)?;
        if name == "any" {
            return scalar(tree, entry(tree, tree.root(), "title")?);
        }
        return Some(name);
    }
    let keys = entry(tree, tree.root(), "payloadkeys")?;
    let named = |node: &NodeId| entry(tree, *node, "key").and_then(|key| scalar(tree, key));
    let code = items(tree, keys).find(|node| named(node).as_deref() == Some("code"))?;
    scalar(tree, items(tree, entry(tree, code, "rangelist")?).next()?)
}

/// The differences that the overlay makes.
struct Accepted<'a> {
    /// File, node and attribute, with the correction's place in the overlay.
    places: BTreeMap<(String, NodeId, &'static str), usize>,
    /// What each correction is of, and how often it was met.
    met: Vec<(String, usize)>,
    /// Files and nodes that the overlay calls wildcards.
    wildcards: HashSet<(String, NodeId)>,
    /// Lists that have more keys than the files say, by file and list.
    added: BTreeMap<(String, NodeId), Added<'a>>,
}

/// The keys that a list has beside its own.
#[derive(Clone)]
struct Added<'a> {
    /// Those of this list.
    from: Option<(&'a Source, NodeId)>,
    /// The place in `Accepted::met`.
    number: usize,
}

impl<'a> Accepted<'a> {
    fn of(overlay: &Written, sources: &'a [Source], report: &mut Report) -> Outcome<Self> {
        let mut accepted = Self {
            places: BTreeMap::new(),
            met: Vec::new(),
            wildcards: HashSet::new(),
            added: BTreeMap::new(),
        };
        for (number, correction) in overlay.correct.iter().enumerate() {
            let (source, node) = locate(sources, &correction.key)?;
            for attribute in correction.attributes() {
                accepted
                    .places
                    .insert((source.name.clone(), node, attribute), number);
            }
            accepted.meet(&correction.key, &correction.reason, report);
        }
        for wildcard in &overlay.wildcard {
            let (source, node) = locate(sources, &wildcard.key)?;
            accepted.wildcards.insert((source.name.clone(), node));
        }
        for borrow in &overlay.borrow {
            let from = Some(list(sources, &borrow.from)?);
            accepted.add(sources, &borrow.to, from)?;
            accepted.meet(&borrow.to, &borrow.reason, report);
        }
        for open in &overlay.open {
            accepted.add(sources, &open.key, None)?;
            accepted.meet(&open.key, &open.reason, report);
        }
        Ok(accepted)
    }

    /// Notes what has to be met.
    fn meet(&mut self, of: &str, reason: &str, report: &mut Report) {
        self.met.push((of.to_owned(), 0));
        report.corrections.push(format!("{of}: {reason}"));
    }

    fn add(
        &mut self,
        sources: &'a [Source],
        to: &str,
        from: Option<(&'a Source, NodeId)>,
    ) -> Outcome {
        let (source, node) = list(sources, to)?;
        let number = self.met.len();
        let place = (source.name.clone(), node);
        match self.added.insert(place, Added { from, number }) {
            Some(_) => Err(format!("overlay: keys are added to `{to}` twice").into()),
            None => Ok(()),
        }
    }

    fn is_accepted(&mut self, file: &str, node: NodeId, attribute: &str) -> bool {
        let place = self
            .places
            .iter()
            .find(|((known, at, name), _)| known == file && *at == node && *name == attribute);
        match place {
            Some((_, number)) => {
                self.met[*number].1 += 1;
                true
            }
            None => false,
        }
    }

    fn finish(self, report: &mut Report) {
        for (of, _) in self.met.iter().filter(|(_, met)| *met == 0) {
            let line = format!("{of}: the overlay's correction changes nothing");
            report.differences.push(line);
        }
    }
}

/// The list of keys that an overlay's path leads to.
fn list<'a>(sources: &'a [Source], path: &str) -> Outcome<(&'a Source, NodeId)> {
    let (source, node) = locate(sources, path)?;
    let below = match (
        path.contains('#') || path.contains('!'),
        path.ends_with('!'),
    ) {
        (_, true) => "responsekeys",
        (true, _) => "subkeys",
        (false, _) => "payloadkeys",
    };
    let list = entry(&source.tree, node, below);
    let list = list.ok_or_else(|| format!("overlay: `{path}` has no keys"))?;
    Ok((source, list))
}

/// The file and node of an overlay's path.
fn locate<'a>(sources: &'a [Source], path: &str) -> Outcome<(&'a Source, NodeId)> {
    let nowhere = || format!("overlay: there is no `{path}`");
    let end = path.find(['#', '!']).unwrap_or(path.len());
    let (file, keys) = path.split_at(end);
    let file = format!("{file}.yaml");
    let source = sources
        .iter()
        .find(|source| source.name == file)
        .ok_or_else(nowhere)?;
    let tree = &source.tree;
    let mut node = tree.root();
    let mut below = if keys.starts_with('!') {
        "responsekeys"
    } else {
        "payloadkeys"
    };
    for name in keys
        .get(1..)
        .unwrap_or_default()
        .split('/')
        .filter(|name| !name.is_empty())
    {
        let list = entry(tree, node, below).ok_or_else(nowhere)?;
        let named = |node: &NodeId| {
            let key = entry(tree, *node, "key").and_then(|key| scalar(tree, key));
            key.as_deref() == Some(name)
        };
        node = items(tree, list).find(named).ok_or_else(nowhere)?;
        below = "subkeys";
    }
    Ok((source, node))
}

/// The comparison of one file.
struct Walk<'a, 's> {
    source: &'a Source,
    accepted: &'a mut Accepted<'s>,
    report: &'a mut Report,
    /// The keys that were compared.
    seen: HashSet<NodeId>,
}

impl Walk<'_, '_> {
    fn differs(&mut self, place: &str, how: &str) {
        let line = format!("{} {place}: {how}", self.source.name);
        self.report.differences.push(line);
    }

    fn document(&mut self, table: &Value, keys: &str) -> Outcome {
        self.report.documents += 1;
        let tree = &self.source.tree;
        let is_answer = keys == "responsekeys";
        let expected = expect::document(tree, &self.source.wire, is_answer)?;
        let root = tree.root();
        let place = if is_answer { "!" } else { "#" };
        let others = ["kind", "id", "file", "page", "keys"];
        self.attributes(root, place, &expected, table, &others);
        self.keys(
            entry(tree, root, keys),
            table.get("keys"),
            place,
            &mut Vec::new(),
        )
    }

    /// Compares a list of keys. `above` are the lists that it lies in.
    fn keys(
        &mut self,
        list: Option<NodeId>,
        table: Option<&Value>,
        place: &str,
        above: &mut Vec<NodeId>,
    ) -> Outcome {
        let table = table.unwrap_or(&Value::Null);
        let Some(list) = list else {
            if table.as_array().is_none_or(|keys| !keys.is_empty()) && !table.is_null() {
                self.differs(place, "has keys in the tables only");
            }
            return Ok(());
        };
        if table.get("recursive").is_some() {
            if !above.contains(&list) {
                self.differs(place, "leads back to itself in the tables only");
            }
            return Ok(());
        }
        let tree = &self.source.tree;
        let keys = table.as_array().map(Vec::as_slice).unwrap_or_default();
        let is_added = |key: &&Value| key.get("added") == Some(&Value::Bool(true));
        let (added, keys): (Vec<&Value>, Vec<_>) = keys.iter().partition(is_added);
        let nodes: Vec<NodeId> = items(tree, list).collect();
        if keys.len() != nodes.len() {
            let how = format!("has {} keys, in the tables {}", nodes.len(), keys.len());
            self.differs(place, &how);
            return Ok(());
        }
        above.push(list);
        for (node, table) in nodes.into_iter().zip(keys) {
            self.key(node, table, place, above)?;
        }
        above.pop();
        self.added(list, &added, place)
    }

    /// Compares the keys that a list has beside its own with those that the overlay gives it.
    fn added(&mut self, list: NodeId, tables: &[&Value], place: &str) -> Outcome {
        let Some(added) = self.accepted.added.get(&(self.source.name.clone(), list)) else {
            if !tables.is_empty() {
                self.differs(place, "has added keys that the overlay does not give it");
            }
            return Ok(());
        };
        let Added { from, number } = added.clone();
        self.accepted.met[number].1 += tables.len();
        let Some((lender, from)) = from else {
            let open = |key: &&Value| key.get("wildcard") == Some(&Value::Bool(true));
            if !matches!(tables, [any] if open(any)) {
                self.differs(place, "is not open in the tables");
            }
            return Ok(());
        };
        let name = |tree: &Tree, node| entry(tree, node, "key").and_then(|key| scalar(tree, key));
        let own: Vec<_> = items(&self.source.tree, list)
            .map(|node| name(&self.source.tree, node))
            .collect();
        let borrowed = items(&lender.tree, from);
        let borrowed = borrowed.filter(|node| !own.contains(&name(&lender.tree, *node)));
        let borrowed: Vec<NodeId> = borrowed.collect();
        if borrowed.len() != tables.len() {
            let (count, in_tables) = (borrowed.len(), tables.len());
            let how = format!("borrows {count} keys, in the tables {in_tables}");
            self.differs(place, &how);
            return Ok(());
        }
        let mut walk = Walk {
            source: lender,
            accepted: &mut *self.accepted,
            report: &mut *self.report,
            seen: HashSet::new(),
        };
        for (node, table) in borrowed.into_iter().zip(tables) {
            walk.key(node, table, place, &mut Vec::new())?;
        }
        Ok(())
    }

    fn key(
        &mut self,
        node: NodeId,
        table: &Value,
        place: &str,
        above: &mut Vec<NodeId>,
    ) -> Outcome {
        self.seen.insert(node);
        let tree = &self.source.tree;
        let mut expected = expect::key(tree, node)?;
        let wildcard = (self.source.name.clone(), node);
        if self.accepted.wildcards.contains(&wildcard) {
            expected.insert("wildcard".into(), true.into());
        }
        let name = expected.get("name").and_then(Value::as_str).unwrap_or("?");
        let place = match place {
            "#" | "!" => format!("{place}{name}"),
            place => format!("{place}/{name}"),
        };
        self.attributes(node, &place, &expected, table, &["secret", "keys", "added"]);
        let mut below = entry(tree, node, "subkeys");
        if expected.contains_key("allowedAreKeys") {
            let values = below.into_iter().flat_map(|list| items(tree, list));
            self.seen.extend(values);
            below = None;
        }
        self.keys(below, table.get("keys"), &place, above)
    }

    /// Compares every attribute that either side has but for `others`.
    fn attributes(
        &mut self,
        node: NodeId,
        place: &str,
        expected: &Map<String, Value>,
        table: &Value,
        others: &[&str],
    ) {
        let table = expect::without_nothing(table);
        let mut names: Vec<&String> = expected.keys().chain(table.keys()).collect();
        names.sort();
        names.dedup();
        for name in names
            .into_iter()
            .filter(|name| !others.contains(&name.as_str()))
        {
            let (ours, theirs) = (table.get(name), expected.get(name));
            let equal = match (ours, theirs) {
                (Some(ours), Some(theirs)) => expect::equal(ours, theirs),
                _ => ours == theirs,
            };
            if !equal && !self.accepted.is_accepted(&self.source.name, node, name) {
                let shown = |value: Option<&Value>| match value {
                    Some(value) => value.to_string(),
                    None => "nothing".to_owned(),
                };
                let mut how = String::new();
                let _ = write!(how, "`{name}` is {}", shown(theirs));
                let _ = write!(how, ", in the tables {}", shown(ours));
                self.differs(place, &how);
            }
        }
    }

    /// Every key of the file has to have been met.
    fn finish(mut self) {
        let tree = &self.source.tree;
        let all: Vec<NodeId> = tree
            .nodes()
            .filter(|node| expect::is_key(tree, *node))
            .collect();
        self.report.written += all.len();
        for keys in ["payloadkeys", "responsekeys"] {
            let list = entry(tree, tree.root(), keys);
            self.report.counted += expect::count(tree, list, &mut Vec::new());
        }
        let missed = all.iter().filter(|node| !self.seen.contains(node)).count();
        if missed > 0 {
            self.differs("#", &format!("{missed} keys were not compared"));
        }
    }
}
