//! `GET /account-driven-enrollment/profile`: the service discovery that is set.
//!
//! <https://developer.apple.com/documentation/devicemanagement/fetch-account-driven-enrollment-profile>

use bytes::Bytes;
use http::{Method, Request, Response};
use mdm_transport::{ApiRequest, BaseUrl, BuildError, Replay, RequestMeta};

use super::PATH;
use crate::{
    Error,
    endpoint::{MEBIBYTE, decode, request},
    model::AccountDrivenEnrollmentProfile,
};

/// Asks where devices are sent. [`ErrorCode::NotFound`](crate::ErrorCode::NotFound): nothing is set.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct FetchAccountDrivenEnrollmentProfile;

impl FetchAccountDrivenEnrollmentProfile {
    /// The request; it has no parameters.
    pub const fn new() -> Self {
        Self
    }
}

impl ApiRequest for FetchAccountDrivenEnrollmentProfile {
    type Response = AccountDrivenEnrollmentProfile;
    type Error = Error;
    const META: RequestMeta =
        RequestMeta::new("account-driven-enrollment-fetch", Replay::Safe, MEBIBYTE);

    fn to_http(&self, base: &BaseUrl) -> Result<Request<Bytes>, BuildError> {
        request::<()>(Method::GET, base.endpoint(PATH, &[])?, None)
    }

    fn from_http(
        &self,
        response: Response<Bytes>,
    ) -> Result<AccountDrivenEnrollmentProfile, Error> {
        decode(Self::META.name, response)
    }
}
