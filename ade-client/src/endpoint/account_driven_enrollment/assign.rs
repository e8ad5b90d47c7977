//! `POST /account-driven-enrollment/profile`: sets the service discovery.
//!
//! <https://developer.apple.com/documentation/devicemanagement/assign-account-driven-enrollment-profile>

use bytes::Bytes;
use http::{Method, Request, Response};
use mdm_transport::{ApiRequest, BaseUrl, BuildError, Replay, RequestMeta};
use serde::Serialize;

use super::PATH;
use crate::{
    Error,
    endpoint::{MEBIBYTE, no_content, request},
};

/// Sets where devices ask for their server. What was set before is replaced.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct AssignAccountDrivenEnrollmentProfile {
    /// The discovery document's address; https.
    pub mdm_service_discovery_url: String,
}

impl AssignAccountDrivenEnrollmentProfile {
    /// Sends devices to this address.
    pub fn new(mdm_service_discovery_url: impl Into<String>) -> Self {
        Self {
            mdm_service_discovery_url: mdm_service_discovery_url.into(),
        }
    }
}

impl ApiRequest for AssignAccountDrivenEnrollmentProfile {
    type Response = ();
    type Error = Error;
    const META: RequestMeta = RequestMeta::new(
        "account-driven-enrollment-assign",
        Replay::Idempotent,
        MEBIBYTE,
    );

    fn to_http(&self, base: &BaseUrl) -> Result<Request<Bytes>, BuildError> {
        request(Method::POST, base.endpoint(PATH, &[])?, Some(self))
    }

    fn from_http(&self, response: Response<Bytes>) -> Result<(), Error> {
        no_content(Self::META.name, response)
    }
}
