//! Every payload there is, filled at random: nothing is lost on the way through its type, what is
//! valid gives no finding, and each mistake gives its own and no other.

use std::ptr;

use mdm_plist::{Dictionary, Value};
use mdm_profiles::{Profile, payload::AnyPayload};
use mdm_schema::{
    Finding, Kind, Rule, Schema, Target,
    sample::{self, Limits, Violation},
    schemas,
};

const SEEDS: u64 = 12;

/// Every payload to be tried, and whom for.
fn samples() -> impl Iterator<Item = (&'static Schema, u64, Option<Target>, Dictionary)> {
    let schemas = schemas(Kind::Payload).iter().copied();
    schemas.flat_map(|schema| {
        (0..SEEDS).flat_map(move |seed| {
            [None, sample::target_for(schema, seed)]
                .into_iter()
                .map(move |target| {
                    let limits = Limits::default();
                    let keys = sample::document(schema, target.as_ref(), seed, &limits);
                    (schema, seed, target, keys)
                })
        })
    })
}

/// What is no payload, though it has the shape of one, and the payload whose rights are more than
/// what its table says of them.
fn stands_alone(schema: &Schema) -> bool {
    ["TopLevel", "CommonPayloadKeys", "com.apple.mdm"].contains(&schema.name)
}

/// In a profile made at random no reference leads anywhere.
fn apart_from_references(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.retain(|finding| finding.rule != Rule::Reference);
    findings
}

fn profile(schema: &Schema, keys: &Dictionary) -> Profile {
    let frame = |keys: &mut Dictionary, payload_type: &str, number: u8| {
        let uuid = format!("0F5A4D4E-3C5E-4C63-8F5E-0E6A9C1B2D{number:02X}");
        let identifier = format!("com.example.{number}");
        keys.insert("PayloadType".to_owned(), payload_type.into());
        keys.insert("PayloadIdentifier".to_owned(), identifier.into());
        keys.insert("PayloadUUID".to_owned(), uuid.into());
        keys.insert("PayloadVersion".to_owned(), 1.into());
    };
    let mut payload = keys.clone();
    frame(&mut payload, schema.name, 1);
    let mut profile = Dictionary::new();
    frame(&mut profile, "Configuration", 2);
    let payloads = Value::Array(vec![payload.into()]);
    profile.insert("PayloadContent".to_owned(), payloads);
    Profile::from_dictionary(profile).unwrap().0
}

/// What stands against the document as a whole, where no target takes it without objection.
fn expected(schema: &Schema, target: Option<&Target>, at: &str) -> Vec<Finding> {
    let availability = target.map(|target| schema.availability(target));
    let findings = availability.map(|availability| availability.findings(at));
    findings.unwrap_or_default()
}

#[test]
fn a_payload_goes_through_its_type_without_a_loss() {
    for (schema, seed, target, keys) in samples() {
        let about = format!("{} seed {seed} {target:?}", schema.id);
        let (payload, findings) = AnyPayload::read(schema.id, &keys);
        assert_eq!(findings, [], "{about}");
        assert!(
            ptr::eq(payload.schema().unwrap(), schema),
            "{about}: {payload:?}"
        );
        assert_eq!(payload.to_dictionary(), keys, "{about}");
        if stands_alone(schema) {
            continue;
        }
        // In a profile it is found by the type that several may share.
        let profile = profile(schema, &keys);
        let raw = profile.payloads().next().unwrap();
        if seed == 1 {
            assert!(ptr::eq(raw.schema().unwrap(), schema), "{about}");
            assert_eq!(raw.any(), (payload, Vec::new()), "{about}");
        }
    }
}

#[test]
fn a_valid_payload_gives_no_finding_in_a_profile() {
    for (schema, seed, target, keys) in samples() {
        // With few keys a payload may pass for another one of its type.
        if stands_alone(schema) || (schema.name != schema.id && seed != 1) {
            continue;
        }
        let profile = profile(schema, &keys);
        let found = apart_from_references(profile.validate(target.as_ref()));
        let wanted = expected(schema, target.as_ref(), "PayloadContent[0]");
        assert_eq!(found, wanted, "{} seed {seed} {target:?}", schema.id);
        assert_eq!(apart_from_references(profile.findings()), []);
    }
}

#[test]
fn each_mistake_in_a_payload_gives_exactly_its_finding() {
    let mut tried = 0;
    for (schema, seed, target, keys) in samples() {
        if stands_alone(schema) {
            continue;
        }
        for case in sample::violations(schema, &keys, target.as_ref(), seed) {
            let profile = profile(schema, &case.document);
            let raw = profile.payloads().next().unwrap();
            if !raw.schema().is_some_and(|found| ptr::eq(found, schema)) {
                continue;
            }
            let mut found = profile.validate(case.target.as_ref());
            let path = match case.path.as_str() {
                "" => "PayloadContent[0]".to_owned(),
                path => format!("PayloadContent[0].{path}"),
            };
            // A reference that leads nowhere says already what is wrong with its text.
            let told = |f: &Finding| f.rule == Rule::Reference && f.path == path;
            if found.iter().any(told) {
                continue;
            }
            tried += 1;
            found = apart_from_references(found);
            // The profile around it has targets of its own.
            found.retain(|finding| !finding.path.is_empty());
            if case.violation != Violation::DocumentNotTaken {
                let known = expected(schema, target.as_ref(), "PayloadContent[0]");
                found.retain(|finding| !known.contains(finding));
            }
            let told = found.iter().map(|f| (f.path.as_str(), f.rule));
            let about = format!("{} seed {seed} {:?} {found:?}", schema.id, case.violation);
            assert!(told.eq([(path.as_str(), case.rule)]), "{about}");

            // The type reads on past the mistake, and notes what it could not read. It asks for what
            // new systems require, the table for what the target does.
            let (_, mut unread) = raw.any();
            if case.violation != Violation::WrongType {
                unread.retain(|finding| finding.rule != Rule::Required);
                assert_eq!(unread, [], "{about}");
            } else {
                let unread = unread.iter().map(|f| (f.path.as_str(), f.rule));
                assert!(unread.eq([(case.path.as_str(), Rule::Type)]), "{about}");
            }
        }
    }
    assert!(tried > 10_000, "{tried}");
}
