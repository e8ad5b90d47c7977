//! `GET /device/replacementDetails`: which device another one replaces.
//!
//! <https://developer.apple.com/documentation/devicemanagement/get-replacement-details>

use bytes::Bytes;
use http::{Method, Request, Response};
use mdm_core::SerialNumber;
use mdm_transport::{ApiRequest, BaseUrl, BuildError, Replay, RequestMeta};

use super::{MEBIBYTE, decode, request};
use crate::{Error, model::ReplacementDetails};

/// Asks which device this one replaces (protocol version 10).
///
/// Of use for devices whose `is_replacement_device` is true; for any other the answer is
/// [`Error::is_device_not_found`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct GetReplacementDetails {
    /// The replacement.
    pub device: SerialNumber,
}

impl GetReplacementDetails {
    /// Asks for this replacement.
    pub const fn new(device: SerialNumber) -> Self {
        Self { device }
    }
}

impl ApiRequest for GetReplacementDetails {
    type Response = ReplacementDetails;
    type Error = Error;
    const META: RequestMeta = RequestMeta::new("device-replacement", Replay::Safe, MEBIBYTE);

    fn to_http(&self, base: &BaseUrl) -> Result<Request<Bytes>, BuildError> {
        let query = [("device", self.device.as_str())];
        let uri = base.endpoint("/device/replacementDetails", &query)?;
        request::<()>(Method::GET, uri, None)
    }

    fn from_http(&self, response: Response<Bytes>) -> Result<ReplacementDetails, Error> {
        decode(Self::META.name, response)
    }
}
