//! Bytes, depth and items are bounded, on the stack that a tokio worker has.

use std::{collections::BTreeMap, thread};

use mdm_plist::{
    Any, Dictionary, Error, ErrorKind, Kept, Limits, Rest, Value, from_slice, from_slice_with,
    from_value, to_binary, to_value, to_xml,
};
use serde::{Deserialize, Serialize, de::IgnoredAny};

use crate::document::{ascii, binary, dictionary, nested_binary, nested_xml, plist, reference};

const MILLION: usize = 1_000_000;

/// Everything out of the way but the depth.
fn wide() -> Limits {
    Limits::default().with(|l| {
        l.bytes = usize::MAX;
        l.items = usize::MAX;
    })
}

fn deepest() -> Limits {
    wide().with(|l| l.depth = usize::MAX)
}

/// Runs on 2 MiB of stack.
fn on_small_stack(test: impl FnOnce() + Send + 'static) {
    thread::Builder::new()
        .stack_size(2 * 1024 * 1024)
        .spawn(test)
        .unwrap()
        .join()
        .unwrap();
}

#[track_caller]
fn assert_too_deep<T>(result: Result<T, Error>, limit: usize) {
    let error = result.err().expect("the document is nested too deep");
    assert_eq!(error.kind(), &ErrorKind::TooDeep { limit });
    assert!(error.is_limit());
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct Envelope {
    #[serde(rename = "UDID")]
    udid: Option<String>,
}

/// Every way to look at a document, against the default depth and the highest one.
fn all_views_are_too_deep(bytes: &[u8]) {
    for (limits, limit) in [(wide(), 64), (deepest(), Limits::MAX_DEPTH)] {
        assert_too_deep(from_slice_with::<Value>(bytes, &limits), limit);
        assert_too_deep(from_slice_with::<Any>(bytes, &limits), limit);
        assert_too_deep(from_slice_with::<IgnoredAny>(bytes, &limits), limit);
    }
}

fn all_envelopes_are_too_deep(bytes: &[u8]) {
    for (limits, limit) in [(wide(), 64), (deepest(), Limits::MAX_DEPTH)] {
        assert_too_deep(from_slice_with::<Envelope>(bytes, &limits), limit);
        assert_too_deep(from_slice_with::<Dictionary>(bytes, &limits), limit);
        assert_too_deep(from_slice_with::<Rest>(bytes, &limits), limit);
        assert_too_deep(from_slice_with::<Untagged>(bytes, &limits), limit);
    }
}

#[test]
fn q19_a_million_nested_arrays_in_xml_are_a_depth_error() {
    on_small_stack(|| {
        let bytes = nested_xml(MILLION);
        assert!(bytes.len() >= 15_000_000);
        all_views_are_too_deep(&bytes);
    });
}

#[test]
fn q19_a_million_nested_arrays_in_binary_are_a_depth_error() {
    on_small_stack(|| all_views_are_too_deep(&nested_binary(MILLION)));
}

#[test]
fn a_million_nested_arrays_under_an_unknown_key_in_xml_are_a_depth_error() {
    on_small_stack(|| {
        let nested = String::from_utf8(nested_xml(MILLION)).unwrap();
        let bytes = plist(&format!("<dict><key>Other</key>{nested}</dict>"));
        all_envelopes_are_too_deep(&bytes);
    });
}

#[test]
fn a_million_nested_arrays_under_an_unknown_key_in_binary_are_a_depth_error() {
    on_small_stack(|| {
        let mut objects = vec![ascii("Other"), vec![0xA0]];
        for inner in 1..MILLION {
            objects.push([&[0xA1], &reference(inner)[..]].concat());
        }
        objects.push(dictionary(&[(0, MILLION)]));
        all_envelopes_are_too_deep(&binary(&objects, MILLION + 1));
    });
}

/// Recurses through the fattest code serde derives: flattening inside untagged inside a box.
#[derive(Debug, Deserialize, Serialize)]
#[serde(untagged)]
#[allow(dead_code)]
enum Untagged {
    Node(Box<Node>),
    List(Vec<Untagged>),
    Leaf(Any),
}

#[derive(Debug, Deserialize, Serialize)]
#[allow(dead_code)]
struct Node {
    label: String,
    next: Option<Untagged>,
    #[serde(flatten)]
    more: BTreeMap<String, Untagged>,
}

/// Recurses through flattening alone: each level buffers the one below.
#[derive(Debug, Deserialize, Serialize)]
#[allow(dead_code)]
struct Chain {
    name: Option<String>,
    #[serde(flatten)]
    more: BTreeMap<String, Chain>,
}

fn nested_dictionaries(depth: usize) -> Vec<u8> {
    let open = "<dict><key>next</key>";
    let content = [
        &open.repeat(depth - 1),
        "<dict/>",
        &"</dict>".repeat(depth - 1),
    ]
    .concat();
    plist(&content)
}

#[test]
fn the_deepest_document_allowed_decodes_and_drops_on_a_small_stack() {
    on_small_stack(|| {
        let depth = Limits::MAX_DEPTH;
        for bytes in [nested_xml(depth), nested_binary(depth)] {
            let value: Value = from_slice_with(&bytes, &deepest()).unwrap();
            drop(from_slice_with::<Any>(&bytes, &deepest()).unwrap());
            drop(from_slice_with::<Untagged>(&bytes, &deepest()).unwrap());
            drop(value);
        }
        let bytes = nested_dictionaries(depth);
        let value: Value = from_slice_with(&bytes, &deepest()).unwrap();
        drop(from_slice_with::<Untagged>(&bytes, &deepest()).unwrap());
        let chain: Chain = from_slice_with(&bytes, &deepest()).unwrap();
        assert!(chain.more.contains_key("next"));
        to_xml(&chain).unwrap();
        to_xml(&value).unwrap();
        to_binary(&value).unwrap();
        assert_eq!(to_value(&value).unwrap(), value);
        assert_eq!(from_value::<Value>(value.clone()).unwrap(), value);
    });
}

#[test]
fn one_level_more_than_the_limit_is_refused() {
    for limit in [1, 5, Limits::MAX_DEPTH] {
        let limits = Limits::default().with(|l| l.depth = limit);
        for nested in [nested_xml, nested_binary] {
            assert!(from_slice_with::<Value>(&nested(limit), &limits).is_ok());
            assert_too_deep(from_slice_with::<Value>(&nested(limit + 1), &limits), limit);
            assert_too_deep(
                from_slice_with::<IgnoredAny>(&nested(limit + 1), &limits),
                limit,
            );
        }
    }
}

fn nested_value(depth: usize) -> Value {
    let mut value = Value::Array(Vec::new());
    for _ in 1..depth {
        value = Value::Array(vec![value]);
    }
    value
}

#[test]
fn a_value_made_too_deep_by_the_program_is_refused_on_writing_and_reading() {
    on_small_stack(|| {
        let depth = Limits::MAX_DEPTH;
        assert!(to_xml(&nested_value(depth)).is_ok());
        assert_too_deep(to_xml(&nested_value(depth + 1)), depth);
        assert_too_deep(to_binary(&nested_value(depth + 1)), depth);
        assert_too_deep(to_value(&nested_value(depth + 1)), depth);
        assert_too_deep(from_value::<Value>(nested_value(depth + 1)), depth);
        // Dropped in there too, without recursion.
        assert_too_deep(from_value::<Value>(nested_value(MILLION)), depth);
    });
}

#[test]
fn a_dictionary_made_too_deep_by_the_program_is_refused_and_dropped_by_kept() {
    on_small_stack(|| {
        let mut dictionary = Dictionary::new();
        for _ in 1..MILLION {
            dictionary = Dictionary::from_iter([("a", Value::Dictionary(dictionary))]);
        }
        let kept = Kept::<Envelope>::from_dictionary(dictionary);
        assert_too_deep(kept, Limits::MAX_DEPTH);
    });
}

#[test]
fn more_bytes_than_the_limit_are_refused_before_anything_is_read() {
    let bytes = plist("<string>abc</string>");
    let limits = Limits::default().with(|l| l.bytes = bytes.len());
    assert_eq!(from_slice_with::<String>(&bytes, &limits).unwrap(), "abc");
    let limits = limits.with(|l| l.bytes -= 1);
    let error = from_slice_with::<String>(&bytes, &limits).unwrap_err();
    assert_eq!(
        error.kind(),
        &ErrorKind::TooLong {
            limit: bytes.len() - 1
        }
    );
    let broken = vec![0; Limits::default().bytes + 1];
    let error = from_slice::<String>(&broken).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TooLong { .. }));
}

#[test]
fn items_are_counted_in_what_is_read_and_in_what_is_skipped() {
    let content = "<dict><key>Other</key><array><true/><dict><key>a</key><real>1</real></dict></array></dict>";
    let xml = plist(content);
    let binary = to_binary(&from_slice::<Value>(&xml).unwrap()).unwrap();
    for bytes in [xml, binary] {
        let with = |items| Limits::default().with(|l| l.items = items);
        assert!(from_slice_with::<Value>(&bytes, &with(5)).is_ok());
        assert!(from_slice_with::<Envelope>(&bytes, &with(5)).is_ok());
        for error in [
            from_slice_with::<Value>(&bytes, &with(4)).unwrap_err(),
            from_slice_with::<Envelope>(&bytes, &with(4)).unwrap_err(),
        ] {
            assert_eq!(error.kind(), &ErrorKind::TooManyItems { limit: 4 });
        }
    }
}

#[test]
fn shared_references_are_counted_each_time_they_are_reached() {
    // 2^30 values in 31 objects.
    let mut objects = vec![ascii("x")];
    for inner in 0..30 {
        objects.push(crate::document::array(&[inner, inner]));
    }
    let bytes = binary(&objects, 30);
    assert!(bytes.len() < 700);
    let limit = Limits::default().items;
    for error in [
        from_slice::<Value>(&bytes).unwrap_err(),
        from_slice::<IgnoredAny>(&bytes).unwrap_err(),
    ] {
        assert_eq!(error.kind(), &ErrorKind::TooManyItems { limit });
    }
}

#[test]
fn shared_text_is_counted_each_time_it_is_read_out() {
    // 1,000 times the same 100,000 bytes.
    let objects = [
        ascii(&"x".repeat(100_000)),
        crate::document::array(&[0; 1000]),
    ];
    let bytes = binary(&objects, 1);
    let limit = Limits::default().bytes;
    for error in [
        from_slice::<Value>(&bytes).unwrap_err(),
        from_slice::<IgnoredAny>(&bytes).unwrap_err(),
    ] {
        assert_eq!(error.kind(), &ErrorKind::TooLong { limit });
    }
    let limits = Limits::default().with(|l| l.bytes = 100_000_000);
    assert!(from_slice_with::<Value>(&bytes, &limits).is_ok());
}

#[test]
fn both_kinds_of_limit_can_be_raised() {
    let count = Limits::default().items + 1;
    let xml = ["<array>", &"<true/>".repeat(count), "</array>"].concat();
    assert!(from_slice::<Vec<bool>>(xml.as_bytes()).is_err());
    let raised = Limits::default().with(|l| l.items = count + 1);
    assert_eq!(
        from_slice_with::<Vec<bool>>(xml.as_bytes(), &raised)
            .unwrap()
            .len(),
        count
    );
}
