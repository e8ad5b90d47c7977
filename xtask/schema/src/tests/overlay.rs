use super::{checkout, command_text, key, read_checkout};
use crate::ir::{Literal, Schema, ValueType};
use crate::overlay::{Overlay, Written};

const KEYS: &str = "- key: A
  type: <dictionary>
  subkeys: &a
  - {key: B, type: <string>, rangelist: [one, two]}
- {key: C, type: <dictionary>, subkeys: *a}
";

fn apply(overlay: &str) -> Result<(Schema, Overlay), String> {
    let (schema, overlay, absent) = apply_what_is_there(overlay)?;
    assert_eq!(absent, [""; 0]);
    Ok((schema, overlay))
}

fn apply_what_is_there(overlay: &str) -> Result<(Schema, Overlay, Vec<String>), String> {
    let folder = checkout(&[("mdm/commands/some", &command_text(KEYS))]);
    let mut schema = read_checkout(folder.path()).unwrap();
    let written = Written::parse(overlay).map_err(|error| error.to_string())?;
    let applied = Overlay::apply(written, &mut schema);
    let (overlay, absent) = applied.map_err(|error| error.to_string())?;
    Ok((schema, overlay, absent))
}

#[test]
fn a_path_that_leads_nowhere_is_named() {
    for path in [
        "mdm/commands/some#X",
        "mdm/commands/some#A/X",
        "mdm/commands/some#A/B/C",
        "mdm/commands/some!A",
        "mdm/commands/other#A",
        "A",
    ] {
        let secret = format!("[[secret]]\nkey = \"{path}\"\nreason = \"r\"\n");
        let (.., absent) = apply_what_is_there(&secret).unwrap();
        assert_eq!(absent, [path]);
    }
}

#[test]
fn what_the_checkout_lacks_is_named_and_left_out() {
    let (schema, _, absent) = apply_what_is_there(
        "[[secret]]\nkey = \"mdm/commands/some#A/B\"\nreason = \"r\"\n\
         [[secret]]\nkey = \"mdm/commands/some#A/Gone\"\nreason = \"r\"\n\
         [[summary]]\nof = \"mdm/commands/gone\"\ntext = \"Was there.\"\n\
         [[area]]\nname = \"old\"\nfiles = [\"com.example.gone\"]\n",
    )
    .unwrap();
    let paths = [
        "mdm/commands/some#A/Gone",
        "mdm/profiles/com.example.gone",
        "mdm/commands/gone",
    ];
    assert_eq!(absent, paths);
    assert!(key(&schema, "A/B").secret);
}

#[test]
fn entries_without_a_reason_or_with_unknown_words_are_refused() {
    let key = "key = \"mdm/commands/some#A/B\"\n";
    assert!(apply(&format!("[[secret]]\n{key}")).is_err());
    assert!(apply(&format!("[[secret]]\n{key}reason = \" \"\n")).is_err());
    assert!(apply(&format!("[[secret]]\n{key}reason = \"r\"\ncolour = 1\n")).is_err());
    assert!(apply(&format!("[[novelty]]\n{key}reason = \"r\"\n")).is_err());
}

#[test]
fn a_correction_reaches_the_key_through_every_alias() {
    let (schema, _) = apply(
        "[[correct]]\nkey = \"mdm/commands/some#C/B\"\nreason = \"r\"\n[correct.set]\nallowed = \
         [\"two\", \"three\"]\npresence = \"required\"\nsupportedOS.iOS.introduced = \"26.0\"\n",
    )
    .unwrap();
    let key = key(&schema, "A/B");
    assert!(key.required);
    let values = key.allowed.iter().map(|choice| choice.value.clone());
    assert!(values.eq(["two", "three"].map(|text| Literal::String(text.into()))));
    assert_eq!(key.support[0].introduced.as_deref(), Some("26.0"));
}

#[test]
fn a_correction_of_a_document_is_of_its_availability() {
    let correct = "[[correct]]\nkey = \"mdm/commands/some\"\nreason = \"r\"\nset = ";
    let (schema, _) = apply(&format!(
        "{correct}{{ supportedOS.tvOS.introduced = \"9.0\" }}\n"
    ))
    .unwrap();
    assert_eq!(schema.documents[0].support[0].platform, "tvOS");
    assert!(apply(&format!("{correct}{{ type = \"string\" }}\n")).is_err());
    assert!(
        apply(&format!(
            "{correct}{{ supportedOS.BeOS.introduced = \"9.0\" }}\n"
        ))
        .is_err()
    );
}

#[test]
fn a_corrected_type_takes_values_of_that_type_only() {
    let correct = "[[correct]]\nkey = \"mdm/commands/some#A/B\"\nreason = \"r\"\nset = ";
    let (schema, _) = apply(&format!(
        "{correct}{{ type = \"integer\", allowed = [1] }}\n"
    ))
    .unwrap();
    assert_eq!(key(&schema, "A/B").value, ValueType::Integer);
    assert!(
        apply(&format!(
            "{correct}{{ type = \"integer\", allowed = [\"1\"] }}\n"
        ))
        .is_err()
    );
    assert!(apply(&format!("{correct}{{ type = \"number\" }}\n")).is_err());
    let failure = apply(&format!("{correct}{{ type = \"integer\" }}\n")).unwrap_err();
    assert!(
        failure.ends_with("leaves a default or an allowed value of another type"),
        "{failure}"
    );
}

#[test]
fn what_is_borrowed_or_open_is_added_behind_and_not_counted() {
    let borrow = |to: &str, from: &str| {
        format!("[[borrow]]\nto = \"{to}\"\nfrom = \"{from}\"\nreason = \"r\"\n")
    };
    let some = "mdm/commands/some";
    let open = format!("[[open]]\nkey = \"{some}#A\"\nreason = \"r\"\n");
    let (schema, _) = apply(&(borrow(some, &format!("{some}#A")) + &open)).unwrap();
    let named = |list: crate::ir::ListId| schema[list].iter().map(|id| schema[*id].name.as_str());
    let document = schema
        .documents
        .iter()
        .find(|d| d.kind == crate::ir::Kind::Command);
    let keys = document.unwrap().keys;
    assert!(named(keys).eq(["A", "C", "B"]));
    assert!(named(key(&schema, "A").keys.unwrap()).eq(["B", "ANY"]));
    assert!(key(&schema, "A/ANY").wildcard);
    // One and the same key, with all that is said of it.
    assert!(std::ptr::eq(key(&schema, "B"), key(&schema, "A/B")));
    assert_eq!(crate::stats::stats(&schema).unwrap().1, 4);

    assert!(apply(&open.repeat(2)).is_err());
    assert!(apply(&borrow(some, &format!("{some}#A/B"))).is_err());
}

#[test]
fn marks_and_names_are_found_by_key() {
    let (schema, overlay) = apply(
        "[[secret]]\nkey = \"mdm/commands/some#A/B\"\nreason = \"r\"\n\
         [[wildcard]]\nkey = \"mdm/commands/some#C/B\"\nreason = \"r\"\n\
         [[field]]\nkey = \"mdm/commands/some#A/B\"\nname = \"b\"\nreason = \"r\"\n\
         [[presence]]\nkey = \"mdm/commands/some#A/B\"\nrequired = true\nreason = \"r\"\n\
         [[summary]]\nof = \"mdm/commands/some\"\ntext = \"Does it.\"\n",
    )
    .unwrap();
    let key = key(&schema, "C/B");
    assert!(key.secret && key.wildcard);
    // The tables say what the schema says; the pin is the types' own.
    assert!(!key.required);
    assert!(overlay.presence.values().eq([&true]));
    assert!(overlay.fields.values().eq(["b"]));
    assert_eq!(overlay.summaries["mdm/commands/some"], "Does it.");
}

#[test]
fn what_is_decided_twice_has_to_be_the_same() {
    let field = |path: &str, name: &str| {
        format!(
            "[[field]]\nkey = \"mdm/commands/some#{path}\"\nname = \"{name}\"\nreason = \"r\"\n"
        )
    };
    assert!(apply(&(field("A/B", "b") + &field("C/B", "b"))).is_ok());
    assert!(apply(&(field("A/B", "b") + &field("C/B", "c"))).is_err());
}
