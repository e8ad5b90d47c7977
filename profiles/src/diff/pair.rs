//! Which payload of the one profile is which of the other.

use std::collections::{HashMap, VecDeque};

use serde::Serialize;

use super::{Placed, order};
use crate::{payload::RawPayload, profile::Profile, shown::canonical_keys};

/// What told that two payloads are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Matched {
    /// The same `PayloadIdentifier`.
    Identifier,
    /// The same `PayloadUUID`.
    Uuid,
    /// The same type and the same keys, but for identifier and UUID.
    Content,
}

/// A payload in the old profile, the new one, or both.
pub(super) struct Pair<'a> {
    pub(super) old: Option<Placed<'a>>,
    pub(super) new: Option<Placed<'a>>,
    pub(super) matched: Option<Matched>,
    pub(super) moved: bool,
}

impl Pair<'_> {
    /// The UUID that the payload had and the one that it has, where these differ.
    pub(super) fn renamed(&self) -> Option<(String, String)> {
        let (old, new) = (self.old?.1.uuid()?, self.new?.1.uuid()?);
        let [old, new] = [old, new].map(str::to_ascii_uppercase);
        (old != new).then_some((old, new))
    }
}

/// The pairs: those of the new profile in its order, then what is gone.
pub(super) fn pair<'a>(old: &'a Profile, new: &'a Profile) -> Vec<Pair<'a>> {
    let mut left: Vec<_> = old.numbered().map(Some).collect();
    let mut pairs: Vec<_> = new.numbered().map(Pair::added).collect();
    for matched in [Matched::Identifier, Matched::Uuid, Matched::Content] {
        let mut waiting: HashMap<Vec<u8>, VecDeque<usize>> = HashMap::new();
        for (index, payload) in left.iter().enumerate() {
            if let Some(key) = payload.and_then(|(_, payload)| matched.key(&payload)) {
                waiting.entry(key).or_default().push_back(index);
            }
        }
        for pair in pairs.iter_mut().filter(|pair| pair.matched.is_none()) {
            let key = pair.new.and_then(|(_, payload)| matched.key(&payload));
            let found = key.and_then(|key| waiting.get_mut(&key)?.pop_front());
            if let Some(old) = found.and_then(|found| left.get_mut(found)?.take()) {
                pair.old = Some(old);
                pair.matched = Some(matched);
            }
        }
    }
    mark_moved(&mut pairs);
    pairs.extend(left.into_iter().flatten().map(Pair::removed));
    pairs
}

fn mark_moved(pairs: &mut [Pair<'_>]) {
    let mut both: Vec<_> = pairs
        .iter_mut()
        .filter(|pair| pair.matched.is_some())
        .collect();
    let place = |side: Option<Placed<'_>>| side.map_or(0, |(place, _)| place);
    both.sort_by_key(|pair| place(pair.old));
    let places: Vec<_> = both.iter().map(|p| (place(p.old), place(p.new))).collect();
    for (pair, moved) in both.into_iter().zip(order::moved(&places)) {
        pair.moved = moved;
    }
}

impl<'a> Pair<'a> {
    fn added(new: Placed<'a>) -> Self {
        Self {
            old: None,
            new: Some(new),
            matched: None,
            moved: false,
        }
    }

    fn removed(old: Placed<'a>) -> Self {
        Self {
            old: Some(old),
            new: None,
            matched: None,
            moved: false,
        }
    }
}

impl Matched {
    /// What two payloads have in common that are one by this.
    fn key(self, payload: &RawPayload<'_>) -> Option<Vec<u8>> {
        let bytes = |text: &str| text.as_bytes().to_vec();
        match self {
            Self::Identifier => payload.identifier().map(bytes),
            Self::Uuid => payload.uuid().map(|uuid| bytes(&uuid.to_ascii_uppercase())),
            Self::Content => {
                let own = |key: &str| !["PayloadIdentifier", "PayloadUUID"].contains(&key);
                let mut key = Vec::new();
                canonical_keys(payload.keys(), own, &mut key);
                Some(key)
            }
        }
    }
}
