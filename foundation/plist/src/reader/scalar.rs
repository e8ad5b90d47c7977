//! The text forms of numbers, dates and data: what is accepted, with surrounding white space.

use std::{borrow::Cow, num::IntErrorKind};

use plist::Integer;

use crate::{ErrorKind, ValueKind};

/// Decimal with a sign, or hexadecimal after `0x`; from `i64::MIN` to `u64::MAX`.
pub(super) fn integer(text: &str) -> Result<Integer, ErrorKind> {
    let text = text.trim_ascii();
    match text.parse::<i64>() {
        Ok(value) => Ok(value.into()),
        Err(error) => match error.kind() {
            IntErrorKind::PosOverflow => text
                .parse::<u64>()
                .map(Integer::from)
                .map_err(|_| ErrorKind::IntegerRange),
            IntErrorKind::NegOverflow => Err(ErrorKind::IntegerRange),
            _ => hexadecimal(text),
        },
    }
}

fn hexadecimal(text: &str) -> Result<Integer, ErrorKind> {
    let malformed = ErrorKind::Malformed(ValueKind::Integer);
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let Some(digits) = digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"))
    else {
        return Err(malformed);
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(malformed);
    }
    let value = u64::from_str_radix(digits, 16).map_err(|_| ErrorKind::IntegerRange)?;
    if negative {
        0i64.checked_sub_unsigned(value)
            .map(Integer::from)
            .ok_or(ErrorKind::IntegerRange)
    } else {
        Ok(value.into())
    }
}

/// Decimal with or without exponent, `nan`, `inf` and `infinity` in any case, with a sign.
pub(super) fn real(text: &str) -> Result<f64, ErrorKind> {
    text.trim_ascii()
        .parse()
        .map_err(|_| ErrorKind::Malformed(ValueKind::Real))
}

/// RFC 3339, of which `YYYY-MM-DDThh:mm:ssZ` is all that Apple writes.
pub(super) fn date(text: Cow<'_, str>) -> Result<Cow<'_, str>, ErrorKind> {
    let text = match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim_ascii()),
        Cow::Owned(text) => Cow::Owned(text.trim_ascii().to_owned()),
    };
    if is_plain_date(text.as_bytes()) {
        return Ok(text);
    }
    // Written anew in UTC: the `plist` crate panics where an offset leads out of the year 9999.
    crate::date::parse(&text)
        .map(|time| Cow::Owned(crate::date::text(time)))
        .ok_or(ErrorKind::Malformed(ValueKind::Date))
}

/// The usual form, with a day that every month has: no calendar is needed to know it valid.
fn is_plain_date(text: &[u8]) -> bool {
    let two = |at: usize| match (text[at], text[at + 1]) {
        (a @ b'0'..=b'9', b @ b'0'..=b'9') => (a - b'0') * 10 + (b - b'0'),
        _ => u8::MAX,
    };
    text.len() == 20
        && text[4] == b'-'
        && text[7] == b'-'
        && text[10] == b'T'
        && text[13] == b':'
        && text[16] == b':'
        && text[19] == b'Z'
        && two(0) <= 99
        && two(2) <= 99
        && (1..=12).contains(&two(5))
        && (1..=28).contains(&two(8))
        && two(11) <= 23
        && two(14) <= 59
        && two(17) <= 59
}

/// Base64 of the standard alphabet, wrapped or not, padded or not.
pub(super) fn data(text: &str) -> Result<Vec<u8>, ErrorKind> {
    let malformed = ErrorKind::Malformed(ValueKind::Data);
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let mut bytes = text.as_bytes();
    // Digits collected so far, and how many.
    let (mut word, mut digits) = (0u32, 0u32);
    loop {
        if digits == 0 {
            bytes = whole_groups(bytes, &mut out);
        }
        let Some((&byte, rest)) = bytes.split_first() else {
            break;
        };
        bytes = rest;
        match DIGITS[usize::from(byte)] {
            digit @ 0..64 => {
                word = word << 6 | u32::from(digit);
                digits += 1;
            }
            SPACE => {}
            // Also after a whole group, which needs none: macOS 10.11 wrote one too many.
            _ if byte == b'=' && (digits >= 2 || (digits == 0 && !out.is_empty())) => {
                // Nothing but padding and white space may follow.
                if bytes.iter().any(|b| *b != b'=' && !b.is_ascii_whitespace()) {
                    return Err(malformed);
                }
                break;
            }
            _ => return Err(malformed),
        }
        if digits == 4 {
            out.extend_from_slice(&word.to_be_bytes()[1..]);
            (word, digits) = (0, 0);
        }
    }
    match digits {
        0 => {}
        2 => out.push((word >> 4) as u8),
        3 => out.extend_from_slice(&((word >> 2) as u16).to_be_bytes()),
        _ => return Err(malformed),
    }
    Ok(out)
}

/// Decodes groups of four digits for as long as nothing else comes; returns what is left.
fn whole_groups<'a>(bytes: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let (groups, tail) = bytes.as_chunks::<4>();
    for (done, group) in groups.iter().enumerate() {
        let [a, b, c, d] = group.map(|byte| u32::from(DIGITS[usize::from(byte)]));
        if (a | b | c | d) >= 64 {
            return &bytes[done * 4..];
        }
        let word = a << 18 | b << 12 | c << 6 | d;
        out.extend_from_slice(&word.to_be_bytes()[1..]);
    }
    tail
}

const SPACE: u8 = 64;
const OTHER: u8 = 128;

/// The value of each base64 digit.
static DIGITS: [u8; 256] = {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut table = [OTHER; 256];
    let mut value = 0;
    while value < 64 {
        table[alphabet[value] as usize] = value as u8;
        value += 1;
    }
    table[b' ' as usize] = SPACE;
    table[b'\t' as usize] = SPACE;
    table[b'\n' as usize] = SPACE;
    table[b'\r' as usize] = SPACE;
    table[0x0c] = SPACE;
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_span_both_64_bit_ranges_in_decimal_and_hexadecimal() {
        for (text, value) in [
            ("-9223372036854775808", i128::from(i64::MIN)),
            ("18446744073709551615", i128::from(u64::MAX)),
            (" \n+7\t", 7),
            ("007", 7),
            ("0xFf", 255),
            ("-0x10", -16),
        ] {
            assert_eq!(
                integer(text).unwrap().to_string(),
                value.to_string(),
                "{text}"
            );
        }
        for text in [
            "18446744073709551616",
            "-9223372036854775809",
            "0x10000000000000000",
        ] {
            assert_eq!(integer(text), Err(ErrorKind::IntegerRange), "{text}");
        }
        for text in ["", "-", "1.0", "1 2", "0x", "0x-1", "0x+1", "x"] {
            assert_eq!(
                integer(text),
                Err(ErrorKind::Malformed(ValueKind::Integer)),
                "{text}"
            );
        }
    }

    #[test]
    fn base64_is_read_padded_unpadded_and_wrapped() {
        for text in [
            "aGVsbG8=",
            "aGVsbG8",
            "aGV\n\t\tsbG8=\n",
            "aGVsbG8= =",
            "\r\na G V s b G 8",
        ] {
            assert_eq!(data(text).unwrap(), b"hello", "{text:?}");
        }
        assert_eq!(data("").unwrap(), b"");
        assert_eq!(data(" \n ").unwrap(), b"");
        assert_eq!(data("AA").unwrap(), [0]);
        assert_eq!(data("////").unwrap(), [255; 3]);
    }

    #[test]
    fn base64_with_more_padding_than_it_needs_is_read() {
        for text in ["AAAA=", "AAAA==", "AAAA = =\n", "AAAA===="] {
            assert_eq!(data(text).unwrap(), [0; 3], "{text:?}");
        }
        assert_eq!(data("YWI==").unwrap(), b"ab");
    }

    #[test]
    fn base64_that_is_none_is_refused() {
        for text in [
            "a",
            "aGVsb",
            "=",
            "a=",
            "aG=V",
            "aGVs_G8=",
            "aGVsbG8=x",
            "AAAA=A",
            "\u{e4}AAA",
        ] {
            assert_eq!(
                data(text),
                Err(ErrorKind::Malformed(ValueKind::Data)),
                "{text:?}"
            );
        }
    }

    #[test]
    fn dates_are_checked_against_the_calendar() {
        for text in [
            "2024-02-29T23:59:59Z",
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
            "2024-01-01T00:00:00.5Z",
            "2024-01-01T02:00:00+02:00",
        ] {
            assert!(date(text.into()).is_ok(), "{text}");
        }
        for text in [
            "",
            "2024-02-30T00:00:00Z",
            "2024-13-01T00:00:00Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01",
            "2024-01-01T00:00:00",
            "yesterday",
            "9999-12-31T23:59:59-01:00",
            "0000-01-01T00:00:00+01:00",
        ] {
            assert_eq!(
                date(text.into()),
                Err(ErrorKind::Malformed(ValueKind::Date)),
                "{text}"
            );
        }
    }
}
