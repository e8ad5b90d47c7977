//! The `apns-id`: a UUID as Apple writes it, in lowercase (RFC 9562).

use std::fmt;

/// An `apns-id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Id(pub(super) u128);

impl Id {
    /// Reads the canonical lowercase form and nothing else.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        if text.len() != 36 {
            return None;
        }
        let mut number = 0_u128;
        for (at, byte) in text.iter().enumerate() {
            let digit = match (at, byte) {
                (8 | 13 | 18 | 23, b'-') => continue,
                (8 | 13 | 18 | 23, _) => return None,
                (_, b'0'..=b'9') => byte - b'0',
                (_, b'a'..=b'f') => byte - b'a' + 10,
                _ => return None,
            };
            number = number << 4 | u128::from(digit);
        }
        Some(Self(number))
    }

    /// A UUID of version 4 from 128 bits that need not be.
    pub(super) fn version_4(bits: u128) -> Self {
        let version = 0xf << 76 | 0xc << 60;
        Self(bits & !version | 0x4 << 76 | 0x8 << 60)
    }

    pub(super) fn text(self) -> [u8; 36] {
        let mut text = [b'-'; 36];
        let mut bits = self.0;
        for at in (0..36).rev().filter(|at| !matches!(at, 8 | 13 | 18 | 23)) {
            let digit = (bits & 0xf) as u8;
            text[at] = if digit < 10 {
                b'0' + digit
            } else {
                b'a' + digit - 10
            };
            bits >>= 4;
        }
        text
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.text()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_canonical_form_is_read_and_written_and_no_other() {
        let text = "eb3a1f3e-10c5-4b6f-9bb0-7c6a2a2f1d4e";
        assert_eq!(Id::read(text.as_bytes()).unwrap().to_string(), text);
        for other in [
            "EB3A1F3E-10C5-4B6F-9BB0-7C6A2A2F1D4E",
            "eb3a1f3e10c54b6f9bb07c6a2a2f1d4e",
            "eb3a1f3e-10c5-4b6f-9bb0-7c6a2a2f1d4",
            "eb3a1f3e-10c5-4b6f-9bb007c6a2a2f1d4e",
        ] {
            assert_eq!(Id::read(other.as_bytes()), None, "{other}");
        }
        let id = Id::version_4(u128::MAX).to_string();
        assert_eq!(id, "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
