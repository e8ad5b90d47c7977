//! The bounds of one exchange: how much is read and how long it may take.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::{TransportError, TransportErrorKind};

/// The bounds of one exchange, carried in `request.extensions()`.
///
/// A request without them is held to the defaults: 16 MiB and 60 seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SendLimits {
    /// The most bytes of the answer's body that are read, after any content encoding is undone.
    pub body: usize,
    /// The longest time from the start of sending to the last byte of the answer.
    pub deadline: Duration,
}

impl SendLimits {
    /// Bounds of `body` bytes and `deadline`.
    pub const fn new(body: usize, deadline: Duration) -> Self {
        Self { body, deadline }
    }

    /// The bounds that the request carries, or the defaults.
    pub fn of<B>(request: &http::Request<B>) -> Self {
        request.extensions().get().copied().unwrap_or_default()
    }
}

impl Default for SendLimits {
    fn default() -> Self {
        Self::new(16 * 1024 * 1024, Duration::from_secs(60))
    }
}

/// Collects an answer's body chunk by chunk and stops at the bound, whatever length was announced.
#[derive(Debug)]
pub struct BoundedBody {
    bytes: BytesMut,
    limit: usize,
}

impl BoundedBody {
    /// An empty body that takes at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            bytes: BytesMut::new(),
            limit,
        }
    }

    /// Makes room for as many bytes as the peer announced, up to 1 MiB and the bound.
    #[must_use]
    pub fn expecting(mut self, announced: usize) -> Self {
        let most = self.limit.min(1024 * 1024);
        self.bytes.reserve(announced.min(most));
        self
    }

    /// Takes the next chunk.
    ///
    /// # Errors
    /// [`TransportErrorKind::TooLarge`] if the body would pass the bound.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), TransportError> {
        if chunk.len() > self.limit - self.bytes.len() {
            return Err(TransportErrorKind::TooLarge.into());
        }
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }

    /// The whole body.
    pub fn finish(self) -> Bytes {
        self.bytes.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_read_up_to_its_bound_and_not_a_byte_further() {
        let mut body = BoundedBody::new(5);
        body.push(b"abc").unwrap();
        body.push(b"de").unwrap();
        body.push(b"").unwrap();
        let error = body.push(b"f").unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::TooLarge);
        assert_eq!(body.finish(), "abcde");
    }

    #[test]
    fn what_is_announced_is_a_hint_and_no_more() {
        let mut body = BoundedBody::new(5).expecting(usize::MAX);
        body.push(b"abc").unwrap();
        assert!(body.push(b"def").is_err());
        assert_eq!(body.finish(), "abc");
    }

    #[test]
    fn limits_travel_in_the_extensions_and_default_without() {
        let mut request = http::Request::new(());
        assert_eq!(SendLimits::of(&request), SendLimits::default());
        let limits = SendLimits::new(7, Duration::from_millis(3));
        request.extensions_mut().insert(limits);
        assert_eq!(SendLimits::of(&request), limits);
    }
}
