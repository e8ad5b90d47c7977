//! The reason inside a GOAWAY frame. Apple sends it as JSON in the debug data, for which `h2` has
//! no accessor: it appears in the error's text alone, as a Rust byte string.

use crate::{outcome::Answer, reason::Reason};

/// The reason, where the text ends in `(b"{\"reason\":...}")`.
pub(crate) fn reason(text: &str) -> Option<Reason> {
    let literal = text.split_once("(b\"")?.1.strip_suffix("\")")?;
    serde_json::from_slice::<Answer>(&unescape(literal)?)
        .ok()?
        .reason
}

/// Undoes the escapes of `bytes::Bytes`'s `Debug`.
fn unescape(literal: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(literal.len());
    let mut rest = literal.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next()? {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'0' => 0,
            b'x' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            other @ (b'\\' | b'"' | b'\'') => other,
            _ => return None,
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn shown(debug_data: &'static [u8]) -> String {
        let data = Bytes::from_static(debug_data);
        format!("connection error received: not a result of an error ({data:?})")
    }

    #[test]
    fn every_byte_comes_back_from_its_escape() {
        let all: Vec<u8> = (0..=255).collect();
        let shown = format!("{:?}", Bytes::from(all.clone()));
        let literal = shown
            .strip_prefix("b\"")
            .unwrap()
            .strip_suffix('"')
            .unwrap();
        assert_eq!(unescape(literal), Some(all));
    }

    #[test]
    fn the_reason_is_found_where_there_is_one() {
        let found = reason(&shown(b"{\"reason\":\"BadCertificate\"}"));
        assert_eq!(found, Some(Reason::BadCertificate));
        let unknown = reason(&shown("{\"reason\":\"\u{e9}\\\"\\u0001\"}".as_bytes())).unwrap();
        assert_eq!(unknown.as_str(), "\u{e9}\"\u{1}");
    }

    #[test]
    fn any_other_text_has_no_reason() {
        for text in [
            "",
            "connection error received: protocol error",
            "x (b\"",
            "x (b\"\")",
            "x (b\"\\\")",
            "x (b\"\\x4\")",
            "x (b\"\\q\")",
            "x (b\"{}\")",
        ] {
            assert_eq!(reason(text), None, "{text}");
        }
        assert_eq!(reason(&shown(b"\xff\x00 going")), None);
    }
}
