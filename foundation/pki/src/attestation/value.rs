//! The values of Apple's extensions, which stand there in more than one form: bare text, or text or a number in DER.

use crate::asn1::{RawInteger, Tlv, elements};

/// The longest text taken, in bytes. Apple's own stay below 50.
const MAX_TEXT_BYTES: usize = 128;

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
/// UTF8String, PrintableString, IA5String, VisibleString.
const STRINGS: [u8; 4] = [0x0c, 0x13, 0x16, 0x1a];

/// The text: bare, or in a DER string. `None` for what is blank or no plain ASCII, so that nothing blank is equal to
/// anything.
pub(super) fn text(value: &[u8]) -> Option<&str> {
    let value = opened(value, &[OCTET_STRING]).unwrap_or(value);
    // The tags are control characters: no bare text begins with one.
    let value = opened(value, &STRINGS).unwrap_or(value);
    let text = std::str::from_utf8(value).ok()?;
    let plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let fits = !text.is_empty() && text.len() <= MAX_TEXT_BYTES;
    (plain && fits && text.trim() == text).then_some(text)
}

/// The number: a DER INTEGER, one bare byte, or decimal digits. `None` for anything else.
pub(super) fn number(value: &[u8]) -> Option<i64> {
    let value = opened(value, &[OCTET_STRING]).unwrap_or(value);
    if let Some(bytes) = opened(value, &[INTEGER]) {
        let fits = RawInteger(bytes).is_minimal() && bytes.len() <= 8;
        let sign = if bytes.first()? & 0x80 == 0 { 0 } else { -1 };
        let number = bytes
            .iter()
            .fold(sign, |number: i64, byte| number << 8 | i64::from(*byte));
        return fits.then_some(number);
    }
    match value {
        [byte @ 0..0x20] => Some(i64::from(*byte)),
        _ => text(value)?.parse().ok(),
    }
}

/// What is inside the one element of one of these tags that fills `value`.
fn opened<'a>(value: &'a [u8], tags: &[u8]) -> Option<&'a [u8]> {
    let mut all = elements(value);
    let element: Tlv<'a> = all.next()?.ok()?;
    let alone = all.next().is_none();
    (alone && tags.contains(&element.tag())).then(|| element.value())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_in_every_form_and_never_blank() {
        for form in [
            &b"J413AP"[..],
            b"\x0c\x06J413AP",
            b"\x13\x06J413AP",
            b"\x16\x06J413AP",
            b"\x1a\x06J413AP",
            b"\x04\x06J413AP",
            b"\x04\x08\x0c\x06J413AP",
        ] {
            assert_eq!(text(form), Some("J413AP"), "{form:02x?}");
        }
        for blank in [
            &b""[..],
            b" ",
            b"\t",
            b"\0",
            b"\x0c\x00",
            b"\x0c\x01 ",
            b"\x04\x00",
            b" J413AP",
            b"J413AP\0",
            b"J413AP\n",
            b"\xc3\xa4",
            b"\xff",
            b"\x02\x01\x00",
            b"\x0c\x05J413AP",
            b"\x0c\x07J413AP",
            &[b'A'; MAX_TEXT_BYTES + 1],
        ] {
            assert_eq!(text(blank), None, "{blank:02x?}");
        }
    }

    #[test]
    fn numbers_are_read_in_every_form() {
        for (form, expected) in [
            (&b"\x02\x01\x00"[..], Some(0)),
            (b"\x02\x01\x01", Some(1)),
            (b"\x02\x01\xff", Some(-1)),
            (b"\x02\x02\x00\x80", Some(128)),
            (b"\x02\x08\x7f\xff\xff\xff\xff\xff\xff\xff", Some(i64::MAX)),
            (b"\x02\x08\x80\x00\x00\x00\x00\x00\x00\x00", Some(i64::MIN)),
            (b"\x04\x03\x02\x01\x01", Some(1)),
            (b"\x00", Some(0)),
            (b"\x01", Some(1)),
            (b"0", Some(0)),
            (b"\x0c\x011", Some(1)),
            (b"", None),
            (b"\x02\x00", None),
            (b"\x02\x02\x00\x01", None),
            (b"\x02\x09\x01\x00\x00\x00\x00\x00\x00\x00\x00", None),
            (b"\x02\x01\x00\x00", None),
            (b"\x01\x01\xff", None),
            (b"\x05\x00", None),
            (b"true", None),
            (b" ", None),
        ] {
            assert_eq!(number(form), expected, "{form:02x?}");
        }
    }
}
