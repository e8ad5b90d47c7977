//! What the fake does wrong when told to.

use bytes::Bytes;

/// What becomes of one push in place of its right answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// This status with `{"reason": ...}`.
    Reject {
        /// The HTTP status.
        status: u16,
        /// The reason, documented or not.
        reason: String,
    },
    /// This status with any body.
    Raw {
        /// The HTTP status.
        status: u16,
        /// The body; may be empty.
        body: Bytes,
    },
    /// Headers of this many bytes.
    LongHeaders {
        /// How many bytes the answer's one long header value has.
        bytes: usize,
    },
    /// No answer, ever.
    Stall,
    /// This status, and then a body that never comes.
    StallBody {
        /// The HTTP status.
        status: u16,
    },
    /// RST_STREAM with this error code.
    Reset {
        /// The HTTP/2 error code (RFC 9113 §7).
        code: u32,
    },
    /// An orderly goodbye: GOAWAY, this and the other open pushes are answered, then the end.
    GoAway,
    /// GOAWAY with this error code and the end at once; open pushes are lost.
    AbruptGoAway {
        /// The HTTP/2 error code (RFC 9113 §7).
        code: u32,
    },
    /// The connection closes without a word; open pushes are lost.
    Close,
}

impl Fault {
    /// [`Fault::Reject`] with this status and reason.
    pub fn reject(status: u16, reason: impl Into<String>) -> Self {
        Self::Reject {
            status,
            reason: reason.into(),
        }
    }

    /// [`Fault::Raw`] with this status and body.
    pub fn raw(status: u16, body: impl Into<Bytes>) -> Self {
        Self::Raw {
            status,
            body: body.into(),
        }
    }
}
