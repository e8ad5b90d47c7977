//! `GET /os-beta-enrollment/tokens`: the beta programmes of the organization.
//!
//! <https://developer.apple.com/documentation/devicemanagement/get-beta-enrollment-tokens>

use bytes::Bytes;
use http::{Method, Request, Response};
use mdm_transport::{ApiRequest, BaseUrl, BuildError, Replay, RequestMeta};

use super::{MEBIBYTE, decode, request};
use crate::{Error, model::BetaEnrollmentTokens};

/// Asks which beta programmes devices can be enrolled in.
///
/// [`ErrorCode::AppleSeedTurnedOff`](crate::ErrorCode::AppleSeedTurnedOff): the organization has
/// switched AppleSeed for IT off.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct GetBetaEnrollmentTokens;

impl GetBetaEnrollmentTokens {
    /// The request; it has no parameters.
    pub const fn new() -> Self {
        Self
    }
}

impl ApiRequest for GetBetaEnrollmentTokens {
    type Response = BetaEnrollmentTokens;
    type Error = Error;
    const META: RequestMeta = RequestMeta::new("beta-tokens", Replay::Safe, MEBIBYTE);

    fn to_http(&self, base: &BaseUrl) -> Result<Request<Bytes>, BuildError> {
        let uri = base.endpoint("/os-beta-enrollment/tokens", &[])?;
        request::<()>(Method::GET, uri, None)
    }

    fn from_http(&self, response: Response<Bytes>) -> Result<BetaEnrollmentTokens, Error> {
        decode(Self::META.name, response)
    }
}
