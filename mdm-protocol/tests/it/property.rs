//! Every generated type against its table: documents made at random within the schema are read, written
//! and found to be right; ones that break a single rule of it are found to be wrong in that alone.

use mdm_plist::Dictionary;
use mdm_protocol::{
    Command,
    command::AnyCommand,
    ddm::{
        AnyDeclaration, Declaration, StatusReport, credential::AnyCredential, json,
        status_item::AnyStatusItem,
    },
    document::{ManifestUrl, PasswordHash},
    enroll::{AnyErrorBody, Esso},
    response::{AnyResponse, Envelope},
};
use mdm_schema::{
    Finding, Item, Kind, Schema, Target,
    sample::{self, Case, Limits, Violation},
    schemas,
};

const SEEDS: u64 = 8;

/// Reads a document as its own type and writes it again; panics where it has none.
fn typed(schema: &Schema, keys: &Dictionary) -> (Dictionary, Vec<Finding>) {
    macro_rules! any {
        ($any:ident) => {{
            let (document, findings) = $any::read(schema.id, keys);
            assert!(
                !matches!(document, $any::Other(_)),
                "{} has no type",
                schema.id
            );
            assert_eq!(document.schema().map(|known| known.id), Some(schema.id));
            (document.to_dictionary(), findings)
        }};
    }
    fn item<T: Item>(keys: &Dictionary) -> (Dictionary, Vec<Finding>) {
        let (document, findings) = T::from_dictionary_leniently(keys);
        (document.to_dictionary(), findings)
    }
    match schema.kind {
        Kind::Command => any!(AnyCommand),
        // Answered by a status alone.
        Kind::Response if schema.keys.is_empty() => (keys.clone(), Vec::new()),
        Kind::Response => any!(AnyResponse),
        Kind::Activation | Kind::Asset | Kind::Configuration | Kind::Management => {
            any!(AnyDeclaration)
        }
        Kind::Credential => any!(AnyCredential),
        Kind::ErrorBody => any!(AnyErrorBody),
        // Without its value there is no item.
        Kind::StatusItem if keys.is_empty() => (keys.clone(), Vec::new()),
        Kind::StatusItem => {
            let (item, findings) = AnyStatusItem::read(schema.name, &keys[schema.name]);
            // A value of another type is kept whole.
            let is_other = matches!(item, AnyStatusItem::Other(_));
            assert!(!is_other || !findings.is_empty(), "{}", schema.id);
            let keys = Dictionary::from_iter([(schema.name, item.to_value())]);
            (keys, findings)
        }
        Kind::Document => match schema.name {
            "ESSO" => item::<Esso>(keys),
            "ManifestURL" => item::<ManifestUrl>(keys),
            "passwordHash" => item::<PasswordHash>(keys),
            name => panic!("{name} has no type"),
        },
        kind => panic!("{kind:?} is not of this crate"),
    }
}

/// Checks a document in the way of this crate; paths are made those within the document.
fn validate(schema: &Schema, keys: &Dictionary, target: Option<&Target>) -> Vec<Finding> {
    let (prefix, findings) = match schema.kind {
        Kind::Command => {
            let command = Command::from_keys("C-1", schema.name, keys.clone());
            let mut findings = command.validate(target);
            let beyond = command.findings();
            findings.retain(|finding| !beyond.contains(finding));
            ("Command", findings)
        }
        Kind::Response => {
            let mut report = keys.clone();
            for (key, value) in [
                ("CommandUUID", "C-1"),
                ("Status", "Acknowledged"),
                ("UDID", "U-1"),
            ] {
                if !report.contains_key(key) {
                    report.insert(key.to_owned(), value.into());
                }
            }
            let report = Envelope::decode(&mdm_plist::to_binary(&report).unwrap()).unwrap();
            ("", report.validate(Some(schema.name), target))
        }
        Kind::Activation | Kind::Asset | Kind::Configuration | Kind::Management => {
            let payload = json::from_dictionary(keys).unwrap();
            let mut declaration = Declaration::new(schema.name, "I", payload);
            declaration.server_token = Some("1".to_owned());
            ("Payload", declaration.validate(target))
        }
        // An item that is not there is no item of a report.
        Kind::StatusItem if is_item(schema, keys) => {
            let mut items = json::from_value(&keys[schema.name]).unwrap();
            for part in schema.name.rsplit('.') {
                items = serde_json::json!({part: items});
            }
            let report = StatusReport::new(items.as_object().unwrap().clone());
            ("StatusItems", report.validate(target))
        }
        _ => ("", mdm_schema::validate(schema, keys, target)),
    };
    let inside = |mut finding: Finding| {
        let path = finding.path.strip_prefix(prefix).unwrap();
        finding.path = path.strip_prefix('.').unwrap_or(path).to_owned();
        finding
    };
    findings.into_iter().map(inside).collect()
}

fn is_item(schema: &Schema, keys: &Dictionary) -> bool {
    schema.kind == Kind::StatusItem && keys.contains_key(schema.name)
}

fn documents() -> impl Iterator<Item = (&'static Schema, Option<Target>, u64, Dictionary)> {
    let kinds = [
        Kind::Command,
        Kind::Response,
        Kind::Activation,
        Kind::Asset,
        Kind::Configuration,
        Kind::Management,
        Kind::Credential,
        Kind::StatusItem,
        Kind::ErrorBody,
        Kind::Document,
    ];
    let schemas = kinds.into_iter().flat_map(schemas).copied();
    let ours = schemas.filter(|schema| !matches!(schema.name, "MachineInfo" | "SkipKeys"));
    ours.flat_map(|schema| (0..SEEDS).map(move |seed| (schema, seed)))
        .map(|(schema, seed)| {
            let target = sample::target_for(schema, seed);
            let keys = sample::document(schema, target.as_ref(), seed, &Limits::default());
            (schema, target, seed, without_third_level(schema, keys))
        })
}

fn cases() -> impl Iterator<Item = (&'static Schema, u64, Case)> {
    documents().flat_map(|(schema, target, seed, keys)| {
        let mut cases = sample::violations(schema, &keys, target.as_ref(), seed);
        if schema.kind == Kind::StatusItem {
            // Beside an item there are others.
            cases.retain(|case| case.violation != Violation::UnknownKey || case.path.contains('.'));
        }
        cases.into_iter().map(move |mut case| {
            case.document = without_third_level(schema, case.document);
            if is_item(schema, &case.document) && case.path.is_empty() {
                // In a report the item is not the whole document.
                case.path = schema.name.to_owned();
            }
            (schema, seed, case)
        })
    })
}

/// The schema writes two levels of bookmarks out and calls the third anything; the type has bookmarks
/// at every level.
fn without_third_level(schema: &Schema, mut keys: Dictionary) -> Dictionary {
    if schema.name == "com.apple.configuration.safari.bookmarks" {
        cut(&mut keys, 2);
    }
    keys
}

/// Takes out the folders at this level.
fn cut(keys: &mut Dictionary, level: usize) {
    for (key, value) in keys.iter_mut() {
        let level = level - usize::from(key == "Folder");
        for inner in value.as_array_mut().into_iter().flatten() {
            if let Some(keys) = inner.as_dictionary_mut() {
                if level == 1 {
                    keys.remove("Folder");
                }
                cut(keys, level);
            }
        }
    }
}

#[test]
fn a_document_within_the_schema_is_read_and_written_by_its_own_type() {
    for (schema, _, seed, keys) in documents() {
        let (written, findings) = typed(schema, &keys);
        assert_eq!(findings, [], "{} {seed}", schema.id);
        assert_eq!(written, keys, "{} {seed}", schema.id);
        if schema.kind.is_json() {
            let json = json::from_dictionary(&keys).unwrap();
            let (again, findings) = typed(schema, &json::to_dictionary(&json).unwrap());
            assert_eq!(findings, [], "{} {seed}", schema.id);
            let again = json::from_dictionary(&again).unwrap();
            assert_eq!(again, json, "{} {seed}", schema.id);
        } else {
            let xml = mdm_plist::to_xml(&keys).unwrap();
            let read: Dictionary = mdm_plist::from_slice(&xml).unwrap();
            assert_eq!(typed(schema, &read).0, keys, "{} {seed}", schema.id);
        }
    }
}

#[test]
fn a_document_within_the_schema_is_found_to_be_right() {
    for (schema, target, seed, keys) in documents() {
        let findings = validate(schema, &keys, target.as_ref());
        // What no device takes any more is deprecated or removed, whatever is in it.
        let findings = findings.iter().filter(|finding| !finding.path.is_empty());
        let findings: Vec<_> = findings.collect();
        assert!(findings.is_empty(), "{} {seed}: {findings:?}", schema.id);
    }
}

#[test]
fn each_single_mistake_is_found_and_nothing_else() {
    let mut count = 0;
    for (schema, seed, case) in cases() {
        let findings = validate(schema, &case.document, case.target.as_ref());
        let found: Vec<_> = findings.iter().map(|f| (&f.path, f.rule)).collect();
        let expected = [(&case.path, case.rule)];
        let violation = case.violation;
        assert_eq!(found, expected, "{} {seed}: {violation:?}", schema.id);
        count += 1;
    }
    assert!(count > 1000, "{count} cases only");
}

#[test]
fn a_type_reads_around_a_mistake_and_an_edit_keeps_it() {
    for (schema, seed, case) in cases() {
        let (read, findings) = typed(schema, &case.document);
        assert!(findings.len() <= 1, "{} {seed}: {findings:?}", schema.id);
        // What the type makes of it has no mistake left, but for a key that is missing.
        let (again, _) = typed(schema, &read);
        assert_eq!(again, read, "{} {seed}", schema.id);
        let merged = mdm_plist::merge(case.document.clone(), &read, read.clone());
        assert_eq!(merged, case.document, "{} {seed}", schema.id);
    }
}

#[test]
fn every_schema_of_these_kinds_is_covered() {
    let count = |kind| schemas(kind).len();
    assert_eq!((count(Kind::Command), count(Kind::Response)), (68, 68));
    assert_eq!(count(Kind::Configuration), 48);
    assert_eq!((count(Kind::Asset), count(Kind::Credential)), (7, 4));
    assert_eq!((count(Kind::Management), count(Kind::Activation)), (3, 1));
    assert_eq!((count(Kind::StatusItem), count(Kind::ErrorBody)), (62, 5));
}
