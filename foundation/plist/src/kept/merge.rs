//! A three-way merge: the changes between two readings of a value, applied to what was read.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, RandomState},
    mem,
};

use plist::{Dictionary, Value};

/// A dictionary as it was read, with the changes that a typed view of it went through.
///
/// `before` is what the type writes for `original`, `now` what it writes after the changes. A changed
/// key is replaced where it stood, a cleared one taken out, a new one added at the end; everything
/// else, what the type does not know included, stays the value it was. Elements of an array are
/// followed by their place, or by equality where their number changed. [`Kept`](crate::Kept) does
/// this for types of serde.
///
/// Recursive, so for values that are nested no deeper than [`Limits::MAX_DEPTH`](crate::Limits).
pub fn merge(original: Dictionary, before: &Dictionary, now: Dictionary) -> Dictionary {
    if *before == now {
        return original;
    }
    dictionary(original, before, now)
}

/// `original` with the changes that lead from `before` to `now`.
pub(super) fn apply(original: Value, before: &Value, now: Value) -> Value {
    if *before == now {
        return original;
    }
    match (original, before, now) {
        (Value::Dictionary(original), Value::Dictionary(before), Value::Dictionary(now)) => {
            Value::Dictionary(dictionary(original, before, now))
        }
        (Value::Array(original), Value::Array(before), Value::Array(now))
            if original.len() == before.len() =>
        {
            Value::Array(array(original, before, now))
        }
        (_, _, now) => now,
    }
}

fn dictionary(original: Dictionary, before: &Dictionary, mut now: Dictionary) -> Dictionary {
    let mut merged = Dictionary::new();
    for (key, value) in original {
        // Taken by leaving something else behind: removal would stir up the order.
        let now = now
            .get_mut(&key)
            .map(|now| mem::replace(now, Value::Boolean(false)));
        match (before.get(&key), now) {
            (Some(before), Some(now)) => {
                merged.insert(key, apply(value, before, now));
            }
            (None, Some(now)) => {
                merged.insert(key, now);
            }
            // Cleared since.
            (Some(_), None) => {}
            (None, None) => {
                merged.insert(key, value);
            }
        }
    }
    // `before` may hold defaults that the original leaves out; they come out as they went in.
    for (key, value) in now {
        if !merged.contains_key(&key) && before.get(&key) != Some(&value) {
            merged.insert(key, value);
        }
    }
    merged
}

fn array(original: Vec<Value>, before: &[Value], now: Vec<Value>) -> Vec<Value> {
    if before.len() == now.len() {
        return original
            .into_iter()
            .zip(before)
            .zip(now)
            .map(|((original, before), now)| apply(original, before, now))
            .collect();
    }
    // Elements came, went or moved: what the type still makes the same of is found by its digest.
    let state = RandomState::new();
    let mut places: HashMap<u64, VecDeque<usize>> = HashMap::new();
    for (place, before) in before.iter().enumerate() {
        let equal = places.entry(digest(before, &state)).or_default();
        equal.push_back(place);
    }
    let mut original: Vec<_> = original.into_iter().map(Some).collect();
    now.into_iter()
        .map(|now| {
            let equal = places.get_mut(&digest(&now, &state));
            match equal.and_then(VecDeque::pop_front) {
                Some(place) if before[place] == now => original[place].take().unwrap_or(now),
                _ => now,
            }
        })
        .collect()
}

/// The same for values that are equal. Recursion ends as that of [`apply`].
fn digest(value: &Value, state: &RandomState) -> u64 {
    match value {
        Value::Array(values) => {
            let digests: Vec<_> = values.iter().map(|value| digest(value, state)).collect();
            state.hash_one(digests)
        }
        // Equal whatever the order of the keys, so a sum.
        Value::Dictionary(entries) => entries.iter().fold(0, |sum: u64, (key, value)| {
            sum.wrapping_add(state.hash_one((key, digest(value, state))))
        }),
        Value::Boolean(value) => state.hash_one(value),
        Value::Data(bytes) => state.hash_one(bytes),
        Value::Date(date) => state.hash_one(date),
        // Takes the sign from -0.0, which equals 0.0.
        Value::Real(value) => state.hash_one((value + 0.0).to_bits()),
        Value::Integer(value) => state.hash_one(value),
        Value::String(text) => state.hash_one(text),
        Value::Uid(uid) => state.hash_one(uid),
        // Whatever the `plist` crate adds to its non-exhaustive type.
        _ => 0,
    }
}
