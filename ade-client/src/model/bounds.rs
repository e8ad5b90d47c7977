//! How much is kept of keys that nobody here knows: they are stored with every device, and read again.

use serde_json::{Map, Value};

use super::{Account, Device};

/// The most bytes of unknown keys, about.
const MOST_BYTES: usize = 16 * 1024;

/// The deepest that they are nested: what is stored has to be read again, inside of a record.
const DEEPEST: usize = 32;

impl Device {
    /// Without the unknown keys that are too much to keep.
    #[must_use]
    pub(crate) fn bounded(mut self) -> Self {
        bound(&mut self.extra, &mut { MOST_BYTES });
        self
    }
}

impl Account {
    /// As [`Device::bounded`].
    #[must_use]
    pub(crate) fn bounded(mut self) -> Self {
        let mut left = MOST_BYTES;
        bound(&mut self.extra, &mut left);
        for url in self.urls.iter_mut().flatten() {
            bound(&mut url.extra, &mut left);
            if let Some(limit) = &mut url.limit {
                bound(&mut limit.extra, &mut left);
            }
        }
        self
    }
}

fn bound(extra: &mut Map<String, Value>, left: &mut usize) {
    extra.retain(|key, value| {
        let size = size(value, DEEPEST).and_then(|size| left.checked_sub(size + key.len()));
        if let Some(rest) = size {
            *left = rest;
        }
        size.is_some()
    });
}

/// About how many bytes a value takes as text; none if it is nested too deep.
fn size(value: &Value, deepest: usize) -> Option<usize> {
    const EACH: usize = 4;
    let inner = deepest.checked_sub(1)?;
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => Some(2 * EACH),
        Value::String(text) => Some(text.len() + EACH),
        Value::Array(items) => items
            .iter()
            .try_fold(EACH, |sum, item| Some(sum + size(item, inner)? + EACH)),
        Value::Object(map) => map.iter().try_fold(EACH, |sum, (key, item)| {
            Some(sum + key.len() + size(item, inner)? + EACH)
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_too_long_or_too_deep_goes_and_the_rest_stays() {
        let deep = (0..DEEPEST).fold(json!(1), |value, _| json!([value]));
        let fits = (0..DEEPEST - 1).fold(json!(1), |value, _| json!([value]));
        let device = Device::default().with(|device| {
            device.color = Some("x".repeat(MOST_BYTES));
            device.extra = Map::from_iter([
                ("a".to_owned(), json!({"b": [1, true, null]})),
                ("b".to_owned(), deep),
                ("c".to_owned(), "x".repeat(MOST_BYTES).into()),
                ("d".to_owned(), fits),
                ("e".to_owned(), json!("ü")),
            ]);
        });
        let bounded = device.clone().bounded();
        let keys: Vec<_> = bounded.extra.keys().map(String::as_str).collect();
        assert_eq!(keys, ["a", "d", "e"]);
        assert_eq!(bounded.color, device.color);
    }
}
