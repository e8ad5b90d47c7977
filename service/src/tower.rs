//! Service and portal as `tower` services, for whatever is built of these.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};

use crate::{Service, entry::Portal};

/// [`Service::handle`]. It is always ready and never fails; bound the requests' bodies and how many there
/// are at once in front of it.
impl tower_service::Service<Request<Bytes>> for Service {
    type Response = Response<Bytes>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(service.handle(request).await) })
    }
}

/// [`Portal::handle`]; ready and unfailing as the service.
impl tower_service::Service<Request<Bytes>> for Portal {
    type Response = Response<Bytes>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let portal = self.clone();
        Box::pin(async move { Ok(portal.handle(request).await) })
    }
}
