//! `GET /profile`: a profile that was defined before.
//!
//! <https://developer.apple.com/documentation/devicemanagement/fetch-profile>

use bytes::Bytes;
use http::{Method, Request, Response};
use mdm_transport::{ApiRequest, BaseUrl, BuildError, Replay, RequestMeta};

use super::{MEBIBYTE, decode, request};
use crate::{Error, model::Profile};

/// Asks for a profile. The answer names no devices. [`Error::is_profile_not_found`]: there is none.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FetchProfile {
    /// The profile's identifier.
    pub profile_uuid: String,
}

impl FetchProfile {
    /// Asks for this profile.
    pub fn new(profile_uuid: impl Into<String>) -> Self {
        Self {
            profile_uuid: profile_uuid.into(),
        }
    }
}

impl ApiRequest for FetchProfile {
    type Response = Profile;
    type Error = Error;
    const META: RequestMeta = RequestMeta::new("profile-fetch", Replay::Safe, 4 * MEBIBYTE);

    fn to_http(&self, base: &BaseUrl) -> Result<Request<Bytes>, BuildError> {
        let query = [("profile_uuid", self.profile_uuid.as_str())];
        request::<()>(Method::GET, base.endpoint("/profile", &query)?, None)
    }

    fn from_http(&self, response: Response<Bytes>) -> Result<Profile, Error> {
        decode(Self::META.name, response)
    }
}
