//! A transport that answers from a script, for tests that need no server.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;

use crate::{HttpTransport, SendLimits, TransportError, TransportErrorKind};

/// Answers from a script, one line a request, and remembers what was asked.
///
/// Honours [`SendLimits`]: an answer over the body bound or after the deadline is the error that a
/// real transport would give, without waiting for it. A request beyond the script is
/// [`TransportErrorKind::Other`].
///
/// ```
/// use mdm_transport::MemoryTransport;
///
/// let transport = MemoryTransport::new()
///     .status(503)
///     .answer(http::Response::new("{}".into()));
/// assert!(transport.requests().is_empty());
/// ```
#[derive(Default)]
pub struct MemoryTransport {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    script: VecDeque<Line>,
    requests: Vec<http::Request<Bytes>>,
}

struct Line {
    delay: Duration,
    result: Result<http::Response<Bytes>, TransportError>,
}

impl MemoryTransport {
    /// A transport with an empty script.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next request gets this answer.
    #[must_use]
    pub fn answer(self, response: http::Response<Bytes>) -> Self {
        self.answer_after(Duration::ZERO, response)
    }

    /// The next request gets an empty answer with this status; a number that is none is a
    /// [`TransportErrorKind::Decode`].
    #[must_use]
    pub fn status(self, status: u16) -> Self {
        match http::StatusCode::from_u16(status) {
            Ok(status) => {
                let mut response = http::Response::new(Bytes::new());
                *response.status_mut() = status;
                self.answer(response)
            }
            Err(_) => self.fail(TransportErrorKind::Decode),
        }
    }

    /// The next request gets this answer as if it had taken `delay`.
    #[must_use]
    pub fn answer_after(self, delay: Duration, response: http::Response<Bytes>) -> Self {
        self.line(delay, Ok(response))
    }

    /// The next request fails so.
    #[must_use]
    pub fn fail(self, error: impl Into<TransportError>) -> Self {
        self.line(Duration::ZERO, Err(error.into()))
    }

    /// The requests so far, in order.
    pub fn requests(&self) -> Vec<http::Request<Bytes>> {
        self.lock().requests.clone()
    }

    /// How many lines of the script are left.
    pub fn remaining(&self) -> usize {
        self.lock().script.len()
    }

    fn line(self, delay: Duration, result: Result<http::Response<Bytes>, TransportError>) -> Self {
        self.lock().script.push_back(Line { delay, result });
        self
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts only: requests hold secrets.
impl fmt::Debug for MemoryTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("MemoryTransport")
            .field("requests", &state.requests.len())
            .field("remaining", &state.script.len())
            .finish()
    }
}

#[async_trait]
impl HttpTransport for MemoryTransport {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let limits = SendLimits::of(&request);
        let mut state = self.lock();
        state.requests.push(request);
        let Some(line) = state.script.pop_front() else {
            return Err(TransportError::with_source(
                TransportErrorKind::Other,
                "the script has no answer left",
            ));
        };
        if line.delay > limits.deadline {
            return Err(TransportErrorKind::Timeout.into());
        }
        let response = line.result?;
        if response.body().len() > limits.body {
            return Err(TransportErrorKind::TooLarge.into());
        }
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited(body: usize, deadline: Duration) -> http::Request<Bytes> {
        let mut request = http::Request::new(Bytes::new());
        request
            .extensions_mut()
            .insert(SendLimits::new(body, deadline));
        request
    }

    #[tokio::test]
    async fn the_script_is_answered_in_order_and_then_runs_out() {
        let transport = MemoryTransport::new()
            .status(503)
            .fail(TransportErrorKind::Interrupted)
            .answer(http::Response::new(Bytes::from_static(b"ok")));
        let ask = || transport.send(http::Request::new(Bytes::from_static(b"q")));
        assert_eq!(ask().await.unwrap().status(), 503);
        assert_eq!(
            ask().await.unwrap_err().kind(),
            TransportErrorKind::Interrupted
        );
        assert_eq!(ask().await.unwrap().body(), "ok");
        assert_eq!(ask().await.unwrap_err().kind(), TransportErrorKind::Other);
        assert_eq!(transport.requests().len(), 4);
        assert_eq!(transport.remaining(), 0);
    }

    #[tokio::test]
    async fn limits_are_honoured_as_a_real_transport_would() {
        let body = || http::Response::new(Bytes::from_static(b"12345"));
        let second = Duration::from_secs(1);
        let transport = MemoryTransport::new()
            .answer(body())
            .answer(body())
            .answer_after(second, body())
            .answer_after(second * 2, body());
        assert!(transport.send(limited(5, second)).await.is_ok());
        let error = transport.send(limited(4, second)).await.unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::TooLarge);
        assert!(transport.send(limited(5, second)).await.is_ok());
        let error = transport.send(limited(5, second)).await.unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::Timeout);
    }

    #[test]
    fn debug_output_counts_and_shows_no_request() {
        let transport = MemoryTransport::new().status(200);
        assert_eq!(
            format!("{transport:?}"),
            "MemoryTransport { requests: 0, remaining: 1 }"
        );
    }
}
