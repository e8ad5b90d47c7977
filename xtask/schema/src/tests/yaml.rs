use crate::yaml::{Content, Scalar, Tree};

fn refused(text: &str) -> String {
    Tree::parse("some.yaml", text).unwrap_err().to_string()
}

#[test]
fn an_alias_is_the_node_that_it_names_even_inside_it() {
    let tree = Tree::parse("some.yaml", "list: &a\n- inner: *a\nagain: *a\n").unwrap();
    let Content::Map(entries) = tree.content(tree.root()) else {
        panic!()
    };
    let (list, again) = (entries[0].1, entries[1].1);
    assert_eq!(list, again);
    let Content::List(items) = tree.content(list) else {
        panic!()
    };
    let Content::Map(inner) = tree.content(items[0]) else {
        panic!()
    };
    assert_eq!(inner[0].1, list);
}

#[test]
fn quoted_and_plain_scalars_are_told_apart() {
    let tree = Tree::parse("some.yaml", "['0', 0, \"true\", true]").unwrap();
    let Content::List(items) = tree.content(tree.root()) else {
        panic!()
    };
    let scalars = items.iter().map(|item| match tree.content(*item) {
        Content::Scalar(Scalar { text, plain }) => (text.as_str(), *plain),
        _ => panic!(),
    });
    let expected = [("0", false), ("0", true), ("true", false), ("true", true)];
    assert!(scalars.eq(expected));
}

#[test]
fn what_is_no_plain_yaml_is_refused_with_its_line() {
    for (text, reason) in [
        ("a: 1\na: 2\n", "some.yaml:2: `a` stands there twice"),
        ("a: !!str 1\n", "some.yaml:1: has a tag"),
        ("a: 1\n---\nb: 2\n", "some.yaml:2: a second document begins"),
        (
            "a: &b\n  c: 1\nd:\n  <<: *b\n",
            "some.yaml:4: merge keys are not supported",
        ),
        ("[a]: 1\n", "some.yaml:1: a map's key is not a text"),
        ("", "some.yaml:1: is empty"),
    ] {
        assert_eq!(refused(text), reason, "{text:?}");
    }
    assert!(refused("a: *nowhere\n").starts_with("some.yaml:1: "));
    assert!(refused("a: [\n").starts_with("some.yaml:"));
}

#[test]
fn deep_and_huge_files_are_refused() {
    // The parser has a limit of its own for brackets.
    assert!(refused(&"[".repeat(100_000)).starts_with("some.yaml:1: "));
    assert_eq!(
        refused(&"[".repeat(200)),
        "some.yaml:1: is nested deeper than 128"
    );
    let block: String = (0..200)
        .map(|depth| format!("{}a:\n", " ".repeat(depth)))
        .collect();
    assert!(refused(&block).ends_with("is nested deeper than 128"));
    let huge = "# comment\n".repeat(1 << 19);
    assert_eq!(refused(&huge), "some.yaml: has more than 4194304 bytes");
}
