//! What the dump has to say of a document or key, told from the YAML alone.

use serde_json::{Map, Value, json};

use crate::failure::Outcome;
use crate::yaml::{Content, NodeId, Tree};

/// Attributes of prose.
const PROSE: &[&str] = &["content", "description", "examples", "note", "notes"];

/// What stands under a name of a map.
pub(super) fn entry(tree: &Tree, node: NodeId, name: &str) -> Option<NodeId> {
    let mut entries = entries(tree, node);
    entries
        .find(|(known, _)| *known == name)
        .map(|(_, node)| node)
}

/// The entries of a map.
pub(super) fn entries(tree: &Tree, node: NodeId) -> impl Iterator<Item = (&str, NodeId)> {
    let entries = match tree.content(node) {
        Content::Map(entries) => entries.as_slice(),
        _ => &[],
    };
    entries.iter().map(|(name, node)| (name.as_str(), *node))
}

/// The items of a list.
pub(super) fn items(tree: &Tree, node: NodeId) -> impl Iterator<Item = NodeId> {
    let items = match tree.content(node) {
        Content::List(items) => items.as_slice(),
        _ => &[],
    };
    items.iter().copied()
}

pub(super) fn scalar(tree: &Tree, node: NodeId) -> Option<String> {
    match tree.content(node) {
        Content::Scalar(scalar) => Some(scalar.text.clone()),
        _ => None,
    }
}

/// Whether a node is a key of the vocabulary; a reason's details are none.
pub(super) fn is_key(tree: &Tree, node: NodeId) -> bool {
    let reasons = entry(tree, tree.root(), "reasons");
    let mut details = reasons
        .into_iter()
        .flat_map(|list| items(tree, list))
        .filter_map(|reason| entry(tree, reason, "details"))
        .flat_map(|list| items(tree, list));
    entry(tree, node, "key").is_some()
        && entry(tree, node, "type").is_some()
        && details.all(|detail| detail != node)
}

/// The keys of a list and below them; one that is among those `above` is not entered again.
pub(super) fn count(tree: &Tree, list: Option<NodeId>, above: &mut Vec<NodeId>) -> usize {
    let mut keys = 0;
    for key in list.into_iter().flat_map(|list| items(tree, list)) {
        keys += 1;
        if !above.contains(&key) {
            above.push(key);
            keys += count(tree, entry(tree, key, "subkeys"), above);
            above.pop();
        }
    }
    keys
}

/// A document's attributes but for its keys.
pub(super) fn document(tree: &Tree, wire: &str, is_answer: bool) -> Outcome<Map<String, Value>> {
    let root = tree.root();
    let mut told = Map::new();
    told.insert("name".into(), wire.into());
    for (name, node) in entries(tree, root) {
        match name {
            "title" => {
                told.insert("title".into(), value(tree, node));
            }
            "payload" => {
                for (name, node) in entries(tree, node) {
                    match name {
                        "supportedOS" => {
                            told.insert("support".into(), supports(tree, node));
                        }
                        "apply" if !is_answer => {
                            told.insert("apply".into(), value(tree, node));
                        }
                        name if name.ends_with("type") || PROSE.contains(&name) => {}
                        _ => return Err(tree.wrong(node, format!("`{name}` is not compared"))),
                    }
                }
            }
            "reasons" if !is_answer => {
                let reasons = items(tree, node).map(|reason| {
                    let text = |node, name| entry(tree, node, name).map(|node| value(tree, node));
                    let details = entry(tree, reason, "details");
                    let details = details.into_iter().flat_map(|list| items(tree, list));
                    let details = details.map(|detail| {
                        let of = entry(tree, detail, "type").and_then(|node| scalar(tree, node));
                        json!({"key": text(detail, "key"), "type": of.as_deref().map(bare)})
                    });
                    let details: Vec<Value> = details.collect();
                    json!({"value": text(reason, "value"), "details": details})
                });
                told.insert("reasons".into(), reasons.collect());
            }
            "related-status-items" if !is_answer => {
                let related =
                    items(tree, node).filter_map(|item| entry(tree, item, "status-items"));
                let related = related.flat_map(|list| items(tree, list));
                let related = related.map(|item| value(tree, item)).collect();
                told.insert("relatedStatusItems".into(), related);
            }
            "payloadkeys" | "responsekeys" | "reasons" | "related-status-items" => {}
            name if PROSE.contains(&name) => {}
            _ => return Err(tree.wrong(node, format!("`{name}` is not compared"))),
        }
    }
    Ok(without_nothing(&Value::Object(told)))
}

/// A key's attributes but for the keys below it.
pub(super) fn key(tree: &Tree, node: NodeId) -> Outcome<Map<String, Value>> {
    let mut told = Map::new();
    let of = entry(tree, node, "type").and_then(|node| scalar(tree, node));
    let is_text = of.as_deref() == Some("<string>");
    for (name, node) in entries(tree, node) {
        let (name, said) = match name {
            "key" => {
                let text = scalar(tree, node).unwrap_or_default();
                let wildcard = text.split(' ').next() == Some("ANY");
                told.insert("wildcard".into(), wildcard.into());
                ("name", text.into())
            }
            "title" | "format" => (name, text(tree, node)),
            "type" | "subtype" => (name, bare(&scalar(tree, node).unwrap_or_default()).into()),
            "presence" => {
                let required = scalar(tree, node).as_deref() == Some("required");
                ("required", required.into())
            }
            "default" => ("default", literal(tree, node, is_text)),
            "rangelist" => {
                let allowed = items(tree, node)
                    .map(|node| json!({"value": literal(tree, node, is_text), "support": []}));
                ("allowed", allowed.collect())
            }
            "range" | "repetition" => (name, map(tree, node)),
            "combinetype" => ("combine", value(tree, node)),
            "assettypes" => ("assetTypes", value(tree, node)),
            "asset-content-types" => ("assetContentTypes", value(tree, node)),
            "supportedOS" => ("support", supports(tree, node)),
            "subkeytype" => ("structure", text(tree, node)),
            "subkeys" if is_text => {
                let allowed = items(tree, node).map(|node| choice(tree, node));
                told.insert("allowedAreKeys".into(), true.into());
                ("allowed", Value::Array(allowed.collect::<Outcome<_>>()?))
            }
            "subkeys" => continue,
            name if PROSE.contains(&name) => continue,
            _ => return Err(tree.wrong(node, format!("`{name}` is not compared"))),
        };
        told.insert(name.into(), said);
    }
    Ok(without_nothing(&Value::Object(told)))
}

/// A key below a text: a value of it.
fn choice(tree: &Tree, node: NodeId) -> Outcome<Value> {
    let mut told = json!({"value": null, "support": []});
    for (name, node) in entries(tree, node) {
        match name {
            "key" => told["value"] = text(tree, node),
            "supportedOS" => told["support"] = supports(tree, node),
            "type" if scalar(tree, node).as_deref() == Some("<string>") => {}
            "presence" if scalar(tree, node).as_deref() == Some("optional") => {}
            name if PROSE.contains(&name) => {}
            _ => return Err(tree.wrong(node, format!("`{name}` is not compared"))),
        }
    }
    Ok(told)
}

/// `supportedOS` as a list; what a block says it says by the same words.
fn supports(tree: &Tree, node: NodeId) -> Value {
    let blocks = entries(tree, node).map(|(platform, node)| {
        let mut block = json!({"platform": platform});
        for (name, node) in entries(tree, node) {
            block[name] = match name {
                "introduced" | "deprecated" | "removed" | "accessrights" => text(tree, node),
                _ => value(tree, node),
            };
        }
        block
    });
    blocks.collect()
}

/// A value that YAML gives its type by how it is written.
fn value(tree: &Tree, node: NodeId) -> Value {
    match tree.content(node) {
        Content::Scalar(_) => literal(tree, node, false),
        Content::List(items) => items.iter().map(|item| value(tree, *item)).collect(),
        Content::Map(_) => map(tree, node),
    }
}

fn map(tree: &Tree, node: NodeId) -> Value {
    let entries = entries(tree, node).map(|(name, node)| (name.to_owned(), value(tree, node)));
    Value::Object(entries.collect())
}

fn text(tree: &Tree, node: NodeId) -> Value {
    scalar(tree, node).into()
}

fn literal(tree: &Tree, node: NodeId, is_text: bool) -> Value {
    let Content::Scalar(scalar) = tree.content(node) else {
        return Value::Null;
    };
    let text = scalar.text.as_str();
    if is_text || !scalar.plain {
        return text.into();
    }
    match (text, text.parse::<i64>(), text.parse::<f64>()) {
        ("true", ..) => true.into(),
        ("false", ..) => false.into(),
        (_, Ok(number), _) => number.into(),
        (_, _, Ok(number)) => number.into(),
        _ => text.into(),
    }
}

/// `string` of `<string>`.
fn bare(text: &str) -> &str {
    text.trim_start_matches('<').trim_end_matches('>')
}

/// An object without what says nothing: empty texts and lists, and `false` of the flags that a key
/// has of itself.
pub(super) fn without_nothing(object: &Value) -> Map<String, Value> {
    let mut object = object.as_object().cloned().unwrap_or_default();
    object.retain(|name, value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Bool(flag) => {
            *flag
                || !matches!(
                    name.as_str(),
                    "wildcard" | "required" | "allowedAreKeys" | "secret"
                )
        }
        _ => true,
    });
    object
}

/// Whether two values say the same; numbers by their value, versions with or without `.0` at their end.
pub(super) fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one == other || one.as_f64() == other.as_f64()
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| equal(a, b))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| match other.get(name) {
                    Some(other)
                        if matches!(name.as_str(), "introduced" | "deprecated" | "removed") =>
                    {
                        version(value) == version(other)
                    }
                    Some(other) => equal(value, other),
                    None => false,
                })
        }
        _ => one == other,
    }
}

fn version(value: &Value) -> &str {
    let mut text = value.as_str().unwrap_or_default();
    while let Some(shorter) = text.strip_suffix(".0") {
        text = shorter;
    }
    text
}
