//! What XML the reader accepts, and what it refuses.

use mdm_plist::{
    Date, Dictionary, Error, ErrorKind, Format, Value, ValueKind, detect, from_slice, to_binary,
    to_xml,
};
use serde::Deserialize;

use crate::document::plist;

#[track_caller]
fn text(content: &str) -> String {
    from_slice(&plist(content)).unwrap()
}

#[track_caller]
fn kind<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> ErrorKind {
    match from_slice::<T>(bytes) {
        Ok(_) => panic!("accepted"),
        Err(error) => error.kind().clone(),
    }
}

#[test]
fn cdata_sections_are_text() {
    assert_eq!(text("<string><![CDATA[a<b]]></string>"), "a<b");
    assert_eq!(
        text("<string>x <![CDATA[&amp;]]]]> y</string>"),
        "x &amp;]] y"
    );
    assert_eq!(text("<string><![CDATA[]]></string>"), "");
    let dictionary: Dictionary = from_slice(&plist(
        "<dict><key><![CDATA[<k>]]></key><integer><![CDATA[7]]></integer></dict>",
    ))
    .unwrap();
    assert_eq!(dictionary["<k>"], Value::from(7));
    assert_eq!(
        kind::<String>(&plist("<string><![CDATA[a</string>")),
        ErrorKind::UnexpectedEnd
    );
}

#[test]
fn q19_comments_and_processing_instructions_are_passed_over_everywhere() {
    let xml = "<!-- a > b --><?before x?><?xml version=\"1.0\"?><!-- <dict> -->\
        <plist><!----><dict><!-- a --><key>k<!-- b -->1</key><?pi?><string>v<!-- -- > -->w<?pi </string>?></string>\
        <key>list</key><array><!-- c --><true/><!-- d --></array><!-- e --></dict><!-- f --></plist>";
    let dictionary: Dictionary = from_slice(xml.as_bytes()).unwrap();
    assert_eq!(dictionary["k1"].as_string(), Some("vw"));
    assert_eq!(dictionary["list"], Value::Array(vec![true.into()]));
}

#[test]
fn q19_document_type_header_and_plist_element_may_be_missing_or_swapped() {
    let header = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
    let doctype = "<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">";
    let root = "<plist version=\"1.0\"><string>a</string></plist>";
    for xml in [
        [header, doctype, root].concat(),
        [doctype, header, root].concat(),
        [header, root].concat(),
        [doctype, root].concat(),
        root.to_owned(),
        "<plist><string>a</string></plist>".to_owned(),
        "<string>a</string>".to_owned(),
        [header, "<string>a</string>\n<!-- end -->\n"].concat(),
    ] {
        assert_eq!(from_slice::<String>(xml.as_bytes()).unwrap(), "a", "{xml}");
    }
}

#[test]
fn a_leading_byte_order_mark_or_white_space_is_read() {
    for lead in ["\u{FEFF}", "\n\t \r\n", "\u{FEFF}\n"] {
        let bytes = [lead.as_bytes(), &plist("<string>a</string>")].concat();
        assert_eq!(detect(&bytes), Some(Format::Xml));
        assert_eq!(from_slice::<String>(&bytes).unwrap(), "a", "{lead:?}");
    }
}

#[test]
fn q19_whatever_follows_the_end_of_the_plist_element_is_ignored() {
    for junk in [
        &b"\0\0\0"[..],
        b"</plist>",
        b"<dict>",
        b"\xFF\xFE junk",
        b"--boundary--\r\n",
    ] {
        let bytes = [b"<plist><true/></plist>", junk].concat();
        assert!(from_slice::<bool>(&bytes).unwrap());
    }
    // Without that element nothing says where the document ends.
    assert!(matches!(
        kind::<bool>(b"<true/>junk"),
        ErrorKind::Syntax { .. }
    ));
    assert!(matches!(
        kind::<bool>(b"<true/><true/>"),
        ErrorKind::Syntax { .. }
    ));
    assert_eq!(
        kind::<bool>(b"<plist><true/><true/></plist>"),
        ErrorKind::Syntax {
            expected: "</plist>"
        }
    );
}

#[test]
fn padded_and_hexadecimal_numbers_are_read() {
    for (content, number) in [
        ("<integer> 5 </integer>", 5),
        ("<integer>\n\t-0012\n</integer>", -12),
        ("<integer>+3</integer>", 3),
        ("<integer>0x1F</integer>", 31),
        ("<integer>0</integer>", 0),
    ] {
        assert_eq!(
            from_slice::<i64>(&plist(content)).unwrap(),
            number,
            "{content}"
        );
    }
    assert_eq!(
        from_slice::<f64>(&plist("<real> 2.5 </real>")).unwrap(),
        2.5
    );
    assert_eq!(
        from_slice::<f64>(&plist("<real>-1e3</real>")).unwrap(),
        -1000.0
    );
}

#[test]
fn non_finite_reals_are_read_and_written() {
    for (content, number) in [
        ("<real>inf</real>", f64::INFINITY),
        ("<real>-Infinity</real>", f64::NEG_INFINITY),
        ("<real>+infinity</real>", f64::INFINITY),
    ] {
        assert_eq!(
            from_slice::<f64>(&plist(content)).unwrap(),
            number,
            "{content}"
        );
    }
    assert!(
        from_slice::<f64>(&plist("<real>nan</real>"))
            .unwrap()
            .is_nan()
    );
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for bytes in [to_xml(&number).unwrap(), to_binary(&number).unwrap()] {
            let back: f64 = from_slice(&bytes).unwrap();
            assert!(back == number || back.is_nan() && number.is_nan());
        }
    }
}

#[test]
fn padded_dates_and_dates_with_fraction_or_offset_are_read() {
    for content in [
        "<date> 2026-11-05T09:00:00Z\n</date>",
        "<date>2026-11-05T09:00:00.000Z</date>",
        "<date>2026-11-05T10:00:00+01:00</date>",
    ] {
        let value: Value = from_slice(&plist(content)).unwrap();
        let written = String::from_utf8(to_xml(&value).unwrap()).unwrap();
        assert!(
            written.contains("<date>2026-11-05T09:00:00Z</date>"),
            "{written}"
        );
    }
}

#[test]
fn a_leap_second_is_read_as_the_second_before_it() {
    let value: Value = from_slice(&plist("<date>2016-12-31T23:59:60.5Z</date>")).unwrap();
    let expected = Date::from_xml_format("2016-12-31T23:59:59Z").unwrap();
    assert_eq!(value, Value::Date(expected));
}

#[test]
fn dates_that_are_none_are_an_error_and_never_a_panic() {
    for content in [
        "<date/>",
        "<date>today</date>",
        "<date>2026-02-30T00:00:00Z</date>",
        "<date>9999-12-31T23:59:59-01:00</date>",
        "<date>0000-01-01T00:00:00+01:00</date>",
        "<date>-0001-01-01T00:00:00Z</date>",
        "<date>12026-01-01T00:00:00Z</date>",
    ] {
        let kind = kind::<Value>(&plist(content));
        assert_eq!(kind, ErrorKind::Malformed(ValueKind::Date), "{content}");
    }
}

#[test]
fn unpadded_and_wrapped_base64_is_read() {
    for content in [
        "<data>aGVsbG8=</data>",
        "<data>aGVsbG8</data>",
        "<data>\r\n\t\taGVs\r\n\t\tbG8=\r\n\t</data>",
        "<data><!-- wrapped -->aGVs<![CDATA[bG8]]></data>",
    ] {
        let value: Value = from_slice(&plist(content)).unwrap();
        assert_eq!(value, Value::Data(b"hello".to_vec()), "{content}");
    }
    for content in [
        "<data>a</data>",
        "<data>aGV*</data>",
        "<data>aA==aA==</data>",
    ] {
        let kind = kind::<Value>(&plist(content));
        assert_eq!(kind, ErrorKind::Malformed(ValueKind::Data), "{content}");
    }
}

#[test]
fn attributes_and_white_space_inside_tags_mean_nothing() {
    let xml = "<plist\n version='1.0' note=\"a > b\" ><dict x=\"1\"><key >k</key\n><true /><key>l</key><string a='/>'>v</string >\
        <key>e</key><array\n/><key>f</key><false></false><key>s</key><string /></dict ></plist >";
    let dictionary: Dictionary = from_slice(xml.as_bytes()).unwrap();
    assert_eq!(dictionary["k"], Value::from(true));
    assert_eq!(dictionary["l"].as_string(), Some("v"));
    assert_eq!(dictionary["e"], Value::Array(Vec::new()));
    assert_eq!(dictionary["f"], Value::from(false));
    assert_eq!(dictionary["s"].as_string(), Some(""));
}

#[test]
fn nul_and_other_forbidden_characters_in_strings_are_survived() {
    // micromdm#1040: an iOS 18.1 device answered with U+0000 and its queue stood still.
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Subscription {
        label: String,
        slot: String,
    }
    let content = "<dict><key>Label</key><string>a\0b\u{1}\u{FFFF}</string>\
        <key>Other\0</key><string>\0</string><key>Slot</key><string>&#0;&#x1;c</string></dict>";
    let subscription: Subscription = from_slice(&plist(content)).unwrap();
    assert_eq!(subscription.label, "a\0b\u{1}\u{FFFF}");
    assert_eq!(subscription.slot, "\0\u{1}c");
    let value: Value = from_slice(&plist(content)).unwrap();
    assert_eq!(
        value.as_dictionary().unwrap()["Other\0"].as_string(),
        Some("\0")
    );
}

#[test]
fn the_five_entities_and_numeric_references_are_resolved() {
    assert_eq!(
        text("<string>&lt;&gt;&amp;&quot;&apos;&#65;&#x42;&#x1F4BB;&#0000067;</string>"),
        "<>&\"'AB\u{1F4BB}C"
    );
    let dictionary: Dictionary =
        from_slice(&plist("<dict><key>a&amp;b</key><true/></dict>")).unwrap();
    assert!(dictionary.contains_key("a&b"));
}

#[test]
fn unknown_entities_are_an_error_also_where_nobody_looks() {
    for text in [
        "&nbsp;",
        "&x;",
        "&;",
        "&",
        "AT&T",
        "& ",
        "&#;",
        "&#x;",
        "&#xD800;",
        "&#x110000;",
        "&#-1;",
        "&#+65;",
        "&#x+41;",
        "&AMP;",
        "&amp",
    ] {
        let string = format!("<string>{text}</string>");
        assert_eq!(
            kind::<Value>(&plist(&string)),
            ErrorKind::UnknownEntity,
            "{text}"
        );
        let ignored = plist(&format!("<dict><key>Other</key>{string}</dict>"));
        assert_eq!(
            kind::<Nothing>(&ignored),
            ErrorKind::UnknownEntity,
            "{text}"
        );
    }
}

#[derive(Deserialize)]
struct Nothing {}

#[test]
fn entities_declared_in_the_document_are_never_expanded() {
    let doctype = "<!DOCTYPE plist [\n<!-- ]> \" -->\n<?pi ]> ?>\n<!ENTITY lol \"]>lol\">\n\
        <!ENTITY lol2 '&lol;&lol;'>\n<!ENTITY f SYSTEM \"file:///etc/passwd\">\n]>";
    let harmless = [doctype, "<plist><string>a</string></plist>"].concat();
    assert_eq!(from_slice::<String>(harmless.as_bytes()).unwrap(), "a");
    for entity in ["&lol;", "&lol2;", "&f;"] {
        let xml = [doctype, "<plist><string>", entity, "</string></plist>"].concat();
        assert_eq!(kind::<String>(xml.as_bytes()), ErrorKind::UnknownEntity);
    }
    assert_eq!(
        kind::<String>(b"<!DOCTYPE plist [ <!ENTITY a \"b\">"),
        ErrorKind::UnexpectedEnd
    );
}

#[test]
fn utf16_and_iso_8859_1_are_read() {
    let xml = "<?xml version=\"1.0\" encoding=\"UTF-16\"?><plist><string>Zo\u{eb} \u{1F4BB}</string></plist>";
    let little: Vec<u8> = xml.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = xml.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for bytes in [
        [&[0xFF, 0xFE], &little[..]].concat(),
        [&[0xFE, 0xFF], &big[..]].concat(),
        little.clone(),
        big,
        // Claims UTF-16 and is UTF-8: the bytes win.
        xml.as_bytes().to_vec(),
    ] {
        assert_eq!(detect(&bytes), Some(Format::Xml));
        assert_eq!(from_slice::<String>(&bytes).unwrap(), "Zo\u{eb} \u{1F4BB}");
    }
    let latin =
        b"<?xml version='1.0' encoding='ISO-8859-1'?><plist><string>Zo\xEB</string></plist>";
    assert_eq!(from_slice::<String>(latin).unwrap(), "Zo\u{eb}");
    assert_eq!(
        kind::<String>(&little[..little.len() - 1]),
        ErrorKind::Encoding
    );
}

#[test]
fn bytes_that_are_no_utf8_are_an_encoding_error() {
    assert_eq!(
        kind::<String>(b"<plist><string>\xEB</string></plist>"),
        ErrorKind::Encoding
    );
    let declared =
        b"<?xml version='1.0' encoding='Shift_JIS'?><plist><string>\x83\x65</string></plist>";
    let error = from_slice::<String>(declared).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Encoding);
    assert_eq!(
        error.position(),
        Some(declared.iter().position(|b| *b == 0x83).unwrap())
    );
}

#[test]
fn structure_is_strict() {
    for (xml, at) in [
        (
            "<plist><dict><true/></dict></plist>",
            "a value where a key belongs",
        ),
        (
            "<plist><dict><key>a</key></dict></plist>",
            "a key without value",
        ),
        (
            "<plist><dict><key>a</key><key>b</key></dict></plist>",
            "a key as value",
        ),
        (
            "<plist><array><key>a</key></array></plist>",
            "a key in an array",
        ),
        ("<plist><array></dict></plist>", "crossed tags"),
        ("<plist><dict></array></plist>", "crossed tags"),
        ("<plist><string>a</integer></plist>", "crossed tags"),
        (
            "<plist><string>a<b/></string></plist>",
            "an element in text",
        ),
        (
            "<plist><array>text</array></plist>",
            "text between elements",
        ),
        (
            "<plist><array><![CDATA[x]]></array></plist>",
            "text between elements",
        ),
        ("<plist><unknown/></plist>", "no element of a property list"),
        ("<plist><String>a</String></plist>", "wrong case"),
        ("<plist><strings>a</strings></plist>", "longer name"),
        ("<plist><true>yes</true></plist>", "a boolean with content"),
        ("<plist></plist>", "no value"),
        ("<plist/>", "no value"),
        ("<plist><plist><true/></plist></plist>", "plist in plist"),
        ("<html></html>", "another language"),
        ("<!DOCTYPE html><p>", "another language"),
        (
            "<plist><!DOCTYPE plist><true/></plist>",
            "a late document type",
        ),
        ("< plist><true/></plist>", "white space before the name"),
    ] {
        let kind = kind::<Value>(xml.as_bytes());
        assert!(
            matches!(kind, ErrorKind::Syntax { .. }),
            "{at}: {xml}: {kind:?}"
        );
    }
}

#[test]
fn a_document_cut_short_says_so() {
    for xml in [
        "<plist>",
        "<plist",
        "<",
        "<plist><dict>",
        "<plist><dict><key>a",
        "<plist><dict><key>a</key>",
        "<plist><string>a",
        "<plist><string>a</str",
        "<plist><true/>",
        "<plist><true/></pl",
        "<plist><!-- a",
        "<?xml ",
        "<plist><array><true",
        "<plist><string>&am",
        "<!DOCTYPE plist",
    ] {
        assert_eq!(
            kind::<Value>(xml.as_bytes()),
            ErrorKind::UnexpectedEnd,
            "{xml}"
        );
    }
}

#[test]
fn what_is_no_property_list_is_told_apart_from_a_broken_one() {
    for bytes in [
        &b""[..],
        b"   ",
        b"{\"a\": 1}",
        b"\x30\x80\x06\x09",
        b"-----BEGIN",
        b"\xEF\xBB\xBF",
    ] {
        assert_eq!(detect(bytes), None);
        assert_eq!(kind::<Value>(bytes), ErrorKind::UnknownFormat);
    }
    assert_eq!(detect(b"bplist00"), Some(Format::Binary));
    assert_eq!(kind::<Value>(b"bplist00"), ErrorKind::UnexpectedEnd);
}

#[test]
fn an_error_says_where_by_byte_and_by_key() {
    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    #[allow(dead_code)]
    struct Response {
        query_responses: Vec<Dictionaries>,
    }
    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    #[allow(dead_code)]
    struct Dictionaries {
        size: u32,
    }
    let xml =
        b"<dict><key>QueryResponses</key><array><dict><key>Size</key><integer>1</integer></dict>\
        <dict><key>Size</key><string>secret</string></dict></array></dict>";
    let error = from_slice::<Response>(xml).unwrap_err();
    assert_eq!(error.path().to_string(), "QueryResponses[1].Size");
    let at = xml
        .windows(8)
        .position(|window| window == b"<string>")
        .unwrap();
    assert_eq!(error.position(), Some(at));
    assert_eq!(
        error.to_string(),
        format!("expected u32, found string in `QueryResponses[1].Size` at byte {at}")
    );
    assert!(error.is_data() && !error.is_limit());
    assert_eq!(error.clone(), error);
}

#[test]
fn no_error_quotes_a_value() {
    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    enum Status {
        Idle,
    }
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Strict {}
    let errors: Vec<Error> = vec![
        from_slice::<u8>(b"<string>hunter2</string>").unwrap_err(),
        from_slice::<Status>(b"<string>hunter2</string>").unwrap_err(),
        from_slice::<char>(b"<string>hunter2</string>").unwrap_err(),
        from_slice::<bool>(b"<integer>hunter2</integer>").unwrap_err(),
        from_slice::<Value>(b"<date>hunter2</date>").unwrap_err(),
        from_slice::<Value>(b"<data>hunter2!</data>").unwrap_err(),
        from_slice::<Value>(b"<string>a&hunter2;</string>").unwrap_err(),
        from_slice::<u8>(b"<integer>7777777</integer>").unwrap_err(),
        from_slice::<Value>(b"<hunter2/>").unwrap_err(),
    ];
    for error in errors {
        let shown = format!("{error} {error:?}");
        assert!(
            !shown.contains("hunter2") && !shown.contains("7777777"),
            "{shown}"
        );
    }
    let error = from_slice::<Strict>(b"<dict><key>Other</key><string>hunter2</string></dict>");
    assert_eq!(
        error.unwrap_err().kind(),
        &ErrorKind::UnknownField("Other".into())
    );
}
