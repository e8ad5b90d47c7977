//! Documents of every type there is, made at random within the schema: each is told by its content
//! or its name, read as its own type, and the same when written again.

use mdm_plist::{Dictionary, Value};
use mdm_protocol::ddm::json;
use mdm_schema::{Kind, Schema, sample};
use mdmtool::{As, Options, typed};

/// The document as it goes over the wire, with what the caller has to know about it.
fn wire(schema: &'static Schema, keys: Dictionary) -> Option<(Vec<u8>, Options)> {
    let text = |text: &str| Value::String(text.to_owned());
    let mut document = keys;
    let mut options = Options::default();
    match schema.kind {
        Kind::CheckInResponse => {
            let name = format!("checkin/{}Response", schema.name);
            options.as_kind = Some(name.parse::<As>().unwrap());
        }
        Kind::Command => {
            document.insert("RequestType".into(), text(schema.name));
            document = Dictionary::from_iter([
                ("Command", Value::Dictionary(document)),
                ("CommandUUID", text("C")),
            ]);
        }
        Kind::Response => {
            document.insert("Status".into(), text("Acknowledged"));
            document.insert("CommandUUID".into(), text("C"));
            options.hint = Some(schema.file.to_owned());
        }
        Kind::Payload => {
            document.insert("PayloadType".into(), text(schema.name));
            document = Dictionary::from_iter([
                ("PayloadType", text("Configuration")),
                ("PayloadContent", Value::Array(vec![document.into()])),
            ]);
        }
        Kind::Configuration | Kind::Asset | Kind::Management | Kind::Activation => {
            document = Dictionary::from_iter([
                ("Type", text(schema.name)),
                ("Identifier", text("I")),
                ("ServerToken", text("S")),
                ("Payload", Value::Dictionary(document)),
            ]);
        }
        Kind::StatusItem => {
            let value = document.remove(schema.name)?;
            let parts = schema.name.rsplit('.');
            let items = parts.fold(value, |value, part| {
                Value::Dictionary(Dictionary::from_iter([(part, value)]))
            });
            document = Dictionary::from_iter([
                ("StatusItems", items),
                ("Errors", Value::Array(Vec::new())),
            ]);
        }
        _ => options.hint = Some(schema.file.to_owned()),
    }
    let bytes = if schema.kind.is_json() {
        serde_json::to_vec(&json::from_dictionary(&document).ok()?).unwrap()
    } else {
        mdm_plist::to_xml(&document).unwrap()
    };
    Some((bytes, options))
}

/// What is no document by itself, and what is written by hand.
const NOT_ALONE: &[&str] = &["CommonPayloadKeys", "MachineInfo", "SkipKeys", "TopLevel"];

#[test]
fn a_document_of_any_type_is_read_as_that_and_written_again_as_it_was() {
    let mut types = 0;
    // Types written by hand ask for more than the schema says: identifiers, the keys of a token.
    let alone = |schema: &&Schema| {
        !matches!(schema.kind, Kind::CheckIn | Kind::Protocol) && !NOT_ALONE.contains(&schema.name)
    };
    for schema in mdm_schema::all().filter(alone) {
        for seed in 0..4 {
            let keys = sample::document(schema, None, seed, &sample::Limits::default());
            // Types of one name are told apart by their keys.
            if keys.is_empty() && schema.id != schema.name {
                continue;
            }
            let Some((bytes, mut options)) = wire(schema, keys) else {
                continue;
            };
            let typed = typed(&bytes, &options).or_else(|_| {
                // Too little of it to tell the kind.
                let kind = mdmtool::Kind::of(schema.kind);
                options.as_kind = Some(kind.as_str().parse::<As>().unwrap());
                typed(&bytes, &options)
            });
            let typed = typed.unwrap_or_else(|error| panic!("{}: {error}", schema.id));
            let ids: Vec<_> = typed.parts.iter().filter_map(|part| part.id).collect();
            let lost: Vec<_> = typed.parts.iter().flat_map(|part| &part.lost).collect();
            let shown = String::from_utf8_lossy(&bytes);
            assert!(
                typed.is_faithful() && ids.contains(&schema.id),
                "{} {seed}: {ids:?} {lost:?} {shown}",
                schema.id
            );
        }
        types += 1;
    }
    assert!(types > 390, "{types}");
}
