//! The pages of an ACME server: the protocol, and what certificates refer to.

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use mdm_scep::acme::Server;

use crate::{issue::pages::Pages, web::Site};

pub(super) struct AcmeSite {
    pub(super) server: Server,
    pub(super) pages: Pages,
}

#[async_trait]
impl Site for AcmeSite {
    async fn answer(&self, request: Request<Bytes>) -> Response<Bytes> {
        match self.pages.answer(request).await {
            Ok(response) => response,
            Err(request) => self.server.handle(request).await,
        }
    }
}
