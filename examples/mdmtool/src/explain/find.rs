//! Finding what a name means: a document, a key in one, a code; or what it may have meant.

use std::collections::BTreeSet;

use mdm_schema::{
    Key, Kind, Schema,
    model::{Choice, Literal, ValueType},
};

use super::Subject;
use crate::schema::{skip_keys, words};

/// The longest name that is looked for, in bytes. None of Apple's is half as long.
const MAX_NAME: usize = 512;

/// What people leave out in front of a name.
const PREFIXES: &[&str] = &[
    "com.apple.configuration.",
    "com.apple.asset.",
    "com.apple.activation.",
    "com.apple.management.",
    "com.apple.credential.",
    "com.apple.",
];

/// Everything that the name means; letters in either case only where they fit nothing as they are.
pub(super) fn find(name: &str) -> Vec<Subject> {
    let name = name.trim();
    if name.is_empty() || name.len() > MAX_NAME {
        return Vec::new();
    }
    for same in [exactly, in_any_case] {
        let mut found = documents(name, same);
        if found.is_empty() {
            found = keys(name, same);
        }
        found.extend(skip_key(name, same));
        if found.is_empty() {
            found = codes(name, same);
        }
        if found.is_empty() {
            found = anywhere(name, same);
        }
        if found.is_empty() {
            found = deeper(name, same);
        }
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

type Same = fn(&str, &str) -> bool;

fn exactly(one: &str, other: &str) -> bool {
    one == other
}

fn in_any_case(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

fn documents(name: &str, same: Same) -> Vec<Subject> {
    // A title is prose, and nobody types its capitals.
    let named = |schema: &&'static Schema| {
        names(schema).any(|own| same(own, name)) || in_any_case(schema.title, name)
    };
    let found: Vec<_> = mdm_schema::all().filter(named).collect();
    // An answer without keys of its own tells nothing that the question does not.
    let tells = |schema: &&&'static Schema| {
        !matches!(schema.kind, Kind::Response | Kind::CheckInResponse)
            || !schema.keys.is_empty()
            || found.len() == 1
    };
    found
        .iter()
        .filter(tells)
        .map(|schema| Subject::document(schema))
        .collect()
}

/// Every name that a document goes by.
fn names(schema: &'static Schema) -> impl Iterator<Item = &'static str> {
    let short = |name: &'static str| {
        let prefixes = PREFIXES.iter();
        prefixes.filter_map(move |prefix| name.strip_prefix(prefix))
    };
    let file = schema.file.rsplit('/').next().unwrap_or_default();
    let own = [schema.id, schema.name, file];
    let short = own.into_iter().flat_map(short);
    own.into_iter()
        .chain(short)
        .chain(Some(schema.title).filter(|title| !title.is_empty()))
}

/// `Document.Key.Path`: both parts may hold dots, so each is tried.
fn keys(name: &str, same: Same) -> Vec<Subject> {
    let dots = name.match_indices(['.', '#', '/']).map(|(at, _)| at);
    let mut found: Vec<Subject> = Vec::new();
    for at in dots.collect::<Vec<_>>().into_iter().rev() {
        let (document, path) = (&name[..at], &name[at + 1..]);
        for subject in documents(document, same) {
            let mut way = Vec::new();
            if let Some(end) = descend(subject.schema.keys, path, same, &mut way) {
                found.push(Subject {
                    path: way,
                    choice: end,
                    ..subject
                });
            }
        }
        if !found.is_empty() {
            break;
        }
    }
    found
}

/// Follows a path down to a key, or to one of the values that it allows; arrays and their elements
/// need not be named. Each step takes a part of the path or leads from an array to its element, so
/// this ends.
fn descend(
    list: &'static [Key],
    path: &str,
    same: Same,
    way: &mut Vec<&'static Key>,
) -> Option<Option<&'static Choice>> {
    let path = path.trim_start_matches(['.', '/']);
    for key in list {
        let rest = [path.len(), key.name.len()]
            .into_iter()
            .filter_map(|at| path.split_at_checked(at))
            .find(|(head, rest)| {
                let ends = rest.is_empty() || rest.starts_with(['.', '/', '[']);
                ends && same(head, key.name)
            })
            .map(|(_, rest)| without_index(rest));
        let Some(rest) = rest else { continue };
        way.push(key);
        if rest.is_empty() {
            return Some(None);
        }
        if let Some(end) = value(key, rest, same).or_else(|| descend(key.keys, rest, same, way)) {
            return Some(end);
        }
        way.pop();
    }
    for key in list {
        let passed = way_is_array(way) || key.value == ValueType::Array;
        if !passed || way.iter().any(|above| std::ptr::eq(*above, key)) {
            continue;
        }
        way.push(key);
        if let Some(end) = value(key, path, same).or_else(|| descend(key.keys, path, same, way)) {
            return Some(end);
        }
        way.pop();
    }
    None
}

/// The value of this text, if the key allows it.
fn value(key: &'static Key, text: &str, same: Same) -> Option<Option<&'static Choice>> {
    let text = text.trim_start_matches(['.', '/']);
    let is = |choice: &&Choice| match choice.value {
        Literal::String(value) => same(value, text),
        _ => false,
    };
    key.allowed.iter().find(is).map(Some)
}

fn way_is_array(way: &[&'static Key]) -> bool {
    way.last().is_some_and(|key| key.value == ValueType::Array)
}

fn without_index(rest: &str) -> &str {
    match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((_, rest)) => rest,
        None => rest,
    }
}

fn skip_key(name: &str, same: Same) -> Option<Subject> {
    let key = skip_keys().iter().find(|key| same(key.name, name))?;
    let schema = mdm_schema::find(Kind::Document, "SkipKeys")?;
    Some(Subject {
        path: vec![key],
        ..Subject::document(schema)
    })
}

/// The documents that a code of a status report belongs to.
fn codes(name: &str, same: Same) -> Vec<Subject> {
    mdm_schema::all()
        .filter_map(|schema| {
            let code = schema.reasons.iter().find(|code| same(code.code, name))?;
            Some(Subject {
                code: Some(code),
                ..Subject::document(schema)
            })
        })
        .collect()
}

/// Every key of this name, whatever document it is in; some hold dots.
fn anywhere(name: &str, same: Same) -> Vec<Subject> {
    mdm_schema::all()
        .flat_map(|schema| within(schema, name, same))
        .collect()
}

/// `Document.Key` with a key that lies deeper, such as `SecurityInfo.FDE_Enabled`.
fn deeper(name: &str, same: Same) -> Vec<Subject> {
    let mut found = Vec::new();
    for (at, _) in name.match_indices('.') {
        let (document, key) = (&name[..at], &name[at + 1..]);
        for subject in documents(document, same) {
            found.extend(within(subject.schema, key, same));
        }
    }
    found
}

/// Every key of this name in a document.
fn within(schema: &'static Schema, name: &str, same: Same) -> Vec<Subject> {
    let keys = schema.walk();
    keys.filter(|at| !at.key().wildcard && same(at.key().name, name))
        .map(|at| Subject {
            path: at.holders().iter().copied().chain([at.key()]).collect(),
            ..Subject::document(at.schema())
        })
        .collect()
}

/// The most names that are suggested.
const MAX_SUGGESTIONS: usize = 8;

/// Names that look like this one, the nearest first.
pub(super) fn suggest(name: &str) -> Vec<String> {
    let asked = letters(name);
    if asked.is_empty() || name.len() > MAX_NAME {
        return Vec::new();
    }
    let most = (asked.len() / 3).max(1);
    let mut known: BTreeSet<(&str, &str)> = BTreeSet::new();
    for schema in mdm_schema::all() {
        known.extend(names(schema).map(|own| (own, schema.id)));
    }
    known.extend(skip_keys().iter().map(|key| (key.name, key.name)));
    let mut near: Vec<(usize, &str)> = known
        .into_iter()
        .filter_map(|(own, id)| {
            let own = letters(own);
            let far = distance(&own, &asked);
            let holds = asked.len() > 2 && own.contains(&asked);
            let is_held = own.len() > 4 && asked.contains(&own);
            if far <= most {
                Some((far, id))
            } else if holds || is_held {
                Some((own.len().abs_diff(asked.len()), id))
            } else {
                None
            }
        })
        .collect();
    near.sort_unstable();
    let mut names = Vec::new();
    for (_, id) in near {
        if !names.iter().any(|name| name == id) {
            names.push(id.to_owned());
        }
    }
    names.truncate(MAX_SUGGESTIONS);
    names
}

/// Letters and digits alone, in lower case.
fn letters(name: &str) -> String {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    letters.collect::<String>().to_ascii_lowercase()
}

/// How many letters have to be put in, taken out, changed, or swapped with their neighbour.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    if one.len().abs_diff(other.len()) > other.len() / 3 + 1 {
        return usize::MAX;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (row, letter) in one.iter().enumerate() {
        let mut next = vec![row + 1];
        for (column, wanted) in other.iter().enumerate() {
            let change = last[column] + usize::from(letter != wanted);
            let mut least = change.min(last[column + 1] + 1).min(next[column] + 1);
            let swapped =
                row > 0 && column > 0 && one[row - 1] == *wanted && *letter == other[column - 1];
            if swapped {
                least = least.min(before[column - 1] + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut last, next);
    }
    last.last().copied().unwrap_or_default()
}

/// A line for the list of several meanings.
pub(super) fn line(subject: &Subject) -> String {
    let Subject { schema, .. } = subject;
    format!(
        "{} {}: {}",
        words::kind(schema.kind),
        subject.name(),
        schema.title
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_counted() {
        for (one, other, letters) in [
            ("lock", "lock", 0),
            ("lokc", "lock", 1),
            ("lck", "lock", 1),
            ("erasedevise", "erasedevice", 1),
            ("", "a", 1),
        ] {
            assert_eq!(distance(one, other), letters, "{one} {other}");
        }
        assert_eq!(distance("a", "far too long"), usize::MAX);
    }
}
