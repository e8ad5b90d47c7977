//! The pages of a SCEP server: the protocol, whatever its path, and what certificates refer to.

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use mdm_scep::Server;

use crate::{issue::pages::Pages, web::Site};

/// Where the protocol is; any other path would do.
pub(super) const SCEP: &str = "/scep";

pub(super) struct ScepSite {
    pub(super) server: Server,
    pub(super) pages: Pages,
}

#[async_trait]
impl Site for ScepSite {
    async fn answer(&self, request: Request<Bytes>) -> Response<Bytes> {
        match self.pages.answer(request).await {
            Ok(response) => response,
            Err(request) => self.server.handle(request).await,
        }
    }
}
