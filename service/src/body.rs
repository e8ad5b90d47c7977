//! A document's bytes as they came: kept whole, never printed.

use std::fmt;

use bytes::Bytes;

/// The raw bytes of a message, a command or a result.
///
/// A command may hold a passcode and a result a recovery key, so `Debug` shows the length alone.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Body(Bytes);

impl Body {
    /// The bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// The bytes, without a copy.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

impl<B: Into<Bytes>> From<B> for Body {
    fn from(bytes: B) -> Self {
        Self(bytes.into())
    }
}

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_prints_its_length_and_nothing_of_its_content() {
        let body = Body::from(b"hunter2".to_vec());
        assert_eq!(format!("{body:?}"), "Body(7 bytes)");
        assert_eq!(body.as_ref(), b"hunter2");
    }
}
