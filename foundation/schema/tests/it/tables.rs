//! The tables as a whole: what has to hold for every schema in them.

use std::collections::BTreeSet;

use mdm_schema::{Key, Kind, Platform, Schema, all, find, model::Literal, schemas};

fn keys() -> impl Iterator<Item = (&'static Schema, mdm_schema::KeyAt)> {
    all().flat_map(|schema| schema.walk().map(move |at| (schema, at)))
}

#[test]
fn every_schema_is_found_by_its_id() {
    for kind in Kind::ALL {
        let ids: Vec<_> = schemas(*kind).iter().map(|schema| schema.id).collect();
        assert!(ids.is_sorted_by(|a, b| a < b), "{kind:?} {ids:?}");
        for id in ids {
            assert_eq!(find(*kind, id).map(|schema| schema.id), Some(id));
        }
    }
}

#[test]
fn every_key_is_found_by_its_path() {
    for (schema, at) in keys() {
        let path = at.path();
        let found = schema.key(&path).map(|at| at.path());
        assert_eq!(found, Some(path), "{}", schema.id);
    }
}

#[test]
fn no_two_keys_of_a_dictionary_are_equal() {
    let unique = |keys: &'static [Key]| {
        let names: BTreeSet<_> = keys.iter().map(|key| key.name).collect();
        names.len() == keys.len() && keys.iter().filter(|key| key.wildcard).count() <= 1
    };
    for schema in all() {
        assert!(unique(schema.keys), "{}", schema.id);
    }
    for (schema, at) in keys() {
        assert!(unique(at.key().keys), "{} {}", schema.id, at.path());
    }
}

#[test]
fn every_format_is_an_expression() {
    let formats: BTreeSet<_> = keys().filter_map(|(_, at)| at.key().format).collect();
    assert!(formats.len() >= 5, "{formats:?}");
    for format in formats {
        assert!(regex_lite::Regex::new(format).is_ok(), "{format}");
    }
}

#[test]
fn defaults_are_among_the_allowed_values() {
    let odd: Vec<_> = keys()
        .filter(|(_, at)| {
            let key = at.key();
            let listed = |default: Literal| key.allowed.iter().any(|c| c.value == default);
            !key.allowed.is_empty() && !key.default.is_none_or(listed)
        })
        .map(|(schema, at)| format!("{} {}", schema.id, at.path()))
        .collect();
    assert_eq!(odd, [""; 0]);
}

#[test]
fn each_system_is_listed_once() {
    for (schema, at) in keys() {
        let choices = at.key().allowed.iter().map(|choice| choice.support);
        for support in choices.chain([schema.support, at.key().support]) {
            let systems: BTreeSet<Platform> = support.iter().map(|s| s.platform).collect();
            assert_eq!(systems.len(), support.len(), "{} {}", schema.id, at.path());
        }
    }
}
