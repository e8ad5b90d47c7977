use super::*;

/// The expressions of the schema, and what else the generator knows.
const EXPRESSIONS: &[&str] = &[
    "^([0-9A-Fa-f]{2}:){5}([0-9A-Fa-f]{2})$",
    "^([0-9A-Za-z]{6})|([0-9A-Za-z]{9})$",
    "^[0-9A-Za-z]{8}-[0-9A-Za-z]{4}-[0-9A-Za-z]{4}-[0-9A-Za-z]{4}-[0-9A-Za-z]{12}$",
    "^[0-9]{6}$",
    "^https://.*$",
    r"^a+(b|c\.)?[x_-]{1,3}z*$",
    "^(((a|b)c){0,2}|d)e$",
];

#[test]
fn a_text_is_made_for_every_expression() {
    for expression in EXPRESSIONS {
        let mut made = std::collections::BTreeSet::new();
        for seed in 0..50 {
            let text = random::matching(expression, &mut Random::new(seed));
            assert!(format::matches(expression, &text), "{expression} {text:?}");
            made.insert(text);
        }
        assert!(made.len() > 5, "{expression} {made:?}");
    }
}

#[test]
fn an_expression_that_ends_early_makes_some_text() {
    for expression in ["[", "(", "a{", "(a|", "[a-", "\\", "a{3", "{2}", ")"] {
        random::matching(expression, &mut Random::new(1));
    }
}

#[test]
fn numbers_stay_within_their_bounds() {
    let mut random = Random::new(7);
    for _ in 0..200 {
        assert!((3..=5).contains(&random.between(3, 5)));
        random.between(i64::MIN, i64::MAX);
        assert_eq!(random.between(9, 9), 9);
        assert!(random.below(4) < 4);
    }
    assert_eq!(random.below(0), 0);
}

#[test]
fn the_first_seeds_give_the_least_and_the_most() {
    let schema = &crate::fixture::COMMAND;
    let target = "ios:16.5,supervised".parse().unwrap();
    let make = |seed| document(schema, Some(&target), seed, &Limits::default());
    assert!(make(0).keys().eq(["Name"]));
    let all = schema.keys.iter().map(|key| key.name);
    assert!(make(1).keys().eq(all.filter(|name| *name != "MacOnly")));
}

#[test]
fn recursion_is_followed_as_often_as_asked() {
    let schema = &crate::fixture::COMMAND;
    for recursion in 1..4 {
        let limits = Limits::default().with(|limits| limits.recursion = recursion);
        let keys = document(schema, None, 1, &limits);
        let mut depth = 0;
        let mut folder = keys.get("Folder");
        while let Some(inner) = folder.and_then(Value::as_dictionary) {
            depth += 1;
            folder = inner.get("Folder");
        }
        assert_eq!(depth, recursion);
    }
}
