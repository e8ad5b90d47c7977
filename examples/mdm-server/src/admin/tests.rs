use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

fn description() -> Value {
    serde_json::from_str(pages::OPENAPI).unwrap()
}

#[test]
fn the_description_has_every_route_and_no_other() {
    let described = description();
    let paths = described["paths"].as_object().unwrap();
    let described: BTreeSet<(&str, &str)> = paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys();
            methods
                .filter(|key| *key != "parameters")
                .map(|method| (path.as_str(), method.as_str()))
        })
        .collect();
    let table = table();
    let routed: BTreeSet<_> = table.iter().map(|it| (it.path, it.method)).collect();
    assert_eq!(described, routed);
}

#[test]
fn the_description_says_where_the_token_is_asked_for() {
    let described = description();
    for route in table() {
        let security = &described["paths"][route.path][route.method]["security"];
        let is_open = security.as_array().is_some_and(Vec::is_empty);
        assert_eq!(is_open, route.access == Access::Anybody, "{}", route.path);
    }
}

#[test]
fn every_reference_of_the_description_leads_somewhere() {
    fn look(value: &Value, whole: &Value) {
        match value {
            Value::Object(keys) => {
                if let Some(reference) = keys.get("$ref").and_then(Value::as_str) {
                    let pointer = reference.strip_prefix('#').unwrap();
                    assert!(whole.pointer(pointer).is_some(), "{reference}");
                }
                keys.values().for_each(|value| look(value, whole));
            }
            Value::Array(items) => items.iter().for_each(|value| look(value, whole)),
            _ => {}
        }
    }
    let described = description();
    look(&described, &described);
}

#[test]
fn the_page_loads_nothing_from_elsewhere() {
    let page = include_str!("../../status.html");
    for foreign in ["http:", "https:", "src=", "@import", "url("] {
        assert!(!page.contains(foreign), "{foreign}");
    }
}
