//! A three-way merge: the changes between two readings of a value, applied to what was read.

use std::mem;

use plist::{Dictionary, Value};

/// `original` with the changes that lead from `before` to `now`.
///
/// `before` is what the type makes of `original`. What it does not mention was not known, so it
/// stays. Recursion ends at the depth that all three were built with.
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
    // Elements came or went: those that did not change are found again, in order.
    let mut original: Vec<_> = original.into_iter().map(Some).collect();
    let mut from = 0;
    now.into_iter()
        .map(|now| {
            let found = before[from..].iter().position(|before| *before == now);
            match found.and_then(|steps| original[from + steps].take().zip(Some(steps))) {
                Some((original, steps)) => {
                    from += steps + 1;
                    original
                }
                None => now,
            }
        })
        .collect()
}
