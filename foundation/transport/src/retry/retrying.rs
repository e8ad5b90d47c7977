//! A transport around another that sends again where the policy says so.

use std::{
    fmt,
    hash::{BuildHasher, Hasher, RandomState},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use mdm_core::Clock;

use super::{Attempt, Outcome, RetryPolicy, retry_after};
use crate::{HttpTransport, RequestMeta, TransportError};

/// Sends through another transport and again where the [`RetryPolicy`] says so.
///
/// Acts on requests that carry their [`RequestMeta`] in the extensions; any other passes through
/// once, since nobody said that it may be sent twice. Each attempt has the whole deadline of the
/// request's [`SendLimits`](crate::SendLimits).
pub struct Retrying<T, C> {
    inner: T,
    policy: RetryPolicy,
    clock: C,
    random: Arc<dyn Fn() -> f64 + Send + Sync>,
}

impl<T: HttpTransport, C: Clock> Retrying<T, C> {
    /// Wraps `inner`; time and waiting are the clock's.
    pub fn new(inner: T, policy: RetryPolicy, clock: C) -> Self {
        Self {
            inner,
            policy,
            clock,
            random: Arc::new(random),
        }
    }

    /// Takes the jitter's chance, a number from 0 up to 1, from here.
    #[must_use]
    pub fn with_random(mut self, random: impl Fn() -> f64 + Send + Sync + 'static) -> Self {
        self.random = Arc::new(random);
        self
    }
}

impl<T: fmt::Debug, C: fmt::Debug> fmt::Debug for Retrying<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retrying")
            .field("inner", &self.inner)
            .field("policy", &self.policy)
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl<T: HttpTransport, C: Clock> HttpTransport for Retrying<T, C> {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let Some(&RequestMeta { replay, .. }) = request.extensions().get() else {
            return self.inner.send(request).await;
        };
        let start = self.clock.now();
        let mut number: u32 = 0;
        loop {
            number = number.saturating_add(1);
            let result = self.inner.send(request.clone()).await;
            let now = self.clock.now();
            let outcome = match &result {
                Ok(response) => Outcome::Answered {
                    status: response.status(),
                    retry_after: retry_after(response.headers(), now),
                },
                Err(error) => Outcome::Failed(error.kind()),
            };
            let elapsed = (now - start).to_std().unwrap_or(Duration::ZERO);
            let attempt = Attempt::new(number, elapsed, replay, (self.random)());
            match self.policy.next(&attempt, &outcome) {
                Some(wait) => self.clock.sleep(wait).await,
                None => return result,
            }
        }
    }
}

/// Chance good enough for jitter, from the standard library's hash keys.
fn random() -> f64 {
    let bits = RandomState::new().build_hasher().finish() >> 11;
    bits as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use mdm_core::ManualClock;

    use super::*;
    use crate::{MemoryTransport, Replay, TransportErrorKind};

    fn request(replay: Replay) -> http::Request<Bytes> {
        let mut request = http::Request::new(Bytes::from_static(b"q"));
        RequestMeta::new("test", replay, 100)
            .attach(request.extensions_mut(), Duration::from_secs(1));
        request
    }

    fn wrap(
        script: &MemoryTransport,
        clock: Arc<ManualClock>,
    ) -> Retrying<&MemoryTransport, Arc<ManualClock>> {
        Retrying::new(script, RetryPolicy::default(), clock).with_random(|| 0.0)
    }

    fn clock() -> Arc<ManualClock> {
        Arc::new(ManualClock::new(DateTime::<Utc>::UNIX_EPOCH))
    }

    #[tokio::test]
    async fn a_busy_service_is_asked_again_after_the_time_it_names() {
        let busy = http::Response::builder()
            .status(503)
            .header("retry-after", "Thu, 01 Jan 1970 00:00:20 GMT")
            .body(Bytes::new())
            .unwrap();
        let script = MemoryTransport::new().answer(busy).status(200);
        let clock = clock();
        let response = wrap(&script, clock.clone())
            .send(request(Replay::Safe))
            .await;
        assert_eq!(response.unwrap().status(), 200);
        assert_eq!(clock.now() - DateTime::UNIX_EPOCH, TimeDelta::seconds(20));
        assert_eq!(script.requests()[1].body(), "q");
    }

    #[tokio::test]
    async fn back_off_grows_between_attempts_and_the_last_error_is_returned() {
        let mut script = MemoryTransport::new();
        for _ in 0..5 {
            script = script.fail(TransportErrorKind::Connect);
        }
        let clock = clock();
        let error = wrap(&script, clock.clone())
            .send(request(Replay::Never))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::Connect);
        assert_eq!(script.requests().len(), 4);
        // 250 + 500 + 1000 ms: halves of 0.5, 1 and 2 seconds.
        assert_eq!(
            clock.now() - DateTime::UNIX_EPOCH,
            TimeDelta::milliseconds(1750)
        );
    }

    #[tokio::test]
    async fn what_was_perhaps_processed_is_sent_once_unless_twice_does_no_harm() {
        for (replay, sent) in [
            (Replay::Never, 1),
            (Replay::Idempotent, 2),
            (Replay::Safe, 2),
        ] {
            let script = MemoryTransport::new()
                .fail(TransportErrorKind::Interrupted)
                .status(200);
            let _ = wrap(&script, clock()).send(request(replay)).await;
            assert_eq!(script.requests().len(), sent, "{replay:?}");
        }
    }

    #[tokio::test]
    async fn a_request_that_does_not_say_its_class_passes_through_once() {
        let script = MemoryTransport::new()
            .fail(TransportErrorKind::Connect)
            .status(200);
        let bare = http::Request::new(Bytes::new());
        assert!(wrap(&script, clock()).send(bare).await.is_err());
        assert_eq!(script.requests().len(), 1);
    }

    #[test]
    fn chance_lies_between_zero_and_one_and_varies() {
        let numbers: Vec<f64> = (0..100).map(|_| random()).collect();
        assert!(numbers.iter().all(|number| (0.0..1.0).contains(number)));
        assert!(
            numbers
                .iter()
                .any(|number| (number - numbers[0]).abs() > 0.01)
        );
    }
}
