//! Two trees side by side.

use std::collections::{HashMap, VecDeque};

use mdm_plist::{Dictionary, Value};
use mdm_schema::path;

use super::{Change, What, order};
use crate::shown::{Known, Shown, canonical};

/// The walk, and what it has found since it was last asked.
pub(super) struct Walk<'a> {
    /// UUIDs of payloads that have another one now, in upper case.
    renamed: HashMap<String, String>,
    found: Vec<Found<'a>>,
}

/// The old value, the new value, or both, with their paths.
struct Found<'a> {
    paths: [String; 2],
    old: Option<&'a Value>,
    new: Option<&'a Value>,
    secret: bool,
    moved: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn new(renamed: impl Iterator<Item = (String, String)>) -> Self {
        Self {
            renamed: renamed.collect(),
            found: Vec::new(),
        }
    }

    pub(super) fn dictionary(
        &mut self,
        at: [&str; 2],
        known: Known,
        old: &'a Dictionary,
        new: &'a Dictionary,
    ) {
        for (key, value) in old {
            let paths = at.map(|at| path::join(at, key));
            self.value(paths, known.key(key), Some(value), new.get(key));
        }
        for (key, value) in new.iter().filter(|(key, _)| !old.contains_key(key)) {
            let paths = at.map(|at| path::join(at, key));
            self.value(paths, known.key(key), None, Some(value));
        }
    }

    fn value(
        &mut self,
        paths: [String; 2],
        known: Known,
        old: Option<&'a Value>,
        new: Option<&'a Value>,
    ) {
        let at = || {
            let [old, new] = &paths;
            [old.as_str(), new.as_str()]
        };
        match (old, new) {
            (old, new) if old == new => {}
            (Some(Value::Dictionary(old)), Some(Value::Dictionary(new))) => {
                self.dictionary(at(), known, old, new);
            }
            (Some(Value::Array(old)), Some(Value::Array(new))) => {
                self.array(at(), known, old, new);
            }
            // What came or went is told key by key.
            (Some(Value::Dictionary(keys)), None) | (None, Some(Value::Dictionary(keys)))
                if !keys.is_empty() =>
            {
                for (key, value) in keys {
                    let paths = at().map(|at| path::join(at, key));
                    let value = Some(value);
                    self.value(paths, known.key(key), old.and(value), new.and(value));
                }
            }
            (old, new) => self.note(paths, known.secret, old, new, false),
        }
    }

    /// Elements that are equal are the same, wherever they stand; of the others, as many as both have
    /// are taken for the same in their order.
    fn array(&mut self, at: [&str; 2], known: Known, old: &'a [Value], new: &'a [Value]) {
        let mut waiting: HashMap<Vec<u8>, VecDeque<usize>> = HashMap::new();
        for (index, value) in new.iter().enumerate() {
            waiting.entry(key(value)).or_default().push_back(index);
        }
        let mut equal = Vec::new();
        let mut gone = Vec::new();
        for (index, value) in old.iter().enumerate() {
            match waiting.get_mut(&key(value)).and_then(VecDeque::pop_front) {
                Some(place) => equal.push((index, place)),
                None => gone.push(index),
            }
        }
        let mut came: Vec<_> = waiting.into_values().flatten().collect();
        came.sort_unstable();

        let [old_at, new_at] = at;
        let paths = |old: usize, new: usize| [path::index(old_at, old), path::index(new_at, new)];
        let both = gone.len().min(came.len());
        for (place, moved) in equal.iter().zip(order::moved(&equal)) {
            let (old_place, new_place) = *place;
            if moved {
                let known = new
                    .get(new_place)
                    .map_or(known, |value| known.element(value));
                let sides = (old.get(old_place), new.get(new_place));
                self.note(
                    paths(old_place, new_place),
                    known.secret,
                    sides.0,
                    sides.1,
                    true,
                );
            }
        }
        for index in 0..gone.len().max(came.len()) {
            let places = (gone.get(index).copied(), came.get(index).copied());
            let (old_place, new_place) = (places.0.unwrap_or(0), places.1.unwrap_or(0));
            let sides = (
                places.0.and_then(|place| old.get(place)),
                places.1.and_then(|place| new.get(place)),
            );
            let known = sides
                .1
                .or(sides.0)
                .map_or(known, |value| known.element(value));
            let paths = paths(old_place, new_place);
            if index < both {
                self.value(paths, known, sides.0, sides.1);
            } else {
                self.note(paths, known.secret, sides.0, sides.1, false);
            }
        }
    }

    fn note(
        &mut self,
        paths: [String; 2],
        secret: bool,
        old: Option<&'a Value>,
        new: Option<&'a Value>,
        moved: bool,
    ) {
        self.found.push(Found {
            paths,
            old,
            new,
            secret,
            moved,
        });
    }

    /// What was found since the last time.
    pub(super) fn finish(&mut self) -> Vec<Change> {
        let found = std::mem::take(&mut self.found);
        let mut gone: HashMap<_, VecDeque<usize>> = HashMap::new();
        for (index, found) in found.iter().enumerate() {
            if let (Some(old), None) = (found.old, found.new) {
                gone.entry((name(&found.paths[0]), key(old)))
                    .or_default()
                    .push_back(index);
            }
        }
        // What went here and came there, under the same name, was moved.
        let mut from: Vec<Option<&str>> = vec![None; found.len()];
        let mut moved = vec![false; found.len()];
        for (index, one) in found.iter().enumerate() {
            let (None, Some(new)) = (one.old, one.new) else {
                continue;
            };
            let origin = gone.get_mut(&(name(&one.paths[1]), key(new)));
            let origin = origin.and_then(VecDeque::pop_front);
            let origin = origin.and_then(|origin| Some((origin, found.get(origin)?)));
            if let (Some((place, origin)), Some(from)) = (origin, from.get_mut(index)) {
                *from = Some(&origin.paths[0]);
                if let Some(moved) = moved.get_mut(place) {
                    *moved = true;
                }
            }
        }
        let told = found.iter().zip(from).zip(moved);
        told.filter(|(_, moved)| !moved)
            .filter_map(|((found, from), _)| self.change(found, from))
            .collect()
    }

    fn change(&self, found: &Found<'_>, from: Option<&str>) -> Option<Change> {
        let [old_path, new_path] = &found.paths;
        let show = |value: &Value| Shown::new(value, found.secret);
        let from = from.or(found.moved.then_some(old_path));
        let what = match (found.old, found.new, from) {
            (_, _, Some(from)) => What::Moved {
                from: from.to_owned(),
            },
            (Some(old), Some(new), None) => {
                let shown = [show(old), show(new)];
                let [old_shown, new_shown] = shown;
                if self.follows(old, new) {
                    What::Followed {
                        old: old_shown,
                        new: new_shown,
                    }
                } else {
                    What::Changed {
                        old: old_shown,
                        new: new_shown,
                    }
                }
            }
            (None, Some(new), None) => What::Added { new: show(new) },
            (Some(old), None, None) => What::Removed { old: show(old) },
            (None, None, None) => return None,
        };
        let gone = matches!(what, What::Removed { .. });
        let path = if gone { old_path } else { new_path };
        Some(Change {
            path: path.clone(),
            what,
        })
    }

    fn follows(&self, old: &Value, new: &Value) -> bool {
        let upper = |value: &Value| value.as_string().map(str::to_ascii_uppercase);
        let (Some(old), Some(new)) = (upper(old), upper(new)) else {
            return false;
        };
        self.renamed.get(&old) == Some(&new)
    }
}

fn key(value: &Value) -> Vec<u8> {
    let mut key = Vec::new();
    canonical(value, &mut key);
    key
}

/// The last key of a path.
fn name(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}
