//! Bodies of requests on their way in: bounded one by one, and together by a budget that only large ones draw on, so that
//! whoever sends many of those keeps nobody from a short word.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use axum::{body::Body, response::IntoResponse};
use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::BodyExt;

/// Bytes of each body that are free: more than most messages have.
const FREE: usize = 64 << 10;

/// After how many seconds one who was sent away comes again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("30");

/// The bytes that all bodies beyond their free part may have together.
#[derive(Debug, Clone)]
pub(crate) struct Bodies {
    left: Arc<AtomicUsize>,
}

/// What a body has drawn, until it is dropped.
#[derive(Debug)]
pub(crate) struct Drawn {
    left: Arc<AtomicUsize>,
    bytes: usize,
}

/// Why a body is not read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It is larger than it may be.
    TooLarge,
    /// Others are being read, and there is no room for it now.
    Busy,
    /// The connection broke.
    Broken,
}

impl IntoResponse for Unread {
    fn into_response(self) -> Response<Body> {
        match self {
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
            Self::Busy => busy(),
            Self::Broken => StatusCode::BAD_REQUEST.into_response(),
        }
    }
}

/// Come again. Devices do; of 408 they make an error.
pub(crate) fn busy() -> Response<Body> {
    let retry_after = [(header::RETRY_AFTER, RETRY_AFTER)];
    (StatusCode::SERVICE_UNAVAILABLE, retry_after).into_response()
}

impl Bodies {
    pub(crate) fn new(budget: usize) -> Self {
        let left = Arc::new(AtomicUsize::new(budget));
        Self { left }
    }

    /// The request with its body, if that has `limit` bytes at most and there is room for it. What is too large by its own
    /// word, or has no room at once, is not read at all. What it has drawn is held until the answer is made.
    pub(crate) async fn whole(
        &self,
        request: Request<Body>,
        limit: usize,
    ) -> Result<(Request<Bytes>, Drawn), Unread> {
        let (head, mut body) = request.into_parts();
        let told = head.headers.get(header::CONTENT_LENGTH);
        let told = told.and_then(|told| told.to_str().ok()?.parse::<u64>().ok());
        if told.is_some_and(|told| told > limit as u64) {
            return Err(Unread::TooLarge);
        }
        let mut drawn = Drawn {
            left: self.left.clone(),
            bytes: 0,
        };
        let beyond = told.map_or(0, |told| told.saturating_sub(FREE as u64));
        if beyond > self.left.load(SeqCst) as u64 {
            return Err(Unread::Busy);
        }
        let mut read = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Unread::Broken)?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            let length = read.len().saturating_add(data.len());
            if length > limit {
                return Err(Unread::TooLarge);
            }
            drawn.draw(length.saturating_sub(FREE))?;
            read.extend_from_slice(&data);
        }
        Ok((Request::from_parts(head, read.freeze()), drawn))
    }
}

impl Drawn {
    /// Draws as much as is missing to `bytes`.
    fn draw(&mut self, bytes: usize) -> Result<(), Unread> {
        let more = bytes.saturating_sub(self.bytes);
        let draw = |left: usize| left.checked_sub(more);
        let drawn = self.left.fetch_update(SeqCst, SeqCst, draw);
        drawn.map_err(|_| Unread::Busy)?;
        self.bytes = self.bytes.saturating_add(more);
        Ok(())
    }
}

impl Drop for Drawn {
    fn drop(&mut self) {
        self.left.fetch_add(self.bytes, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(bytes: usize) -> Request<Body> {
        Request::new(Body::from(vec![0; bytes]))
    }

    #[tokio::test]
    async fn large_bodies_share_a_budget_and_small_ones_have_their_own_room() {
        let bodies = Bodies::new(100);
        let first = bodies.whole(request(FREE + 60), 1 << 20).await;
        let (request_, drawn) = first.unwrap();
        assert_eq!(request_.body().len(), FREE + 60);
        let second = bodies.whole(request(FREE + 60), 1 << 20).await;
        assert_eq!(second.unwrap_err(), Unread::Busy);
        assert!(bodies.whole(request(FREE), 1 << 20).await.is_ok());
        drop(drawn);
        assert!(bodies.whole(request(FREE + 60), 1 << 20).await.is_ok());
        assert_eq!(bodies.left.load(SeqCst), 100);
        let large = bodies.whole(request(FREE + 1), FREE).await;
        assert_eq!(large.unwrap_err(), Unread::TooLarge);
    }
}
