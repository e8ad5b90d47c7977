//! Binary property lists: what is read, and what is refused.

use mdm_plist::{
    Data, Date, Dictionary, ErrorKind, Format, Integer, Limits, Uid, Value, ValueKind, detect,
    from_slice, from_slice_with, to_binary,
};
use serde::{Deserialize, de::IgnoredAny};

use crate::document::{array, ascii, binary, dictionary, header, sample_xml};

/// The error of a broken document, which is one also where nobody looks.
#[track_caller]
fn kind(bytes: &[u8]) -> ErrorKind {
    let ignored = from_slice::<IgnoredAny>(bytes).expect_err("skipped");
    assert_eq!(ignored.kind(), &scalar_kind(bytes, false));
    ignored.kind().clone()
}

/// The error of a value that is broken in itself, which nobody hears of who does not ask.
#[track_caller]
fn scalar_kind(bytes: &[u8], skips: bool) -> ErrorKind {
    assert_eq!(from_slice::<IgnoredAny>(bytes).is_ok(), skips);
    from_slice::<Value>(bytes).unwrap_err().kind().clone()
}

fn one(object: &[u8]) -> Vec<u8> {
    binary(&[object.to_vec()], 0)
}

#[test]
fn every_type_is_read_alike_from_xml_and_binary() {
    let value: Value = from_slice(&sample_xml()).unwrap();
    assert_eq!(
        from_slice::<Value>(&to_binary(&value).unwrap()).unwrap(),
        value
    );
}

#[test]
fn integers_of_1_to_16_bytes_are_read() {
    for (object, number) in [
        (vec![0x10, 0xFF], Integer::from(255)),
        (vec![0x11, 0xFF, 0xFF], 65_535.into()),
        (vec![0x12, 0xFF, 0xFF, 0xFF, 0xFF], u32::MAX.into()),
        ([&[0x13], &(-1i64).to_be_bytes()[..]].concat(), (-1).into()),
        (
            [&[0x13], &i64::MIN.to_be_bytes()[..]].concat(),
            i64::MIN.into(),
        ),
        (
            [&[0x14], &i128::from(u64::MAX).to_be_bytes()[..]].concat(),
            u64::MAX.into(),
        ),
        ([&[0x14], &(-5i128).to_be_bytes()[..]].concat(), (-5).into()),
    ] {
        assert_eq!(
            from_slice::<Value>(&one(&object)).unwrap(),
            Value::Integer(number)
        );
    }
    for number in [i128::from(u64::MAX) + 1, i128::from(i64::MIN) - 1] {
        let object = [&[0x14], &number.to_be_bytes()[..]].concat();
        assert_eq!(scalar_kind(&one(&object), true), ErrorKind::IntegerRange);
    }
}

#[test]
fn reals_booleans_strings_data_and_uids_are_read() {
    let utf16: Vec<u8> = "Zo\u{eb} \u{1F4BB}"
        .encode_utf16()
        .flat_map(u16::to_be_bytes)
        .collect();
    for (object, value) in [
        (
            [&[0x22], &1.5f32.to_be_bytes()[..]].concat(),
            Value::Real(1.5),
        ),
        (
            [&[0x23], &0.1f64.to_be_bytes()[..]].concat(),
            Value::Real(0.1),
        ),
        (vec![0x08], false.into()),
        (vec![0x09], true.into()),
        (ascii("abc"), "abc".into()),
        (ascii(&"x".repeat(300)), "x".repeat(300).into()),
        (
            [header(0x60, 6), utf16].concat(),
            "Zo\u{eb} \u{1F4BB}".into(),
        ),
        ([header(0x70, 2), "\u{eb}".into()].concat(), "\u{eb}".into()),
        (vec![0x42, 1, 2], Value::Data(vec![1, 2])),
        (vec![0x80, 7], Value::Uid(Uid::new(7))),
        (vec![0x83, 1, 0, 0, 0], Value::Uid(Uid::new(1 << 24))),
        (
            [&[0x8F], &7u128.to_be_bytes()[..]].concat(),
            Value::Uid(Uid::new(7)),
        ),
    ] {
        assert_eq!(from_slice::<Value>(&one(&object)).unwrap(), value);
    }
}

#[test]
fn sets_are_read_as_arrays() {
    for kind in [0xA2, 0xB2, 0xC2] {
        let mut set = array(&[0, 1]);
        set[0] = kind;
        let value: Vec<String> = from_slice(&binary(&[ascii("a"), ascii("b"), set], 2)).unwrap();
        assert_eq!(value, ["a", "b"]);
    }
}

#[test]
fn dates_are_seconds_since_2001() {
    let date = |seconds: f64| one(&[&[0x33], &seconds.to_be_bytes()[..]].concat());
    for (seconds, text) in [
        (0.0, "2001-01-01T00:00:00Z"),
        (-1.0, "2000-12-31T23:59:59Z"),
        (0.5, "2001-01-01T00:00:00.500Z"),
        (-63_113_904_000.0, "0001-01-01T00:00:00Z"),
        // What Apple calls the distant past.
        (-63_114_076_800.0, "0000-12-30T00:00:00Z"),
        (252_423_993_599.0, "9999-12-31T23:59:59Z"),
    ] {
        let expected = Date::from_xml_format(text).unwrap();
        assert_eq!(
            from_slice::<Date>(&date(seconds)).unwrap(),
            expected,
            "{text}"
        );
    }
    for seconds in [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        1e12,
        -1e12,
        252_423_993_600.0,
        f64::MAX,
    ] {
        let kind = scalar_kind(&date(seconds), true);
        assert_eq!(kind, ErrorKind::Malformed(ValueKind::Date));
    }
}

#[test]
fn strings_and_data_can_be_borrowed_from_the_document() {
    #[derive(Deserialize)]
    struct Borrowed<'a> {
        name: &'a str,
        #[serde(borrow)]
        data: Bytes<'a>,
    }
    #[derive(Deserialize)]
    struct Bytes<'a>(&'a [u8]);
    let objects = [ascii("name"), ascii("data"), ascii("Ada"), vec![0x42, 1, 2]];
    let bytes = binary(
        &[&objects[..], &[dictionary(&[(0, 2), (1, 3)])]].concat(),
        4,
    );
    let read: Borrowed<'_> = from_slice(&bytes).unwrap();
    assert_eq!((read.name, read.data.0), ("Ada", &[1, 2][..]));
    let xml = b"<dict><key>name</key><string>Ada</string></dict>";
    #[derive(Deserialize)]
    struct Name<'a> {
        name: &'a str,
    }
    assert_eq!(from_slice::<Name<'_>>(xml).unwrap().name, "Ada");
}

#[test]
fn shared_objects_are_read_wherever_they_are_referred_to() {
    let objects = [ascii("a"), array(&[0, 0]), array(&[1, 1])];
    let read: Vec<Vec<String>> = from_slice(&binary(&objects, 2)).unwrap();
    assert_eq!(read, [["a", "a"], ["a", "a"]]);
}

#[test]
fn a_container_that_contains_itself_is_a_cycle() {
    assert_eq!(kind(&binary(&[array(&[0])], 0)), ErrorKind::Cycle);
    assert_eq!(
        kind(&binary(&[array(&[1]), array(&[0])], 0)),
        ErrorKind::Cycle
    );
    let objects = [ascii("k"), dictionary(&[(0, 2)]), array(&[1])];
    assert_eq!(kind(&binary(&objects, 1)), ErrorKind::Cycle);
}

#[test]
fn a_broken_trailer_or_offset_table_is_refused() {
    let good = binary(&[array(&[1]), ascii("a")], 0);
    assert!(from_slice::<Value>(&good).is_ok());
    let trailer = good.len() - 32;
    let with = |at: usize, bytes: &[u8]| {
        let mut broken = good.clone();
        broken[at..at + bytes.len()].copy_from_slice(bytes);
        broken
    };
    let max = u64::MAX.to_be_bytes();
    for (what, bytes) in [
        ("offset size 0", with(trailer + 6, &[0])),
        ("offset size 9", with(trailer + 6, &[9])),
        ("reference size 0", with(trailer + 7, &[0])),
        ("too many objects", with(trailer + 8, &max)),
        ("no objects", with(trailer + 8, &[0; 8])),
        ("root outside", with(trailer + 16, &2u64.to_be_bytes())),
        ("root far outside", with(trailer + 16, &max)),
        ("table outside", with(trailer + 24, &max)),
        ("table over the header", with(trailer + 24, &[0; 8])),
        ("object in the header", with(trailer - 16, &[0; 8])),
        (
            "object in the table",
            with(trailer - 16, &((trailer - 16) as u64).to_be_bytes()),
        ),
        ("object outside", with(trailer - 16, &max)),
        ("reference outside", with(9, &[0, 0, 0, 2])),
        ("array longer than the document", with(8, &[0xAE])),
        ("unknown version", with(6, b"1")),
    ] {
        assert!(
            matches!(kind(&bytes), ErrorKind::Binary(_)),
            "{what}: {:?}",
            kind(&bytes)
        );
    }
}

#[test]
fn white_space_and_a_byte_order_mark_around_a_binary_document_are_read() {
    let objects = [array(&[1]), ascii("a")];
    // The offset table at 32: the trailer itself ends in what looks like white space.
    let spaced = binary(&[array(&[1]), ascii("13 characters"), array(&[1])], 0);
    assert_eq!(spaced.last(), Some(&b' '));
    for good in [binary(&objects, 0), spaced] {
        let value: Value = from_slice(&good).unwrap();
        for (before, after) in [
            ("", "\n"),
            ("", " \t\r\n"),
            ("\u{FEFF}", ""),
            (" \n", ""),
            ("\u{FEFF}\r\n", "\r\n\r\n"),
        ] {
            let padded = [before.as_bytes(), &good, after.as_bytes()].concat();
            assert_eq!(detect(&padded), Some(Format::Binary));
            let read: Value = from_slice(&padded).unwrap();
            assert_eq!(read, value, "{before:?} {after:?}");
        }
        let error = from_slice::<Vec<bool>>(&[b"  ", &good[..]].concat()).unwrap_err();
        let unpadded = from_slice::<Vec<bool>>(&good).unwrap_err();
        assert_eq!(error.position(), unpadded.position().map(|at| at + 2));
    }
}

#[test]
fn objects_that_are_none_are_refused() {
    for object in [
        &[0x00][..],
        &[0x0F],
        &[0x15],
        &[0x20, 0],
        &[0x21, 0, 0],
        &[0x32, 0, 0, 0, 0],
        &[0x90],
        &[0xE0],
        &[0xF0],
        &[0x4F, 0x51, 1],
        &[0x5F, 0x13, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        &[0xAF, 0x13, 0x80, 0, 0, 0, 0, 0, 0, 0],
        &[0x6F, 0x13, 0x80, 0, 0, 0, 0, 0, 0, 0],
        &[0x52, b'a'],
        &[0x13],
        &[0x4F],
        &[0x4F, 0x14],
    ] {
        let kind = kind(&one(object));
        assert!(
            matches!(kind, ErrorKind::Binary(_)),
            "{object:x?}: {kind:?}"
        );
    }
    assert_eq!(scalar_kind(&one(&[0x51, 0xFF]), true), ErrorKind::Encoding);
    assert_eq!(
        scalar_kind(&one(&[0x61, 0xD8, 0x00]), true),
        ErrorKind::Encoding
    );
    assert_eq!(
        scalar_kind(&one(&[&[0x88], &[1; 9][..]].concat()), true),
        ErrorKind::IntegerRange
    );
    let number_as_key = [vec![0x10, 1], dictionary(&[(0, 0)])];
    assert!(matches!(
        kind(&binary(&number_as_key, 1)),
        ErrorKind::Binary(_)
    ));
}

#[test]
fn a_length_cannot_ask_for_more_memory_than_the_document_has() {
    let limits = Limits::default().with(|l| l.bytes = usize::MAX);
    for marker in [0x4F, 0x5F, 0x6F, 0xAF, 0xDF] {
        let object = [&[marker, 0x13], &(i64::MAX as u64 / 4).to_be_bytes()[..]].concat();
        assert!(from_slice_with::<Value>(&one(&object), &limits).is_err());
    }
}

#[test]
fn typed_fields_are_read_from_binary_too() {
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Sample {
        name: String,
        count: i8,
        level: f32,
        token: Data,
        seen: Date,
        #[serde(default)]
        absent: Option<String>,
        empty: Dictionary,
    }
    let xml = sample_xml();
    let value: Value = from_slice(&xml).unwrap();
    let from_xml: Sample = from_slice(&xml).unwrap();
    assert_eq!(
        from_slice::<Sample>(&to_binary(&value).unwrap()).unwrap(),
        from_xml
    );
    assert_eq!(from_xml.name, "Ada's \u{1F4BB} & <Mac>");
}
