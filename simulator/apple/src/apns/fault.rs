//! What the fake does wrong when told to.

use std::time::Duration;

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
    /// Headers without end, as long as the client reads them: CONTINUATION after CONTINUATION. The
    /// connection says nothing else any more.
    EndlessHeaders,
    /// The right answer, this much later than others.
    Late {
        /// How much later.
        by: Duration,
    },
    /// No answer, ever.
    Stall,
    /// This status, and then a body that never comes.
    StallBody {
        /// The HTTP status.
        status: u16,
    },
    /// This status, and a body of this many bytes; the first say that they are JSON.
    HugeBody {
        /// The HTTP status.
        status: u16,
        /// How many bytes; they are sent as the client's windows let them.
        bytes: usize,
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
    /// GOAWAY that says more than [`GoAway`](Self::GoAway) and [`AbruptGoAway`](Self::AbruptGoAway).
    Goodbye(Goodbye),
    /// GOAWAY that disowns this push, and after it PING, SETTINGS, WINDOW_UPDATE and the answer to
    /// this push all the same; then the end.
    FramesAfterGoAway,
    /// The connection closes without a word; open pushes are lost.
    Close,
}

/// How a connection is ended with GOAWAY (RFC 9113 §6.8).
///
/// *Graceful*: streams up to the last one named are answered, later ones are not looked at, and then
/// the connection closes. *Abrupt*: the connection closes behind the GOAWAY; of the pushes that
/// wait for their answer every other one is taken all the same, and nobody learns which.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Goodbye {
    /// Whether open pushes are answered first.
    pub graceful: bool,
    /// The HTTP/2 error code (RFC 9113 §7); 0 is none.
    pub code: u32,
    /// The debug data; empty for none.
    pub data: Bytes,
}

impl Goodbye {
    /// An orderly goodbye without an error code.
    pub fn graceful() -> Self {
        Self {
            graceful: true,
            code: 0,
            data: Bytes::new(),
        }
    }

    /// The end at once, with this HTTP/2 error code.
    pub fn abrupt(code: u32) -> Self {
        Self {
            graceful: false,
            code,
            data: Bytes::new(),
        }
    }

    /// Says why as Apple does, in debug data: `{"reason": ...}`.
    pub fn reason(self, reason: &str) -> Self {
        self.data(serde_json::json!({ "reason": reason }).to_string())
    }

    /// Sends this debug data.
    pub fn data(mut self, data: impl Into<Bytes>) -> Self {
        self.data = data.into();
        self
    }
}

/// What Apple does with a client whose pushes it rejects: fewer streams, and then GOAWAY.
///
/// Every answer of 4xx counts but 410; a `BadDeviceToken` counts twice, as it ends a connection
/// sooner (Apple, "Sending notification requests to APNs"). Apple publishes no numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Throttling {
    /// How many streams a connection may have open from its first rejection on.
    pub max_streams: u32,
    /// At how many counted rejections the connection ends, with a graceful GOAWAY.
    pub go_away_at: u32,
}

impl Default for Throttling {
    /// One stream, as was seen at Apple's servers; the end at ten.
    fn default() -> Self {
        Self {
            max_streams: 1,
            go_away_at: 10,
        }
    }
}

impl Throttling {
    /// Changes some of the settings.
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
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

impl From<Goodbye> for Fault {
    fn from(goodbye: Goodbye) -> Self {
        Self::Goodbye(goodbye)
    }
}
