//! What a profile's bytes are, by content alone.

/// How a profile is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Packing {
    /// An XML property list.
    Xml,
    /// A binary property list.
    Binary,
    /// A CMS message in DER or BER: signed, or encrypted.
    Cms,
    /// A CMS message in PEM.
    Pem,
}

/// Tells how a profile is packed, past a byte-order mark and white space; `None` for anything else.
///
/// ```
/// use mdm_profiles::detect::{Packing, packing};
///
/// assert_eq!(packing(b"\xEF\xBB\xBF\r\n<?xml version='1.0'?><plist/>"), Some(Packing::Xml));
/// assert_eq!(packing(b"bplist00"), Some(Packing::Binary));
/// assert_eq!(packing(b"hello"), None);
/// ```
pub fn packing(bytes: &[u8]) -> Option<Packing> {
    let text = trim(bytes);
    if is_cms(text) {
        return Some(Packing::Cms);
    }
    if text.starts_with(b"bplist0") {
        return Some(Packing::Binary);
    }
    if ["PKCS7", "CMS", "PKCS #7 SIGNED DATA"]
        .iter()
        .any(|label| text.starts_with(format!("-----BEGIN {label}-----").as_bytes()))
    {
        return Some(Packing::Pem);
    }
    let xml = [&b"<?xml"[..], b"<!DOCTYPE", b"<!--", b"<plist", b"<dict"]
        .iter()
        .any(|start| starts_with_ignore_case(text, start));
    // UTF-16 XML begins with its own mark, which `trim` leaves in place.
    let wide = text.starts_with(b"\xFF\xFE<\0") || text.starts_with(b"\xFE\xFF\0<");
    (xml || wide).then_some(Packing::Xml)
}

fn trim(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.trim_ascii_start();
    bytes
        .strip_prefix(b"\xEF\xBB\xBF")
        .unwrap_or(bytes)
        .trim_ascii_start()
}

fn starts_with_ignore_case(text: &[u8], start: &[u8]) -> bool {
    text.get(..start.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(start))
}

/// A SEQUENCE that begins with one of the PKCS #7 object identifiers.
fn is_cms(bytes: &[u8]) -> bool {
    const PKCS7: &[u8] = b"\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x07";
    let Some([0x30, length, rest @ ..]) = bytes.get(..).filter(|b| b.len() > 2) else {
        return false;
    };
    let skip = match length {
        // Indefinite (BER) and the short form have no further length octets.
        0..=0x80 => 0,
        0x81..=0x84 => usize::from(length & 0x7F),
        _ => return false,
    };
    rest.get(skip..).is_some_and(|body| body.starts_with(PKCS7))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OID: &[u8] = b"\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x07\x02";

    fn cms(head: &[u8]) -> Vec<u8> {
        [head, OID].concat()
    }

    #[test]
    fn every_packing_is_told_by_its_content() {
        let cases: [(&[u8], Packing); 12] = [
            (b"<?xml version=\"1.0\"?>", Packing::Xml),
            (b"<plist version=\"1.0\">", Packing::Xml),
            (b"<!DOCTYPE plist>", Packing::Xml),
            (b" \r\n\t<?xml?>", Packing::Xml),
            (b"\n\xEF\xBB\xBF\n<?xml?>", Packing::Xml),
            (b"<!-- made by hand --><plist>", Packing::Xml),
            (b"bplist00\xD0", Packing::Binary),
            (b"-----BEGIN PKCS7-----\nMIA=", Packing::Pem),
            (b"\n-----BEGIN CMS-----\nMIA=", Packing::Pem),
            (&cms(b"\x30\x80"), Packing::Cms),
            (&cms(b"\x30\x82\x0C\x03"), Packing::Cms),
            (&cms(b"\x30\x0B"), Packing::Cms),
        ];
        for (bytes, expected) in cases {
            assert_eq!(packing(bytes), Some(expected), "{:?}", bytes.escape_ascii());
        }
    }

    #[test]
    fn nothing_else_passes_for_a_profile() {
        let cases: [&[u8]; 8] = [
            b"",
            b" ",
            b"{}",
            b"\x30",
            b"\x30\x82\x0C",
            b"\x30\x03\x02\x01\x05",
            b"\x30\x89\x00\x00\x00\x00\x00\x00\x00\x00\x00",
            b"-----BEGIN CERTIFICATE-----",
        ];
        for bytes in cases {
            assert_eq!(packing(bytes), None, "{:?}", bytes.escape_ascii());
        }
    }
}
