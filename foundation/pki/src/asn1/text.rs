//! The string types of ASN.1, all read as text.

use super::Tlv;

pub(crate) const UTF8: u8 = 0x0c;
pub(crate) const PRINTABLE: u8 = 0x13;
pub(crate) const T61: u8 = 0x14;
pub(crate) const IA5: u8 = 0x16;
const NUMERIC: u8 = 0x12;
const VISIBLE: u8 = 0x1a;
const UNIVERSAL: u8 = 0x1c;
const BMP: u8 = 0x1e;

/// The text of a string element; `None` for other types and for what does not decode.
///
/// T61String is read as Latin-1, as every implementation does; UTF-8 is accepted in PrintableString and IA5String,
/// where devices put it.
pub(crate) fn read(element: Tlv<'_>) -> Option<String> {
    let value = element.value();
    match element.tag() {
        UTF8 | PRINTABLE | IA5 | NUMERIC | VISIBLE => {
            std::str::from_utf8(value).ok().map(ToOwned::to_owned)
        }
        T61 => Some(value.iter().map(|byte| char::from(*byte)).collect()),
        BMP => {
            let units = value.chunks_exact(2);
            if !units.remainder().is_empty() {
                return None;
            }
            char::decode_utf16(units.map(|pair| match pair {
                [high, low] => u16::from_be_bytes([*high, *low]),
                _ => 0,
            }))
            .collect::<Result<_, _>>()
            .ok()
        }
        UNIVERSAL => {
            let units = value.chunks_exact(4);
            if !units.remainder().is_empty() {
                return None;
            }
            units
                .map(|four| {
                    let four = <[u8; 4]>::try_from(four).ok()?;
                    char::from_u32(u32::from_be_bytes(four))
                })
                .collect()
        }
        _ => None,
    }
}

/// Whether PrintableString can hold the text (X.680, section 41.4).
pub(crate) fn is_printable(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::{super::tlv, *};

    #[test]
    fn every_string_type_is_read() {
        for (tag, bytes, expected) in [
            (UTF8, "zu\u{e9}".as_bytes(), "zu\u{e9}"),
            (PRINTABLE, b"abc", "abc"),
            (IA5, b"a@b", "a@b"),
            (T61, b"\xe9", "\u{e9}"),
            (BMP, b"\0a\x20\xac", "a\u{20ac}"),
            (UNIVERSAL, b"\0\0\0a", "a"),
        ] {
            assert_eq!(read(Tlv(&tlv(tag, bytes))).as_deref(), Some(expected));
        }
        for (tag, bytes) in [
            (UTF8, &b"\xff"[..]),
            (BMP, b"a"),
            (BMP, b"\xd8\0"),
            (UNIVERSAL, b"abcde"),
            (4, b"a"),
        ] {
            assert_eq!(read(Tlv(&tlv(tag, bytes))), None);
        }
    }
}
