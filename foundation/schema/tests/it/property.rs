//! Every schema there is, filled at random: what is valid gives no finding, and each mistake gives
//! exactly its own.

use std::collections::BTreeSet;

use mdm_plist::Value;
use mdm_schema::{
    Bound, Finding, Kind, Rule, Schema, Target, all,
    model::{Apply, Combine},
    sample::{self, Limits, Violation},
    validate, validate_together, validate_value,
};

const SEEDS: u64 = 12;

/// Nobody, a target that has most of the document, and the first version that has any of it.
fn targets(schema: &'static Schema, seed: u64) -> Vec<Option<Target>> {
    let target = sample::target_for(schema, seed);
    let first = target.clone().and_then(|mut target| {
        match schema.support_on(target.platform).introduced {
            Some(Bound::From(version)) => target.version = version,
            _ => return None,
        }
        let taken = schema.availability(&target).objections().is_empty();
        taken.then_some(target)
    });
    let mut targets = vec![None];
    targets.extend([target, first].into_iter().flatten().map(Some));
    targets
}

/// Every document to be tried, and whom for.
fn documents() -> impl Iterator<Item = (&'static Schema, u64, Option<Target>)> {
    all().flat_map(|schema| {
        (0..SEEDS).flat_map(move |seed| {
            let targets = targets(schema, seed).into_iter();
            targets.map(move |target| (schema, seed, target))
        })
    })
}

/// What stands against the document as a whole, where no target takes it without objection.
fn expected(schema: &Schema, target: Option<&Target>) -> Vec<Finding> {
    let availability = target.map(|target| schema.availability(target));
    let findings = availability.map(|availability| availability.findings(""));
    findings.unwrap_or_default()
}

#[test]
fn a_document_within_its_schema_gives_no_finding() {
    for (schema, seed, target) in documents() {
        let target = target.as_ref();
        let keys = sample::document(schema, target, seed, &Limits::default());
        let about = format!("{:?} {} seed {seed} {target:?}", schema.kind, schema.id);
        let expected = expected(schema, target);
        assert_eq!(validate(schema, &keys, target), expected, "{about}");
        if let Some(value) = keys.get(schema.name) {
            let found = validate_value(schema, value, target);
            assert_eq!(found.len(), expected.len(), "{about}: {found:?}");
        }
    }
}

#[test]
fn each_mistake_gives_exactly_its_finding() {
    let mut seen = BTreeSet::new();
    for (schema, seed, target) in documents() {
        let target = target.as_ref();
        let keys = sample::document(schema, target, seed, &Limits::default());
        let known = expected(schema, target);
        for case in sample::violations(schema, &keys, target, seed) {
            seen.insert((case.violation, case.rule));
            let mut found = validate(schema, &case.document, case.target.as_ref());
            if case.violation != Violation::DocumentNotTaken {
                found.retain(|finding| !known.contains(finding));
            }
            let about = found.iter().map(|f| (f.path.as_str(), f.rule));
            assert!(
                about.eq([(case.path.as_str(), case.rule)]),
                "{:?} {} seed {seed} {:?}: {:?} {:?} {:?} {found:?}",
                schema.kind,
                schema.id,
                case.violation,
                case.target,
                case.path,
                case.rule,
            );
        }
    }
    // Whatever a document can do wrong was tried somewhere.
    for rule in [
        Rule::NotAvailable,
        Rule::Deprecated,
        Rule::Removed,
        Rule::Supervision,
        Rule::Channel,
        Rule::Enrollment,
    ] {
        for violation in [
            Violation::KeyNotTaken,
            Violation::ValueNotTaken,
            Violation::DocumentNotTaken,
        ] {
            assert!(seen.contains(&(violation, rule)), "{violation:?} {rule}");
        }
    }
    let violations: BTreeSet<_> = seen.iter().map(|(violation, _)| violation).collect();
    assert_eq!(violations.len(), 12, "{violations:?}");
}

#[test]
fn a_second_document_is_one_too_many_where_one_may_be_there() {
    let mut single = 0;
    for schema in all() {
        let Some(target) = sample::target_for(schema, 0) else {
            continue;
        };
        let keys = sample::document(schema, Some(&target), 0, &Limits::default());
        let found = validate_together(&[(schema, &keys), (schema, &keys)], Some(&target));
        if schema.support_on(target.platform).multiple == Some(false)
            || schema.apply == Some(Apply::Single)
        {
            single += 1;
            let about: Vec<_> = found.iter().map(|f| (f.path.as_str(), f.rule)).collect();
            assert_eq!(about, [("[1]", Rule::SingleInstance)], "{}", schema.id);
        } else {
            assert_eq!(found, [], "{}", schema.id);
        }
    }
    assert!(single > 20, "{single}");
}

#[test]
fn values_of_combined_declarations_differ_only_where_the_schema_says_what_comes_of_it() {
    let mut tried = 0;
    let combined = mdm_schema::schemas(Kind::Configuration)
        .iter()
        .filter(|schema| schema.apply == Some(Apply::Combined));
    for schema in combined {
        let one = sample::document(schema, None, 1, &Limits::default());
        for (name, key) in schema.keys.iter().map(|key| (key.name, key)) {
            let Some(Value::Boolean(set)) = one.get(name) else {
                continue;
            };
            tried += 1;
            let mut other = one.clone();
            other.insert(name.to_owned(), Value::Boolean(!set));
            let found = validate_together(&[(schema, &one), (schema, &other)], None);
            let about: Vec<_> = found.iter().map(|f| (f.path.as_str(), f.rule)).collect();
            match key.combine {
                None | Some(Combine::First) => {
                    let path = format!("[1].{name}");
                    assert_eq!(about, [(path.as_str(), Rule::CombineType)], "{}", schema.id);
                }
                Some(_) => assert_eq!(about, [], "{} {name}", schema.id),
            }
        }
    }
    assert!(tried > 20, "{tried}");
}

#[test]
fn equal_seeds_give_equal_documents() {
    for schema in all() {
        for seed in 0..3 {
            let target = sample::target_for(schema, seed);
            assert_eq!(target, sample::target_for(schema, seed));
            let make = || sample::document(schema, target.as_ref(), seed, &Limits::default());
            assert_eq!(make(), make());
        }
    }
}

#[test]
fn a_document_of_another_type_is_checked_all_the_same() {
    let schemas: Vec<_> = all().collect();
    for (index, schema) in schemas.iter().enumerate() {
        let target = sample::target_for(schema, 1);
        for other in schemas.iter().cycle().skip(index + 1).step_by(7).take(8) {
            let keys = sample::document(other, None, 1, &Limits::default());
            for finding in validate(schema, &keys, target.as_ref()) {
                assert!(!finding.message.is_empty());
            }
        }
    }
}
