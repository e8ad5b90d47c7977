//! What a newer checkout adds, changes, deprecates and removes, by document and key.

mod facts;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::ir::{Document, Key, KeyId, Kind, ListId, Schema, Support};
use facts::Fact;

/// The differences, in groups.
#[derive(Debug, Default)]
pub(crate) struct Diff {
    groups: BTreeMap<Group, BTreeMap<(Kind, String), Vec<String>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Added,
    Changed,
    Deprecated,
    Removed,
}

/// Compares two checkouts.
pub(crate) fn diff(old: &Schema, new: &Schema) -> Diff {
    let mut diff = Diff::default();
    let (before, after) = (documents(old), documents(new));
    for (of, document) in &after {
        match before.get(of) {
            Some(earlier) => {
                let mut one = One {
                    diff: &mut diff,
                    of,
                };
                one.document(earlier, document);
                one.keys(&keys(old, earlier.keys), &keys(new, document.keys));
            }
            None => {
                let mut lines = vec![match document.support.as_slice() {
                    [] => "new".to_owned(),
                    support => format!("new: {}", facts::availability(support)),
                }];
                let keys = keys(new, document.keys);
                lines.extend(keys.iter().map(|(path, key)| added(path, key)));
                diff.group(Group::Added).insert(of.clone(), lines);
            }
        }
    }
    for of in before.keys().filter(|of| !after.contains_key(*of)) {
        let lines = vec!["no longer described".to_owned()];
        diff.group(Group::Removed).insert(of.clone(), lines);
    }
    diff
}

impl Diff {
    fn group(&mut self, group: Group) -> &mut BTreeMap<(Kind, String), Vec<String>> {
        self.groups.entry(group).or_default()
    }
}

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.groups.is_empty() {
            return writeln!(f, "No difference.");
        }
        for (group, documents) in &self.groups {
            writeln!(f, "{group:?}")?;
            for ((kind, id), lines) in documents {
                writeln!(f, "  {} {id}", kind.module().replace('_', "-"))?;
                for line in lines {
                    writeln!(f, "    {line}")?;
                }
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

fn documents(schema: &Schema) -> BTreeMap<(Kind, String), &Document> {
    let of = |document: &Document| (document.kind, document.id.clone());
    schema
        .documents
        .iter()
        .map(|document| (of(document), document))
        .collect()
}

/// Every key by its path; one that lies within itself is not entered again.
fn keys(schema: &Schema, list: ListId) -> BTreeMap<String, &Key> {
    let mut keys = BTreeMap::new();
    collect(schema, list, "", &mut Vec::new(), &mut keys);
    keys
}

fn collect<'a>(
    schema: &'a Schema,
    list: ListId,
    place: &str,
    above: &mut Vec<KeyId>,
    keys: &mut BTreeMap<String, &'a Key>,
) {
    for id in &schema[list] {
        let key = &schema[*id];
        let path = match place {
            "" => key.name.clone(),
            place => format!("{place}/{}", key.name),
        };
        if let Some(list) = key.keys
            && !above.contains(id)
        {
            above.push(*id);
            collect(schema, list, &path, above, keys);
            above.pop();
        }
        keys.insert(path, key);
    }
}

/// The differences of one document.
struct One<'a> {
    diff: &'a mut Diff,
    of: &'a (Kind, String),
}

impl One<'_> {
    fn say(&mut self, group: Group, line: String) {
        let of = self.of.clone();
        self.diff.group(group).entry(of).or_default().push(line);
    }

    fn document(&mut self, old: &Document, new: &Document) {
        self.facts("", &facts::of_document(old), &facts::of_document(new));
        self.support("", &old.support, &new.support);
    }

    fn keys(&mut self, old: &BTreeMap<String, &Key>, new: &BTreeMap<String, &Key>) {
        for (path, key) in new {
            match old.get(path) {
                Some(earlier) => {
                    let place = format!("{path}: ");
                    self.facts(&place, &facts::of_key(earlier), &facts::of_key(key));
                    self.support(&place, &earlier.support, &key.support);
                    self.choices(path, earlier, key);
                }
                None => self.say(Group::Added, added(path, key)),
            }
        }
        for path in old.keys().filter(|path| !new.contains_key(*path)) {
            if is_top(path, new, old) {
                self.say(Group::Removed, format!("{path}{}", below(path, old)));
            }
        }
    }

    /// The values that a key allows, each with an availability of its own.
    fn choices(&mut self, path: &str, old: &Key, new: &Key) {
        for choice in &new.allowed {
            let shown = facts::literal(&choice.value);
            match old
                .allowed
                .iter()
                .find(|earlier| earlier.value == choice.value)
            {
                Some(earlier) => {
                    let place = format!("{path}: {shown}: ");
                    self.support(&place, &earlier.support, &choice.support);
                }
                None => self.say(Group::Added, format!("{path}: the value {shown}")),
            }
        }
        let both = |one: &Key, other: &Key| {
            let values = one.allowed.iter().map(|choice| &choice.value);
            let kept = values.filter(|value| other.allowed.iter().any(|o| o.value == **value));
            kept.cloned().collect::<Vec<_>>()
        };
        // By their order some are combined.
        if both(old, new) != both(new, old) {
            let line = format!("{path}: the values stand in another order");
            self.say(Group::Changed, line);
        }
        for choice in &old.allowed {
            if new.allowed.iter().all(|later| later.value != choice.value) {
                let shown = facts::literal(&choice.value);
                self.say(Group::Removed, format!("{path}: the value {shown}"));
            }
        }
    }

    fn facts(&mut self, place: &str, old: &[Fact], new: &[Fact]) {
        for (name, said, earlier) in facts::changes(old, new) {
            let line = format!("{place}{name} {said}, was {earlier}");
            self.say(Group::Changed, line);
        }
    }

    /// What each system says of it. A version that was not there before is news of its own.
    fn support(&mut self, place: &str, old: &[Support], new: &[Support]) {
        let systems: BTreeSet<&str> = old.iter().chain(new).map(|s| s.platform.as_str()).collect();
        for system in systems {
            let on = |blocks: &[Support]| {
                let block = blocks
                    .iter()
                    .find(|block| block.platform == system)
                    .cloned();
                block.unwrap_or_else(|| Support::on(system))
            };
            let (old, new) = (on(old), on(new));
            let is_absent = |bound: &Option<String>| bound.as_deref().is_none_or(|b| b == "n/a");
            let mut news = |group, earlier: &Option<String>, later: &Option<String>| {
                let is_news = is_absent(earlier) && !is_absent(later);
                if is_news {
                    let version = later.as_deref().unwrap_or_default();
                    self.say(group, format!("{place}on {system} from {version}"));
                }
                is_news
            };
            let mut told = Vec::new();
            // A key that begins to say when it came says so beside its document's version.
            if old.introduced.is_some() && news(Group::Added, &old.introduced, &new.introduced) {
                told.push("introduced");
            }
            if news(Group::Deprecated, &old.deprecated, &new.deprecated) {
                told.push("deprecated");
            }
            if news(Group::Removed, &old.removed, &new.removed) {
                told.push("removed");
            }
            let (old, new) = (facts::of_support(&old), facts::of_support(&new));
            for (name, said, earlier) in facts::changes(&old, &new) {
                if !told.contains(&name) {
                    let line = format!("{place}on {system} {name} {said}, was {earlier}");
                    self.say(Group::Changed, line);
                }
            }
        }
    }
}

/// A new key.
fn added(path: &str, key: &Key) -> String {
    format!("{path}: {}", facts::summary(key))
}

/// Whether what holds a key is in both: then the key is news of its own.
fn is_top(path: &str, other: &BTreeMap<String, &Key>, own: &BTreeMap<String, &Key>) -> bool {
    match path.rsplit_once('/') {
        // A name may hold a slash; then what stands before it is no key.
        Some((holder, _)) => other.contains_key(holder) || !own.contains_key(holder),
        None => true,
    }
}

/// How many keys lie below.
fn below(path: &str, keys: &BTreeMap<String, &Key>) -> String {
    let within = format!("{path}/");
    match keys.keys().filter(|path| path.starts_with(&within)).count() {
        0 => String::new(),
        1 => ", with a key below it".to_owned(),
        count => format!(", with {count} keys below it"),
    }
}
