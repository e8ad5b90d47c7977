//! Going through a document's keys: all of them, or to one by its path.

use std::ptr;

use crate::{
    availability::Availability,
    model::{Key, Schema, Support, ValueType},
    target::{Platform, Target},
};

/// A key and what holds it.
#[derive(Debug, Clone)]
pub struct KeyAt {
    schema: &'static Schema,
    holders: Vec<&'static Key>,
    key: &'static Key,
}

impl KeyAt {
    /// The document that the key is in.
    pub fn schema(&self) -> &'static Schema {
        self.schema
    }

    /// The key.
    pub fn key(&self) -> &'static Key {
        self.key
    }

    /// The keys that hold it, outermost first.
    pub fn holders(&self) -> &[&'static Key] {
        &self.holders
    }

    /// The names on the way to it, elements of arrays included, with slashes between:
    /// `Settings/Wallpaper/Where`.
    pub fn path(&self) -> String {
        let names = self.holders.iter().chain([&self.key]).map(|key| key.name);
        names.collect::<Vec<_>>().join("/")
    }

    /// On what terms a system takes the key, with what it takes over from its holders.
    pub fn support_on(&self, platform: Platform) -> Support {
        self.key.support_under(self.outer(platform))
    }

    /// Whether a target takes the key, and why not: what stands against its holders included.
    pub fn availability(&self, target: &Target) -> Availability {
        self.support_on(target.platform).availability(target)
    }

    fn outer(&self, platform: Platform) -> Support {
        let document = self.schema.support_on(platform);
        let under = |outer, key: &&'static Key| key.support_under(outer);
        self.holders.iter().fold(document, under)
    }

    /// Whether the keys below lead back to what holds this key.
    pub fn is_recursive(&self) -> bool {
        let holders = self.holders.iter().map(|key| key.keys);
        !self.key.keys.is_empty()
            && holders
                .chain([self.schema.keys])
                .any(|keys| ptr::eq(keys, self.key.keys))
    }
}

/// The keys of a document, each before those that it holds; see [`Schema::walk`].
#[derive(Debug, Clone)]
pub struct Walk {
    /// What is still to come, last first.
    next: Vec<KeyAt>,
}

impl Walk {
    fn push(&mut self, schema: &'static Schema, holders: &[&'static Key], keys: &'static [Key]) {
        self.next.extend(keys.iter().rev().map(|key| KeyAt {
            schema,
            holders: holders.to_vec(),
            key,
        }));
    }
}

impl Iterator for Walk {
    type Item = KeyAt;

    fn next(&mut self) -> Option<KeyAt> {
        let at = self.next.pop()?;
        if !at.is_recursive() {
            let mut holders = at.holders.clone();
            holders.push(at.key);
            self.push(at.schema, &holders, at.key.keys);
        }
        Some(at)
    }
}

impl Schema {
    /// Every key, elements of arrays included, each before those that it holds. Where keys lead back
    /// to what holds them, they are not entered again.
    pub fn walk(&'static self) -> Walk {
        let mut walk = Walk { next: Vec::new() };
        walk.push(self, &[], self.keys);
        walk
    }

    /// The key at a path such as `Settings/Wallpaper/Where`. An array's element may be left out
    /// where there is only one; a name that is no other key's is that of a wildcard.
    pub fn key(&'static self, path: &str) -> Option<KeyAt> {
        let mut at: Option<KeyAt> = None;
        for name in path.split('/') {
            at = Some(match at {
                None => KeyAt {
                    schema: self,
                    holders: Vec::new(),
                    key: named(self.keys, name)?,
                },
                Some(at) => at.below(name)?,
            });
        }
        at
    }
}

impl KeyAt {
    fn below(mut self, name: &str) -> Option<Self> {
        let found = self.key.keys.iter().find(|key| key.name == name);
        if let (None, ValueType::Array, [element]) = (found, self.key.value, self.key.keys) {
            self.holders.push(self.key);
            self.key = element;
        }
        let key = found.or_else(|| named(self.key.keys, name))?;
        self.holders.push(self.key);
        self.key = key;
        Some(self)
    }
}

pub(crate) fn named(keys: &'static [Key], name: &str) -> Option<&'static Key> {
    let exact = keys.iter().find(|key| key.name == name && !key.wildcard);
    exact.or_else(|| keys.iter().find(|key| key.wildcard))
}

#[cfg(test)]
mod tests;
