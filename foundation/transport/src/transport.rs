//! The one thing a vendor has to bring: somebody who carries a request and returns its answer.

use std::{fmt, future::Future, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;

use crate::TransportError;

/// Carries one HTTP request and returns the whole answer.
///
/// An answer of any status is `Ok`; only a failure to obtain one is an error. An implementation
/// honours the request's [`SendLimits`](crate::SendLimits), follows no redirect unless it was told
/// to, and keeps headers marked sensitive out of its logs.
#[async_trait]
pub trait HttpTransport: fmt::Debug + Send + Sync {
    /// Sends the request and reads the answer to its end.
    ///
    /// # Errors
    /// [`TransportError`], whose kind says whether the request may have been processed.
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError>;
}

macro_rules! forward {
    ($pointer:ty) => {
        #[async_trait]
        impl<T: HttpTransport + ?Sized> HttpTransport for $pointer {
            async fn send(
                &self,
                request: http::Request<Bytes>,
            ) -> Result<http::Response<Bytes>, TransportError> {
                (**self).send(request).await
            }
        }
    };
}

forward!(Arc<T>);
forward!(Box<T>);
forward!(&T);

/// Makes a transport of a closure, which is all that most tests need.
pub fn transport_fn<F, Fut>(f: F) -> TransportFn<F>
where
    F: Fn(http::Request<Bytes>) -> Fut + Send + Sync,
    Fut: Future<Output = Result<http::Response<Bytes>, TransportError>> + Send,
{
    TransportFn(f)
}

/// A closure as a transport, from [`transport_fn`].
#[derive(Clone, Copy)]
pub struct TransportFn<F>(F);

impl<F> fmt::Debug for TransportFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TransportFn")
    }
}

#[async_trait]
impl<F, Fut> HttpTransport for TransportFn<F>
where
    F: Fn(http::Request<Bytes>) -> Fut + Send + Sync,
    Fut: Future<Output = Result<http::Response<Bytes>, TransportError>> + Send,
{
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        (self.0)(request).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_closure_and_every_pointer_to_it_is_a_transport() {
        let echo = transport_fn(|request: http::Request<Bytes>| async move {
            Ok(http::Response::new(request.into_body()))
        });
        let shared: Arc<dyn HttpTransport> = Arc::new(echo);
        let boxed: Box<dyn HttpTransport> = Box::new(shared.clone());
        let carriers: [&dyn HttpTransport; 4] = [&echo, &&echo, &shared, &boxed];
        for carrier in carriers {
            let request = http::Request::new(Bytes::from_static(b"hello"));
            assert_eq!(carrier.send(request).await.unwrap().body(), "hello");
        }
    }
}
