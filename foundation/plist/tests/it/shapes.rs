//! The shapes that serde derives, both ways, XML and binary.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use mdm_plist::{
    Any, Data, Date, Dictionary, ErrorKind, Integer, Rest, Uid, Value, ValueKind, from_slice,
    from_value, to_binary, to_value, to_xml,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::document::plist;

/// Written and read again it is the same, in every form.
#[track_caller]
fn round_trips<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: T) {
    assert_eq!(
        from_slice::<T>(&to_xml(&value).unwrap()).unwrap(),
        value,
        "XML"
    );
    assert_eq!(
        from_slice::<T>(&to_binary(&value).unwrap()).unwrap(),
        value,
        "binary"
    );
    assert_eq!(
        from_value::<T>(to_value(&value).unwrap()).unwrap(),
        value,
        "value"
    );
}

fn date(text: &str) -> Date {
    Date::from_xml_format(text).unwrap()
}

fn every_type() -> Dictionary {
    Dictionary::from_iter([
        ("text", Value::from("a")),
        ("date", date("2026-11-05T09:00:00Z").into()),
        ("data", Value::Data(vec![1, 2])),
        ("most", u64::MAX.into()),
        ("least", i64::MIN.into()),
        ("real", 1.0.into()),
        ("yes", true.into()),
        (
            "list",
            Value::Array(vec![date("2001-01-01T00:00:00Z").into()]),
        ),
        (
            "inner",
            Value::Dictionary(Dictionary::from_iter([(
                "when",
                date("1970-01-01T00:00:00Z"),
            )])),
        ),
    ])
}

#[test]
fn values_and_dictionaries_keep_every_type_and_the_order_of_keys() {
    round_trips(every_type());
    round_trips(Value::Dictionary(every_type()));
    round_trips(Any(Value::Dictionary(every_type())));
    round_trips(Rest(every_type()));
    let read: Dictionary = from_slice(&to_xml(&every_type()).unwrap()).unwrap();
    assert!(read.keys().eq(every_type().keys()));
    // UIDs have no XML form.
    let uid = Value::Uid(Uid::new(7));
    assert_eq!(from_slice::<Value>(&to_binary(&uid).unwrap()).unwrap(), uid);
    assert_eq!(
        from_slice::<Uid>(&to_binary(&uid).unwrap()).unwrap(),
        Uid::new(7)
    );
    assert_eq!(
        from_slice::<Any>(&to_binary(&uid).unwrap()).unwrap(),
        Any(uid)
    );
}

#[derive(Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Fields {
    text: Option<String>,
    number: Option<Integer>,
    nested: Option<Box<Fields>>,
    list: Option<Vec<Fields>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    date: Option<Date>,
    #[serde(default, with = "mdm_plist::date::optional")]
    time: Option<DateTime<Utc>>,
    #[serde(default, with = "mdm_plist::data::optional")]
    bytes: Option<Vec<u8>>,
    value: Option<Any>,
}

fn fields() -> Fields {
    Fields {
        text: Some(String::new()),
        number: Some(u64::MAX.into()),
        nested: Some(Box::default()),
        list: Some(vec![Fields::default()]),
        date: Some(date("2026-11-05T09:00:00Z")),
        time: DateTime::from_timestamp(1_800_000_000, 0),
        bytes: Some(vec![0, 255]),
        value: Some(Any(every_type().into())),
    }
}

#[test]
fn optional_fields_round_trip_present_and_absent() {
    round_trips(fields());
    round_trips(Fields::default());
    let written = String::from_utf8(to_xml(&Fields::default()).unwrap()).unwrap();
    assert!(written.contains("<dict/>"), "{written}");
    let written = String::from_utf8(to_xml(&fields()).unwrap()).unwrap();
    assert!(!written.contains("Some"));
}

#[derive(Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Flat {
    name: Option<String>,
    #[serde(flatten)]
    fields: Fields,
    #[serde(flatten)]
    more: Option<More>,
    #[serde(flatten)]
    rest: Rest,
}

#[derive(Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct More {
    colour: String,
    seen: Option<Date>,
}

#[test]
fn flattened_structs_with_options_round_trip() {
    for name in [None, Some("n".to_owned())] {
        for (fields, rest) in [(fields(), every_type()), Default::default()] {
            let more = name.clone().map(|colour| More {
                colour,
                seen: fields.date,
            });
            let rest = Rest(rest);
            round_trips(Flat {
                name: name.clone(),
                fields,
                more,
                rest,
            });
        }
    }
}

#[test]
fn catch_all_dictionaries_round_trip() {
    #[derive(Debug, PartialEq, Deserialize, Serialize)]
    struct Known<R> {
        known: bool,
        #[serde(flatten)]
        rest: R,
    }
    round_trips(Known {
        known: true,
        rest: Rest(every_type()),
    });
    let anys: BTreeMap<String, Any> = every_type()
        .into_iter()
        .map(|(key, value)| (key, Any(value)))
        .collect();
    round_trips(Known {
        known: true,
        rest: anys,
    });
    // Plain values hold everything but dates, of which serde's buffer leaves them the text.
    let mut dateless = every_type();
    for key in ["date", "list", "inner"] {
        dateless.remove(key);
    }
    round_trips(Known {
        known: true,
        rest: dateless.clone(),
    });
    let map: HashMap<String, Value> = dateless.into_iter().collect();
    round_trips(Known {
        known: true,
        rest: map,
    });
    let read: Known<Dictionary> = from_slice(&plist(
        "<dict><key>known</key><true/><key>d</key><date>2026-11-05T09:00:00Z</date></dict>",
    ))
    .unwrap();
    assert_eq!(read.rest["d"].as_string(), Some("2026-11-05T09:00:00Z"));
}

#[test]
fn maps_of_options_leave_out_what_is_none() {
    round_trips(BTreeMap::from([
        ("a".to_owned(), Some(1)),
        ("b".to_owned(), Some(2)),
    ]));
    let map = BTreeMap::from([("a", None), ("b", Some(fields()))]);
    let written = to_xml(&map).unwrap();
    let read: BTreeMap<String, Option<Fields>> = from_slice(&written).unwrap();
    assert_eq!(read, BTreeMap::from([("b".to_owned(), Some(fields()))]));
}

#[test]
fn arrays_of_options_round_trip_but_for_null() {
    round_trips(vec![Some(1), Some(2)]);
    let error = to_xml(&BTreeMap::from([("list", [Some(1), None])])).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Null);
    assert_eq!(error.path().to_string(), "list[1]");
    assert_eq!(to_xml(&None::<u8>).unwrap_err().kind(), &ErrorKind::Null);
}

#[derive(Debug, PartialEq, Deserialize, Serialize)]
enum Plain {
    Unit,
    Newtype(Option<u8>),
    Tuple(u8, String),
    Struct { a: Option<u8>, b: Date },
}

#[derive(Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "MessageType")]
enum Tagged {
    Authenticate(Fields),
    #[serde(rename_all = "PascalCase")]
    TokenUpdate {
        token: Data,
        when: Option<Date>,
        #[serde(flatten)]
        rest: Rest,
    },
    CheckOut,
}

#[derive(Debug, PartialEq, Deserialize, Serialize)]
#[serde(untagged)]
enum Untagged {
    Number(u8),
    Date(Date),
    Text(String),
    Fields { text: String },
    Other(Any),
}

#[derive(Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "type", content = "content")]
enum Adjacent {
    Fields(Box<Fields>),
    Nothing,
}

#[test]
fn enums_of_every_representation_round_trip() {
    round_trips(Plain::Unit);
    round_trips(Plain::Newtype(Some(1)));
    round_trips(Plain::Tuple(1, "a".into()));
    let b = date("2026-11-05T09:00:00Z");
    round_trips(Plain::Struct { a: None, b });
    round_trips(vec![Plain::Unit, Plain::Unit]);
    round_trips(BTreeMap::from([(
        "k".to_owned(),
        Plain::Struct { a: Some(1), b },
    )]));

    round_trips(Tagged::Authenticate(fields()));
    round_trips(Tagged::CheckOut);
    round_trips(Tagged::TokenUpdate {
        token: Data::new(vec![1]),
        when: Some(b),
        rest: Rest(every_type()),
    });

    round_trips(Untagged::Number(7));
    round_trips(Untagged::Date(b));
    round_trips(Untagged::Text("a".into()));
    round_trips(Untagged::Fields { text: "a".into() });
    round_trips(Untagged::Other(Any(Value::Array(vec![b.into()]))));

    round_trips(Adjacent::Fields(Box::new(fields())));
    round_trips(Adjacent::Nothing);
}

#[test]
fn a_tag_is_found_wherever_it_stands() {
    let xml = plist(
        "<dict><key>When</key><date>2026-11-05T09:00:00Z</date><key>Extra</key><true/>\
         <key>Token</key><data>AQ==</data><key>MessageType</key><string>TokenUpdate</string></dict>",
    );
    let Tagged::TokenUpdate { token, when, rest } = from_slice(&xml).unwrap() else {
        panic!("another message");
    };
    assert_eq!(
        (token.as_ref(), when),
        (&[1][..], Some(date("2026-11-05T09:00:00Z")))
    );
    assert_eq!(rest.0["Extra"], Value::from(true));
}

#[test]
fn newtypes_tuples_chars_and_wide_integers_round_trip() {
    #[derive(Debug, PartialEq, Deserialize, Serialize)]
    struct Wrapper(Date);
    #[derive(Debug, PartialEq, Deserialize, Serialize)]
    struct Pair(u8, f32);
    #[derive(Debug, PartialEq, Deserialize, Serialize)]
    struct Unit;
    round_trips(Wrapper(date("2026-11-05T09:00:00Z")));
    round_trips(Pair(1, 0.5));
    round_trips((1u8, "a".to_owned(), 'c', Unit));
    round_trips(i128::from(u64::MAX));
    round_trips(-5i128);
    round_trips(5u128);
    round_trips(BTreeMap::from([(1u32, true), (2, false)]));
    round_trips(BTreeMap::from([('a', true)]));
    for error in [
        to_xml(&u128::MAX).unwrap_err(),
        to_xml(&i128::MIN).unwrap_err(),
    ] {
        assert_eq!(error.kind(), &ErrorKind::IntegerRange);
    }
    let error = to_xml(&BTreeMap::from([((1, 2), 3)])).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::KeyNotText);
}

#[test]
fn integers_widen_into_reals_and_nothing_else_converts() {
    assert_eq!(from_slice::<f64>(b"<integer>-3</integer>").unwrap(), -3.0);
    assert_eq!(
        from_slice::<Option<f32>>(b"<integer>3</integer>").unwrap(),
        Some(3.0)
    );
    let mismatch = |xml: &[u8], read: fn(&[u8]) -> mdm_plist::Error, found| {
        let error = read(xml);
        match error.kind() {
            ErrorKind::TypeMismatch { found: kind, .. } => assert_eq!(*kind, found),
            kind => panic!("{kind:?}"),
        }
    };
    fn error<T: DeserializeOwned>(xml: &[u8]) -> mdm_plist::Error {
        from_slice::<T>(xml).err().expect("a type error")
    }
    mismatch(b"<integer>1</integer>", error::<bool>, ValueKind::Integer);
    mismatch(b"<string>1</string>", error::<u8>, ValueKind::String);
    mismatch(b"<string>AQ==</string>", error::<Data>, ValueKind::String);
    mismatch(
        b"<string>2026-11-05T09:00:00Z</string>",
        error::<Date>,
        ValueKind::String,
    );
    mismatch(b"<real>1.0</real>", error::<u8>, ValueKind::Real);
    mismatch(b"<true/>", error::<String>, ValueKind::Boolean);
    mismatch(b"<data>YQ==</data>", error::<String>, ValueKind::Data);
    mismatch(b"<data>YQ==</data>", error::<Vec<u8>>, ValueKind::Data);
    mismatch(b"<dict/>", error::<Vec<u8>>, ValueKind::Dictionary);
    mismatch(b"<array/>", error::<Fields>, ValueKind::Array);
    mismatch(b"<integer>1</integer>", error::<Uid>, ValueKind::Integer);
    mismatch(b"<integer>1</integer>", error::<Plain>, ValueKind::Integer);
    let error = error::<u8>(b"<integer>256</integer>");
    assert!(matches!(error.kind(), ErrorKind::InvalidValue { .. }));
}

#[test]
fn arrays_and_dictionaries_of_the_wrong_size_are_refused() {
    for xml in [
        &b"<array><true/></array>"[..],
        b"<array><true/><true/><true/></array>",
    ] {
        let error = from_slice::<(bool, bool)>(xml).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::InvalidLength { .. }),
            "{error}"
        );
    }
    for xml in [
        &b"<dict/>"[..],
        b"<dict><key>Newtype</key><integer>1</integer><key>Unit</key><string/></dict>",
    ] {
        let error = from_slice::<Plain>(xml).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::InvalidLength { .. }),
            "{error}"
        );
    }
}

#[test]
fn missing_keys_are_named() {
    let error = from_slice::<More>(b"<dict/>").unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::MissingField("Colour"));
    assert_eq!(error.to_string(), "missing key `Colour` at byte 0");
}

#[test]
fn of_equal_keys_the_last_one_counts_for_every_type() {
    #[derive(Debug, Deserialize)]
    struct Borrowed<'a> {
        a: &'a str,
        b: Inner,
    }
    #[derive(Debug, Deserialize)]
    struct Inner {
        c: u8,
    }
    #[derive(Debug, Deserialize)]
    struct WithRest {
        a: String,
        #[serde(flatten)]
        rest: Rest,
    }
    #[derive(Debug, Deserialize)]
    #[serde(tag = "a")]
    enum ByA {
        #[serde(rename = "3")]
        Three { b: Inner },
    }
    let xml = b"<dict><key>a</key><string>1</string><key>a</key><string>2</string>\
        <key>b</key><dict><key>c</key><integer>1</integer><key>c</key><integer>2</integer></dict>\
        <key>x</key><true/><key>x</key><array><true/></array>\
        <key>a</key><string>3</string>\
        <key>b</key><dict><key>c</key><integer>3</integer><key>c</key><integer>4</integer></dict></dict>";
    // Also where the first one does not fit the type, or any.
    for first in [
        "<true/>",
        "<integer>7</integer>",
        "<integer>seven</integer>",
        "<dict/>",
    ] {
        let xml = format!("<dict><key>c</key>{first}<key>c</key><integer>2</integer></dict>");
        assert_eq!(from_slice::<Inner>(xml.as_bytes()).unwrap().c, 2, "{first}");
        let value: Value = from_slice(xml.as_bytes()).unwrap();
        assert_eq!(
            value.as_dictionary().unwrap()["c"],
            Value::from(2),
            "{first}"
        );
    }
    let typed: Borrowed<'_> = from_slice(xml).unwrap();
    assert_eq!((typed.a, typed.b.c), ("3", 4));
    let rest: WithRest = from_slice(xml).unwrap();
    assert_eq!(rest.a, "3");
    assert_eq!(rest.rest.0["x"], Value::Array(vec![true.into()]));
    let ByA::Three { b } = from_slice(xml).unwrap();
    assert_eq!(b.c, 4);
    for value in [
        from_slice::<Value>(xml).unwrap(),
        from_slice::<Any>(xml).unwrap().0,
        from_slice::<BTreeMap<String, Value>>(xml)
            .unwrap()
            .into_iter()
            .collect::<Dictionary>()
            .into(),
    ] {
        let dictionary = value.as_dictionary().unwrap();
        assert_eq!(dictionary["a"].as_string(), Some("3"));
        assert_eq!(
            dictionary["b"].as_dictionary().unwrap()["c"],
            Value::from(4)
        );
        assert_eq!(dictionary.len(), 3);
    }
}

#[test]
fn two_names_of_one_field_are_an_error() {
    #[derive(Debug, Deserialize)]
    struct Named {
        #[serde(alias = "old")]
        #[allow(dead_code)]
        new: u8,
    }
    let xml = b"<dict><key>old</key><integer>1</integer><key>new</key><integer>2</integer></dict>";
    let error = from_slice::<Named>(xml).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::DuplicateField("new"));
}

#[test]
fn dates_of_chrono_are_dates() {
    #[derive(Debug, PartialEq, Deserialize, Serialize)]
    struct Times {
        #[serde(with = "mdm_plist::date::required")]
        at: DateTime<Utc>,
        #[serde(with = "mdm_plist::data::required")]
        bytes: Vec<u8>,
    }
    let at = DateTime::from_timestamp(-1, 0).unwrap();
    round_trips(Times { at, bytes: vec![1] });
    let xml = String::from_utf8(to_xml(&Times { at, bytes: vec![1] }).unwrap()).unwrap();
    assert!(xml.contains("<date>1969-12-31T23:59:59Z</date>"));
    for at in [DateTime::<Utc>::MAX_UTC, DateTime::<Utc>::MIN_UTC] {
        let error = to_xml(&Times { at, bytes: vec![] }).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Custom(_)), "{error}");
    }
    // A date in text where serde buffers does not reach the `plist` crate's parser, which panics.
    #[derive(Debug, Deserialize)]
    struct Outer {
        #[serde(flatten)]
        #[allow(dead_code)]
        times: Times,
    }
    let xml = b"<dict><key>at</key><string>9999-12-31T23:59:59-01:00</string></dict>";
    assert!(from_slice::<Outer>(xml).is_err());
}

#[test]
fn a_property_list_decodes_into_the_types_of_other_formats() {
    let xml = plist("<dict><key>a</key><array><integer>1</integer><true/></array></dict>");
    let json: serde_json::Value = from_slice(&xml).unwrap();
    assert_eq!(json, serde_json::json!({"a": [1, true]}));
    assert_eq!(
        from_slice::<serde_json::Value>(&to_xml(&json).unwrap()).unwrap(),
        json
    );
}
