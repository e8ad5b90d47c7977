//! The pages that certificates refer to: the revocation list, the OCSP responder, the authority's certificate.

use std::sync::Arc;

use bytes::Bytes;
use chrono::Utc;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use mdm_core::SystemClock;
use mdm_scep::{CertificateAuthority, ca::publish_crl, ocsp};

use super::authority::{Authority, impossible};
use crate::{failure::Failure, web::status};

pub(crate) const CRL: &str = "/crl";
pub(crate) const OCSP: &str = "/ocsp";
pub(crate) const ISSUER: &str = "/ca.cer";

pub(crate) struct Pages {
    authority: Arc<dyn CertificateAuthority>,
    ocsp: ocsp::Responder,
}

impl Pages {
    pub(crate) fn new(
        authority: Arc<dyn CertificateAuthority>,
        files: &Authority,
    ) -> Result<Self, Failure> {
        let key = Arc::new(files.issuer.key.clone());
        let issuer = files.issuer.certificate.clone();
        let clock = Arc::new(SystemClock);
        let ocsp = ocsp::Responder::new(authority.clone(), issuer, key, clock);
        Ok(Self {
            authority,
            ocsp: ocsp.map_err(|error| impossible(&error))?,
        })
    }

    /// The answer, or the request back where it is for something else.
    pub(crate) async fn answer(
        &self,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, Request<Bytes>> {
        let path = request.uri().path();
        let is_get = *request.method() == Method::GET;
        if path == OCSP
            || path
                .strip_prefix(OCSP)
                .is_some_and(|rest| rest.starts_with('/'))
        {
            return Ok(self.ocsp.handle(request).await);
        }
        match path {
            CRL | ISSUER if !is_get => Ok(status(StatusCode::METHOD_NOT_ALLOWED)),
            CRL => Ok(publish_crl(&*self.authority, Utc::now()).await),
            ISSUER => Ok(self.issuer()),
            _ => Err(request),
        }
    }

    fn issuer(&self) -> Response<Bytes> {
        let Some(issuer) = self.authority.chain().first() else {
            return status(StatusCode::NOT_FOUND);
        };
        let mut response = Response::new(Bytes::copy_from_slice(issuer.to_der()));
        let content_type = HeaderValue::from_static("application/pkix-cert");
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, content_type);
        response
    }
}
