//! Base64url without padding (RFC 7515 section 2), read in its one canonical form.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// `None` for padding, white space, the other alphabet, and bits behind the last byte.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Bytes as a member of a JSON object: `#[serde(with = "base64url::bytes")]`.
pub(super) mod bytes {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    pub(in crate::acme) fn serialize<S: Serializer>(
        bytes: &[u8],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::encode(bytes))
    }

    pub(in crate::acme) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        super::decode(&text).ok_or_else(|| D::Error::custom("not base64url without padding"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_text_for_some_bytes() {
        assert_eq!(decode("-_8"), Some(vec![0xfb, 0xff]));
        assert_eq!(encode([0xfb, 0xff]), "-_8");
        for text in ["-_8=", "+/8", "-_9", " -_8", "-_8\n", "-", "é"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
