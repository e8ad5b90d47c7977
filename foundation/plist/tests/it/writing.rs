//! What is written: clean text, whole seconds, Apple's layout.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use mdm_plist::{
    Any, Date, Dictionary, ErrorKind, Rest, Uid, Value, ValueKind, dictionary_to_xml, from_slice,
    to_binary, to_value, to_xml,
};
use serde::{Serialize, Serializer};

fn xml(value: &Value) -> String {
    String::from_utf8(to_xml(value).unwrap()).unwrap()
}

#[test]
fn forbidden_characters_are_never_written() {
    let all: String = ('\0'..=' ')
        .chain(['\u{FFFE}', '\u{FFFF}', '\u{FFFD}', '\u{7F}'])
        .collect();
    let dictionary = Dictionary::from_iter([(format!("k{all}"), Value::from(all.clone()))]);
    let expected: String = all
        .chars()
        .map(|c| match c {
            '\t' | '\n' | '\r' | ' ' | '\u{7F}' => c,
            _ => '\u{FFFD}',
        })
        .collect();
    let xml = to_xml(&dictionary).unwrap();
    assert!(
        !xml.iter()
            .any(|byte| matches!(byte, 0..=8 | 11 | 12 | 14..=31))
    );
    for bytes in [xml, to_binary(&dictionary).unwrap()] {
        let read: Dictionary = from_slice(&bytes).unwrap();
        assert_eq!(read[&format!("k{expected}")].as_string(), Some(&*expected));
    }
    // A value in memory is not changed.
    assert_eq!(to_value(&dictionary).unwrap(), dictionary.into());
}

#[test]
fn dates_are_written_in_whole_seconds_utc() {
    for (offset, text) in [
        (1_800_000_000_999, "2027-01-15T08:00:00Z"),
        (-1, "1969-12-31T23:59:59Z"),
    ] {
        let offset: i64 = offset;
        let by = Duration::from_millis(offset.unsigned_abs());
        let time = if offset < 0 {
            SystemTime::UNIX_EPOCH - by
        } else {
            SystemTime::UNIX_EPOCH + by
        };
        let value = Value::Date(Date::from(time));
        assert!(
            xml(&value).contains(&format!("<date>{text}</date>")),
            "{}",
            xml(&value)
        );
        let whole = Value::Date(Date::from_xml_format(text).unwrap());
        assert_eq!(
            from_slice::<Value>(&to_binary(&value).unwrap()).unwrap(),
            whole
        );
    }
}

#[test]
fn a_date_that_no_property_list_can_hold_is_an_error_in_any_and_rest() {
    let last = UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    let first = UNIX_EPOCH - Duration::from_secs(62_167_219_200);
    let second = Duration::from_secs(1);
    let nested = |time: SystemTime| Value::Array(vec![Value::Date(Date::from(time))]);
    for time in [first, last] {
        assert!(to_xml(&Any(nested(time))).is_ok());
    }
    for time in [first - second, last + second] {
        let any = Any(nested(time));
        for error in [
            to_xml(&any).unwrap_err(),
            to_binary(&any).unwrap_err(),
            to_value(&any).unwrap_err(),
        ] {
            assert!(matches!(error.kind(), ErrorKind::Custom(_)));
            assert_eq!(error.path().to_string(), "[0]");
        }
        let rest = Rest(Dictionary::from_iter([("When", nested(time))]));
        let error = to_xml(&BTreeMap::from([("a", rest)])).unwrap_err();
        assert_eq!(error.path().to_string(), "a.When[0]");
    }
}

#[test]
fn a_date_of_a_foreign_type_is_checked_as_one() {
    struct Foreign(&'static str);
    impl Serialize for Foreign {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_newtype_struct("PLIST-DATE", self.0)
        }
    }
    let date = Date::from_xml_format("9999-12-31T22:59:59Z").unwrap();
    assert_eq!(
        to_value(&Foreign("9999-12-31T23:59:59+01:00")).unwrap(),
        Value::Date(date)
    );
    for text in ["9999-12-31T23:59:59-01:00", "0000-01-01T00:00:00+01:00", ""] {
        let error = to_value(&Foreign(text)).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Malformed(ValueKind::Date));
    }
}

#[test]
fn the_layout_is_apples() {
    let value = Value::Dictionary(Dictionary::from_iter([
        ("A&B", Value::from("<a> 'b' \"c\"\r\n")),
        ("Data", Value::Data(vec![0; 60])),
        ("Empty", Value::Array(Vec::new())),
    ]));
    assert_eq!(
        xml(&value),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
         <plist version=\"1.0\">\n<dict>\n\t<key>A&amp;B</key>\n\t<string>&lt;a&gt; &apos;b&apos; &quot;c&quot;&#13;\n</string>\n\
         \t<key>Data</key>\n\t<data>\n\tAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n\
         \tAAAAAAAAAAAA\n\t</data>\n\t<key>Empty</key>\n\t<array/>\n</dict>\n</plist>"
    );
    assert_eq!(
        from_slice::<Value>(&to_xml(&value).unwrap()).unwrap(),
        value
    );
}

#[test]
fn a_uid_has_no_xml_form() {
    let error = to_xml(&[Value::Uid(Uid::new(1))]).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::UidInXml);
}

#[test]
fn a_dictionary_written_without_a_copy_is_the_same_in_bytes_and_in_errors() {
    let all: String = ('\0'..=' ').chain(['\u{FFFE}', '<', '"']).collect();
    let half = SystemTime::from(Date::from_xml_format("1969-12-31T23:59:58Z").unwrap());
    let half = Value::Date((half + Duration::from_millis(500)).into());
    let mut deep = Value::Array(Vec::new());
    for _ in 0..mdm_plist::Limits::MAX_DEPTH - 2 {
        deep = Value::Array(vec![deep]);
    }
    let deeper = Value::Array(vec![deep.clone()]);
    let uid = Value::Uid(Uid::new(1));
    for value in [all.as_str().into(), half, deep, deeper, uid] {
        let root = Dictionary::from_iter([(all.clone(), value)]);
        match (dictionary_to_xml(&root), to_xml(&root)) {
            (Ok(ours), Ok(copied)) => assert_eq!(ours, copied),
            (Err(ours), Err(copied)) => assert_eq!(ours.kind(), copied.kind()),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_error_on_writing_says_where() {
    let error = to_xml(&BTreeMap::from([("a", BTreeMap::from([("b", u128::MAX)]))])).unwrap_err();
    assert_eq!(error.to_string(), "the integer is out of range in `a.b`");
    assert_eq!(error.position(), None);
}

#[test]
fn q18_data_is_base64_once_whatever_is_inside() {
    // A profile, and one that a careful caller has encoded already.
    for payload in [&b"<?xml version=\"1.0\"?><plist/>"[..], b"PD94bWw="] {
        let written = xml(&Value::Data(payload.to_vec()));
        let (_, inside) = written.split_once("<data>").unwrap();
        let (inside, _) = inside.split_once("</data>").unwrap();
        let text: String = inside.split_whitespace().collect();
        let expected = base64(payload);
        assert_eq!(text, expected);
        let read: Value = from_slice(written.as_bytes()).unwrap();
        assert_eq!(read.as_data(), Some(payload));
    }
}

/// Base64 by its definition, apart from what writes the property list.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = group
            .iter()
            .fold(0, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - group.len()));
        for place in 0..4 {
            let index = (bits >> (18 - 6 * place)) & 63;
            text.push(match place <= group.len() {
                true => char::from(ALPHABET[index as usize]),
                false => '=',
            });
        }
    }
    text
}
