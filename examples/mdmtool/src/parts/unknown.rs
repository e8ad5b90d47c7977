//! The keys of a part that its schema does not have.

use mdm_plist::{Dictionary, Value};
use mdm_schema::{Key, model::ValueType, path};

use super::{Part, Table, every_payload};

/// Hands on the path of each unknown key, in the order of the document.
pub(crate) fn unknown(part: &Part, tell: &mut dyn FnMut(String)) {
    let Some(schema) = part.schema else { return };
    let at = part.path();
    match (&part.value, schema.kind) {
        (value, Table::StatusItem) => {
            if let Some(key) = schema.keys.first() {
                within(key, value, &at, tell);
            }
        }
        (Value::Dictionary(keys), Table::Payload) => {
            dictionary(&[schema.keys, every_payload()], keys, &at, tell);
        }
        (Value::Dictionary(keys), _) => dictionary(&[schema.keys], keys, &at, tell),
        _ => {}
    }
}

fn dictionary(lists: &[&'static [Key]], keys: &Dictionary, at: &str, tell: &mut dyn FnMut(String)) {
    let all = || lists.iter().copied().flatten();
    for (name, value) in keys {
        let here = path::join(at, name);
        let named = all().find(|key| key.name == name && !key.wildcard);
        match named.or_else(|| all().find(|key| key.wildcard)) {
            Some(key) => within(key, value, &here, tell),
            None => tell(here),
        }
    }
}

fn within(key: &'static Key, value: &Value, at: &str, tell: &mut dyn FnMut(String)) {
    match (key.value, value) {
        (ValueType::Dictionary, Value::Dictionary(keys)) if !key.keys.is_empty() => {
            dictionary(&[key.keys], keys, at, tell);
        }
        (ValueType::Array, Value::Array(values)) => {
            for (index, value) in values.iter().enumerate() {
                let at = path::index(at, index);
                match (key.keys, value) {
                    ([only], value) => within(only, value, &at, tell),
                    (several, Value::Dictionary(keys)) => alternative(several, keys, &at, tell),
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

/// One of several sorts of element, told apart by `Item`, which not all of them list.
fn alternative(several: &'static [Key], keys: &Dictionary, at: &str, tell: &mut dyn FnMut(String)) {
    const TAG: &str = "Item";
    let item = keys.get(TAG).and_then(Value::as_string);
    let Some(chosen) = several.iter().find(|key| Some(key.name) == item) else {
        return;
    };
    let tag = path::join(at, TAG);
    dictionary(&[chosen.keys], keys, at, &mut |path| {
        if path != tag {
            tell(path);
        }
    });
}
