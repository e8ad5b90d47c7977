//! Unknown keys are kept, reachable, and written back in their place.

use std::{collections::BTreeMap, ptr};

use mdm_plist::{Date, Dictionary, ErrorKind, Kept, Rest, Value, from_slice, to_binary, to_xml};
use serde::{Deserialize, Serialize};

use crate::document::plist;

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Profile {
    identifier: String,
    display_name: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    removable: bool,
    #[serde(default)]
    payloads: Vec<Payload>,
}

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Payload {
    kind: String,
    level: Option<f64>,
}

const ORIGINAL: &str = "<dict>\
    <key>Zebra</key><date>2026-11-05T09:00:00Z</date>\
    <key>DisplayName</key><string>old</string>\
    <key>Removable</key><false/>\
    <key>Payloads</key><array>\
        <dict><key>Extra</key><data>AQ==</data><key>Kind</key><string>a</string></dict>\
        <dict><key>Kind</key><string>b</string><key>Level</key><integer>3</integer><key>Extra</key><true/></dict>\
    </array>\
    <key>Nothing</key><array/>\
    <key>Identifier</key><string>id\0</string>\
    <key>Apple</key><dict><key>x</key><integer>1</integer></dict>\
    </dict>";

fn read() -> Kept<Profile> {
    from_slice(&plist(ORIGINAL)).unwrap()
}

fn original() -> Dictionary {
    from_slice(&plist(ORIGINAL)).unwrap()
}

#[track_caller]
fn written(profile: &Kept<Profile>) -> Dictionary {
    let xml: Dictionary = from_slice(&to_xml(profile).unwrap()).unwrap();
    let binary: Dictionary = from_slice(&to_binary(profile).unwrap()).unwrap();
    assert_eq!(xml, binary);
    assert!(xml.keys().eq(binary.keys()));
    xml
}

fn keys(dictionary: &Dictionary) -> Vec<&str> {
    dictionary.keys().map(String::as_str).collect()
}

#[test]
fn unknown_keys_are_reachable_at_every_level() {
    let profile = read();
    let paths: Vec<_> = profile.unknown().iter().map(ToString::to_string).collect();
    assert_eq!(
        paths,
        [
            "Zebra",
            "Payloads[0].Extra",
            "Payloads[1].Extra",
            "Nothing",
            "Apple"
        ]
    );
    assert!(matches!(profile.original()["Zebra"], Value::Date(_)));
}

#[test]
fn an_unchanged_value_is_written_as_it_was_read() {
    let mut expected = original();
    expected.insert("Identifier".into(), "id\u{FFFD}".into());
    let written = written(&read());
    assert_eq!(written, expected);
    assert_eq!(keys(&written), keys(&expected));
    // `Level` is a real for the type and stays the integer it was.
    let payload = written["Payloads"].as_array().unwrap()[1]
        .as_dictionary()
        .unwrap();
    assert_eq!(payload["Level"], Value::from(3));
}

#[test]
fn changes_are_written_in_place() {
    let mut profile = read();
    profile.value.display_name = Some("new".into());
    profile.value.removable = true;
    profile.value.payloads[0].level = Some(0.5);
    profile.value.payloads[1].level = None;
    let written = written(&profile);
    assert_eq!(keys(&written), keys(&original()));
    assert_eq!(written["DisplayName"].as_string(), Some("new"));
    assert_eq!(written["Removable"], Value::from(true));
    assert_eq!(written["Zebra"], original()["Zebra"]);
    let payloads = written["Payloads"].as_array().unwrap();
    let [first, second] = [0, 1].map(|n| payloads[n].as_dictionary().unwrap());
    assert_eq!(keys(first), ["Extra", "Kind", "Level"]);
    assert_eq!(first["Extra"], Value::Data(vec![1]));
    assert_eq!(keys(second), ["Kind", "Extra"]);
}

#[test]
fn a_cleared_key_is_taken_out_and_a_new_one_comes_last() {
    let mut profile = read();
    profile.value.display_name = None;
    assert!(!written(&profile).contains_key("DisplayName"));
    let mut short: Kept<Profile> =
        from_slice(b"<dict><key>X</key><true/><key>Identifier</key><string>i</string></dict>")
            .unwrap();
    // A default that the original leaves out is not written either.
    assert_eq!(keys(&written(&short)), ["X", "Identifier"]);
    short.value.display_name = Some("d".into());
    assert_eq!(keys(&written(&short)), ["X", "Identifier", "DisplayName"]);
}

#[test]
fn elements_added_and_removed_leave_the_others_what_they_were() {
    let mut profile = read();
    profile.value.payloads.remove(0);
    let added = Payload {
        kind: "c".into(),
        level: None,
    };
    let only = written(&profile)["Payloads"].as_array().unwrap().clone();
    assert_eq!(
        only,
        [original()["Payloads"].as_array().unwrap()[1].clone()]
    );
    let mut profile = read();
    profile.value.payloads.insert(1, added);
    let three = written(&profile)["Payloads"].as_array().unwrap().clone();
    assert_eq!(three[0], original()["Payloads"].as_array().unwrap()[0]);
    assert_eq!(three[2], original()["Payloads"].as_array().unwrap()[1]);
    assert_eq!(keys(three[1].as_dictionary().unwrap()), ["Kind"]);
}

#[test]
fn an_element_that_moved_keeps_its_unknown_keys() {
    let mut profile = read();
    profile.value.payloads.reverse();
    profile.value.payloads.push(Payload {
        kind: "c".into(),
        level: None,
    });
    let three = written(&profile)["Payloads"].as_array().unwrap().clone();
    let before = original()["Payloads"].as_array().unwrap().clone();
    assert_eq!(three[..2], [before[1].clone(), before[0].clone()]);
}

#[test]
fn long_arrays_of_another_length_are_merged() {
    #[derive(Deserialize, Serialize)]
    struct Reals {
        reals: Vec<f64>,
        texts: Vec<String>,
    }
    const LENGTH: u32 = 60_000;
    let original = Dictionary::from_iter([
        (
            "reals",
            Value::Array(vec![Value::Real(f64::NAN); LENGTH as usize]),
        ),
        (
            "texts",
            Value::Array((0..LENGTH).map(|n| format!("element {n}").into()).collect()),
        ),
    ]);
    let mut kept = Kept::<Reals>::from_dictionary(original).unwrap();
    kept.value.reals.pop();
    kept.value.texts = (1..LENGTH).map(|n| format!("other {n}")).collect();
    let merged = mdm_plist::to_value(&kept).unwrap();
    let merged: Reals = mdm_plist::from_value(merged).unwrap();
    assert_eq!(merged.reals.len(), LENGTH as usize - 1);
    assert!(merged.reals.iter().all(|real| real.is_nan()));
    assert_eq!(merged.texts, kept.value.texts);
}

#[test]
fn unknown_keys_share_the_way_to_them_in_memory() {
    type Devices = BTreeMap<String, Payload>;
    let long = "k".repeat(1000);
    let xml = format!(
        "<dict><key>{long}</key><dict><key>a</key><true/><key>Kind</key><string/>\
         <key>b</key><true/></dict></dict>"
    );
    let devices: Kept<Devices> = from_slice(xml.as_bytes()).unwrap();
    let [a, b] = devices.unknown() else {
        panic!("{:?}", devices.unknown());
    };
    assert_eq!(a.to_string(), format!("{long}.a"));
    assert_eq!((b.to_string(), b.len()), (format!("{long}.b"), 2));
    assert_ne!(a, b);
    assert!(ptr::eq(
        a.segments().next().unwrap(),
        b.segments().next().unwrap()
    ));
}

#[test]
fn a_value_made_by_the_program_is_written_whole() {
    let profile = Kept::new(read().value);
    let written = written(&profile);
    assert_eq!(keys(&written), ["Identifier", "DisplayName", "Payloads"]);
    assert!(profile.unknown().is_empty() && profile.original().is_empty());
}

#[test]
fn kept_works_inside_other_types_also_where_serde_buffers() {
    #[derive(Debug, Deserialize, Serialize)]
    #[serde(tag = "Type")]
    enum Message {
        Outer {
            inner: Kept<Payload>,
            rest: Option<Rest>,
        },
    }
    let xml = b"<dict><key>inner</key><dict><key>When</key><date>2026-11-05T09:00:00Z</date>\
        <key>Kind</key><string>a</string></dict><key>Type</key><string>Outer</string></dict>";
    let message: Message = from_slice(xml).unwrap();
    let Message::Outer { inner, .. } = &message;
    let when = Value::Date(Date::from_xml_format("2026-11-05T09:00:00Z").unwrap());
    assert_eq!(inner.original()["When"], when);
    let written: Dictionary = from_slice(&to_xml(&message).unwrap()).unwrap();
    assert_eq!(written["inner"].as_dictionary().unwrap()["When"], when);
}

#[test]
fn a_dictionary_that_is_no_such_type_says_what_is_missing() {
    let error = from_slice::<Kept<Profile>>(b"<dict/>").unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::MissingField("Identifier"));
    let error = Kept::<Payload>::from_dictionary(Dictionary::new()).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::MissingField("Kind"));
}
