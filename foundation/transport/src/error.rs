//! Why no answer came, told so that the kind alone decides what may be done next.

use std::{error, fmt, sync::Arc};

/// What is known of a request that got no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// No connection: name, TCP or TLS failed. The request was never sent.
    Connect,
    /// The peer surely did not process it: a refused stream, or a connection closed before sending.
    Refused,
    /// The deadline passed. The request was perhaps processed.
    Timeout,
    /// The connection broke after sending began. The request was perhaps processed.
    Interrupted,
    /// The peer answered with something that is not HTTP or not the announced encoding.
    Decode,
    /// The answer's body was over [`SendLimits::body`](crate::SendLimits::body) bytes.
    TooLarge,
    /// Anything else, such as a request that cannot be sent at all.
    Other,
}

impl TransportErrorKind {
    /// Whether the peer surely did nothing, so that any request may be sent again.
    pub const fn surely_unprocessed(self) -> bool {
        matches!(self, Self::Connect | Self::Refused)
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Connect => "no connection",
            Self::Refused => "the peer refused the request unprocessed",
            Self::Timeout => "the deadline passed",
            Self::Interrupted => "the connection broke before the answer was complete",
            Self::Decode => "the answer is not valid HTTP",
            Self::TooLarge => "the answer's body is over the limit",
            Self::Other => "the request could not be carried",
        }
    }
}

/// No answer came. The kind decides; the source explains.
///
/// Neither text holds a URL, a header or a body: whoever makes one strips them first.
#[derive(Debug, Clone)]
pub struct TransportError {
    kind: TransportErrorKind,
    source: Option<Arc<dyn error::Error + Send + Sync>>,
}

impl TransportError {
    /// An error of this kind, with nothing more known.
    pub const fn new(kind: TransportErrorKind) -> Self {
        Self { kind, source: None }
    }

    /// An error of this kind and what caused it.
    ///
    /// The source's text must hold no URL, header or body.
    pub fn with_source(
        kind: TransportErrorKind,
        source: impl Into<Box<dyn error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            kind,
            source: Some(Arc::from(source.into())),
        }
    }

    /// What is known of the request's fate.
    pub const fn kind(&self) -> TransportErrorKind {
        self.kind
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.text())
    }
}

impl error::Error for TransportError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn error::Error + 'static))
    }
}

impl From<TransportErrorKind> for TransportError {
    fn from(kind: TransportErrorKind) -> Self {
        Self::new(kind)
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn an_error_tells_its_kind_and_keeps_its_cause() {
        let error = TransportError::with_source(TransportErrorKind::Connect, "name not known");
        assert_eq!(error.to_string(), "no connection");
        assert_eq!(error.source().unwrap().to_string(), "name not known");
        assert!(
            TransportError::new(TransportErrorKind::Other)
                .source()
                .is_none()
        );
    }

    #[test]
    fn only_what_was_never_sent_or_was_refused_is_surely_unprocessed() {
        use TransportErrorKind::*;
        for (kind, expected) in [
            (Connect, true),
            (Refused, true),
            (Timeout, false),
            (Interrupted, false),
            (Decode, false),
            (TooLarge, false),
            (Other, false),
        ] {
            assert_eq!(kind.surely_unprocessed(), expected, "{kind:?}");
        }
    }
}
