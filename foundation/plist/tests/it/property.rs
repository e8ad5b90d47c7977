//! Any tree that a property list can hold comes back as it was, XML and binary.

use mdm_plist::{
    Any, Date, Dictionary, Kept, Value, dictionary_to_xml, from_slice, from_value, to_binary,
    to_value, to_xml,
};
use proptest::{collection::vec, prelude::*};

/// A character that XML allows, often one that needs care.
fn character() -> impl Strategy<Value = char> {
    prop_oneof![
        4 => any::<char>().prop_filter("not in XML", |c| {
            !matches!(c, '\0'..='\x08' | '\x0B' | '\x0C' | '\x0E'..='\x1F' | '\u{FFFE}' | '\u{FFFF}')
        }),
        4 => prop::char::range(' ', '~'),
        2 => prop::sample::select(vec!['<', '>', '&', '\'', '"', '\t', '\n', '\r', ' ', ']', '\u{85}', '\u{2028}', '\u{FFFD}', '\u{10FFFF}']),
    ]
}

pub(crate) fn text() -> impl Strategy<Value = String> {
    vec(character(), 0..12).prop_map(String::from_iter)
}

fn date() -> impl Strategy<Value = Date> {
    // Years 0 to 9999.
    (-62_167_219_200i64..=253_402_300_799).prop_map(|seconds| {
        let time = chrono::DateTime::from_timestamp(seconds, 0).unwrap();
        mdm_plist::date::from_chrono(time).unwrap()
    })
}

fn real() -> impl Strategy<Value = f64> {
    prop_oneof![
        prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO,
        (-1_000i32..1_000).prop_map(f64::from),
    ]
}

pub(crate) fn tree() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        text().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        real().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        vec(any::<u8>(), 0..100).prop_map(Value::Data),
        date().prop_map(Value::from),
    ];
    scalar.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::Array),
            vec((text(), inner), 0..6)
                .prop_map(|entries| Value::Dictionary(entries.into_iter().collect::<Dictionary>())),
        ]
    })
}

/// Equality of trees that also looks at the order of keys.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Dictionary(a), Value::Dictionary(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((k, a), (l, b))| k == l && same(a, b))
        }
        _ => a == b,
    }
}

proptest! {
    #[test]
    fn any_tree_written_and_read_is_equal(value in tree()) {
        for bytes in [to_xml(&value).unwrap(), to_binary(&value).unwrap()] {
            let read: Value = from_slice(&bytes).unwrap();
            prop_assert!(same(&read, &value), "{:?} != {:?}", read, value);
            let Any(any) = from_slice(&bytes).unwrap();
            prop_assert!(same(&any, &value));
        }
        prop_assert!(same(&to_value(&value).unwrap(), &value));
        prop_assert!(same(&from_value::<Value>(value.clone()).unwrap(), &value));
    }

    #[test]
    fn the_plist_crate_reads_what_we_write(value in tree()) {
        let xml = to_xml(&value).unwrap();
        prop_assert_eq!(&plist::Value::from_reader_xml(&xml[..]).unwrap(), &value);
        let binary = to_binary(&value).unwrap();
        prop_assert_eq!(&plist::Value::from_reader(std::io::Cursor::new(binary)).unwrap(), &value);
    }

    #[test]
    fn xml_is_written_as_the_plist_crate_writes_it(value in tree()) {
        let mut theirs = Vec::new();
        value.to_writer_xml(&mut theirs).unwrap();
        prop_assert_eq!(&to_xml(&value).unwrap(), &theirs);
        let root = Dictionary::from_iter([("root", value)]);
        let ours = dictionary_to_xml(&root).unwrap();
        prop_assert_eq!(&ours, &to_xml(&root).unwrap());
        let mut theirs = Vec::new();
        Value::from(root).to_writer_xml(&mut theirs).unwrap();
        prop_assert_eq!(&ours, &theirs);
    }

    #[test]
    fn a_kept_dictionary_that_nobody_changed_is_equal(value in tree()) {
        #[derive(Debug, serde::Deserialize, serde::Serialize)]
        struct Nothing {}
        let dictionary = Dictionary::from_iter([("root", value)]);
        let kept: Kept<Nothing> = from_slice(&to_xml(&dictionary).unwrap()).unwrap();
        let read: Value = from_slice(&to_xml(&kept).unwrap()).unwrap();
        prop_assert!(same(&read, &dictionary.into()));
    }
}
