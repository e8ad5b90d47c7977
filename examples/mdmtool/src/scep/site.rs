//! The pages of a SCEP server: the protocol itself, whatever the path, and what its certificates refer to.

use std::{net::IpAddr, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::Utc;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use mdm_scep::{CertificateAuthority, Server};

use crate::web::{Site, status};

/// Where the protocol is; any other path would do.
pub(super) const SCEP: &str = "/scep";
/// Where the revocation list is.
pub(super) const CRL: &str = "/crl";
/// Where the authority's certificate is.
pub(super) const ISSUER: &str = "/ca.cer";

pub(super) struct ScepSite {
    pub(super) server: Server,
    pub(super) authority: Arc<dyn CertificateAuthority>,
}

#[async_trait]
impl Site for ScepSite {
    async fn answer(&self, request: Request<Bytes>, _from: IpAddr) -> Response<Bytes> {
        match request.uri().path() {
            CRL => match *request.method() {
                Method::GET => self.revocation_list().await,
                _ => status(StatusCode::METHOD_NOT_ALLOWED),
            },
            ISSUER => match (request.method(), self.authority.chain().first()) {
                (&Method::GET, Some(issuer)) => file("application/pkix-cert", issuer.to_der()),
                _ => status(StatusCode::METHOD_NOT_ALLOWED),
            },
            _ => self.server.handle(request).await,
        }
    }
}

impl ScepSite {
    async fn revocation_list(&self) -> Response<Bytes> {
        match self.authority.crl(Utc::now()).await {
            Ok(list) => file("application/pkix-crl", list.to_der()),
            Err(_) => status(StatusCode::SERVICE_UNAVAILABLE),
        }
    }
}

fn file(content_type: &'static str, der: &[u8]) -> Response<Bytes> {
    let mut response = Response::new(Bytes::copy_from_slice(der));
    let content_type = HeaderValue::from_static(content_type);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}
