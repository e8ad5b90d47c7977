//! Documents made for the tests.

use std::fmt::Write as _;

/// Puts the content into a full XML property list.
pub(crate) fn plist(content: &str) -> Vec<u8> {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
         \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
         <plist version=\"1.0\">\n{content}\n</plist>\n"
    )
    .into_bytes()
}

/// `depth` arrays, each within the one before.
pub(crate) fn nested_xml(depth: usize) -> Vec<u8> {
    let mut xml = String::with_capacity(depth * 15);
    for _ in 0..depth {
        xml.push_str("<array>");
    }
    for _ in 0..depth {
        xml.push_str("</array>");
    }
    xml.into_bytes()
}

/// `depth` arrays in binary form, the outermost last so that the root is not the first object.
pub(crate) fn nested_binary(depth: usize) -> Vec<u8> {
    let mut objects = vec![vec![0xA0]];
    for inner in 0..depth - 1 {
        objects.push([&[0xA1], &reference(inner)[..]].concat());
    }
    binary(&objects, depth - 1)
}

/// A binary property list of these objects; references are 4 bytes.
pub(crate) fn binary(objects: &[Vec<u8>], root: usize) -> Vec<u8> {
    let mut bytes = b"bplist00".to_vec();
    let mut offsets = Vec::with_capacity(objects.len());
    for object in objects {
        offsets.push(bytes.len() as u64);
        bytes.extend_from_slice(object);
    }
    let table = bytes.len() as u64;
    for offset in offsets {
        bytes.extend_from_slice(&offset.to_be_bytes());
    }
    bytes.extend_from_slice(&[0, 0, 0, 0, 0, 0, 8, 4]);
    for field in [objects.len() as u64, root as u64, table] {
        bytes.extend_from_slice(&field.to_be_bytes());
    }
    bytes
}

pub(crate) fn reference(object: usize) -> [u8; 4] {
    u32::try_from(object).unwrap().to_be_bytes()
}

/// An array of references.
pub(crate) fn array(items: &[usize]) -> Vec<u8> {
    let mut object = header(0xA0, items.len());
    for item in items {
        object.extend_from_slice(&reference(*item));
    }
    object
}

/// A dictionary of references.
pub(crate) fn dictionary(entries: &[(usize, usize)]) -> Vec<u8> {
    let mut object = header(0xD0, entries.len());
    for (key, _) in entries {
        object.extend_from_slice(&reference(*key));
    }
    for (_, value) in entries {
        object.extend_from_slice(&reference(*value));
    }
    object
}

pub(crate) fn ascii(text: &str) -> Vec<u8> {
    let mut object = header(0x50, text.len());
    object.extend_from_slice(text.as_bytes());
    object
}

pub(crate) fn header(kind: u8, len: usize) -> Vec<u8> {
    match u8::try_from(len) {
        Ok(len @ 0..15) => vec![kind | len],
        _ => {
            let len = u32::try_from(len).unwrap();
            [&[kind | 0xF, 0x12], &len.to_be_bytes()[..]].concat()
        }
    }
}

/// A small response with every type in it, in XML.
pub(crate) fn sample_xml() -> Vec<u8> {
    let mut content = String::from("<dict>");
    for (key, value) in [
        ("UDID", "<string>00008101-001938611EE9001E</string>"),
        (
            "Name",
            "<string>Ada&apos;s &#x1F4BB; &amp; <![CDATA[<Mac>]]></string>",
        ),
        ("Count", "<integer>-42</integer>"),
        ("Level", "<real>0.75</real>"),
        ("Supervised", "<true/>"),
        ("Token", "<data>\n\taGVs\n\tbG8=\n\t</data>"),
        ("Seen", "<date>2026-11-05T09:00:00Z</date>"),
        ("Empty", "<dict/>"),
        ("List", "<array><string/><!-- two --><false/></array>"),
    ] {
        write!(content, "<key>{key}</key>{value}").unwrap();
    }
    plist(&(content + "</dict>"))
}
