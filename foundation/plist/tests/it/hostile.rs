//! No input makes the readers panic.

use mdm_plist::{Any, Kept, Limits, Rest, Value, from_slice, from_slice_with, to_binary};
use proptest::prelude::*;
use serde::{Deserialize, Serialize, de::IgnoredAny};

use crate::document::sample_xml;

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Sample {
    name: Option<String>,
    count: Option<i64>,
    list: Option<Vec<Any>>,
    #[serde(with = "mdm_plist::date::optional", default)]
    seen: Option<chrono::DateTime<chrono::Utc>>,
    #[serde(flatten)]
    rest: Rest,
}

/// Decodes in every way; whatever is accepted can be written again.
fn read_every_way(bytes: &[u8]) {
    let limits = Limits::default().with(|l| {
        l.depth = 16;
        l.items = 10_000;
        l.bytes = 100_000;
    });
    if let Ok(value) = from_slice_with::<Value>(bytes, &limits) {
        let written = to_binary(&value).unwrap();
        assert!(from_slice::<Value>(&written).is_ok());
    }
    let _ = from_slice_with::<IgnoredAny>(bytes, &limits);
    let _ = from_slice_with::<Kept<Sample>>(bytes, &limits);
    if let Ok(sample) = from_slice_with::<Sample>(bytes, &limits) {
        to_binary(&sample).unwrap();
    }
}

fn fixtures() -> [Vec<u8>; 3] {
    let xml = sample_xml();
    let value: Value = from_slice(&xml).unwrap();
    let wide = String::from_utf8(xml.clone()).unwrap();
    let utf16 = wide.encode_utf16().flat_map(u16::to_le_bytes).collect();
    [to_binary(&value).unwrap(), xml, utf16]
}

#[test]
fn every_truncation_of_a_document_is_survived() {
    for fixture in fixtures() {
        for end in 0..fixture.len() {
            read_every_way(&fixture[..end]);
        }
    }
}

#[test]
fn every_change_of_one_byte_is_survived() {
    for fixture in fixtures() {
        let mut bytes = fixture.clone();
        for at in 0..bytes.len() {
            let was = bytes[at];
            for now in [0, b'<', b'&', b'/', 0xFF, was ^ 1, was ^ 0x10, was ^ 0x80] {
                bytes[at] = now;
                read_every_way(&bytes);
            }
            bytes[at] = was;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn noise_is_survived(
        noise in prop::collection::vec(any::<u8>(), 0..200),
        lead in prop::sample::select(vec![&b""[..], b"bplist00", b"<plist>", b"<dict><key>", b"\xFF\xFE"]),
    ) {
        read_every_way(&[lead, &noise].concat());
    }

    #[test]
    fn noise_made_of_tags_is_survived(
        parts in prop::collection::vec(prop::sample::select(vec![
            "<dict>", "</dict>", "<array>", "</array>", "<key>", "</key>", "Name", "<string>",
            "</string>", "<integer>", "</integer>", "7", "<true/>", "<date>", "</date>", "<data/>",
            "<![CDATA[", "]]>", "<!--", "-->", "&amp;", "&#0;", "&", "<?", "?>", "<plist>",
            "</plist>", "\u{eb}", "<key>Name</key>", "<string>a</string>", "<dict/>",
        ]), 0..40),
    ) {
        read_every_way(parts.concat().as_bytes());
    }
}
