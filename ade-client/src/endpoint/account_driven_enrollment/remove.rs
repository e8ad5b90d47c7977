//! `DELETE /account-driven-enrollment/profile`: takes the service discovery back.
//!
//! <https://developer.apple.com/documentation/devicemanagement/remove-account-driven-enrollment-profile>

use bytes::Bytes;
use http::{Method, Request, Response};
use mdm_transport::{ApiRequest, BaseUrl, BuildError, Replay, RequestMeta};

use super::PATH;
use crate::{
    Error,
    endpoint::{MEBIBYTE, no_content, request},
};

/// Sends devices nowhere any more.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct RemoveAccountDrivenEnrollmentProfile;

impl RemoveAccountDrivenEnrollmentProfile {
    /// The request; it has no parameters.
    pub const fn new() -> Self {
        Self
    }
}

impl ApiRequest for RemoveAccountDrivenEnrollmentProfile {
    type Response = ();
    type Error = Error;
    const META: RequestMeta = RequestMeta::new(
        "account-driven-enrollment-remove",
        Replay::Idempotent,
        MEBIBYTE,
    );

    fn to_http(&self, base: &BaseUrl) -> Result<Request<Bytes>, BuildError> {
        request::<()>(Method::DELETE, base.endpoint(PATH, &[])?, None)
    }

    fn from_http(&self, response: Response<Bytes>) -> Result<(), Error> {
        no_content(Self::META.name, response)
    }
}
