//! `POST /profile`: makes a profile, which can never be changed afterwards.
//!
//! <https://developer.apple.com/documentation/devicemanagement/define-a-profile>

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response};
use mdm_core::SerialNumber;
use mdm_transport::{ApiRequest, BaseUrl, BuildError, Replay, RequestMeta};
use serde_json::{Map, Value};

use super::{MEBIBYTE, decode, request, take_profile_uuid};
use crate::{
    Error,
    error::RawBody,
    model::{DeviceResult, Profile, outcome},
};

/// Makes a new profile. Each call gives another identifier, so it is never replayed blindly.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DefineProfile {
    /// The settings.
    pub profile: Profile,
}

impl DefineProfile {
    /// Makes a profile with these settings.
    pub const fn new(profile: Profile) -> Self {
        Self { profile }
    }
}

/// A profile that Apple has taken.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DefinedProfile {
    /// The new profile's identifier: 32 upper-case hex digits.
    pub profile_uuid: String,
    /// What became of each device that the profile named by a valid serial number.
    pub devices: Vec<DeviceResult>,
    /// Keys without a name here.
    pub extra: Map<String, Value>,
}

impl ApiRequest for DefineProfile {
    type Response = DefinedProfile;
    type Error = Error;
    const META: RequestMeta = RequestMeta::new("profile", Replay::Never, 4 * MEBIBYTE);

    fn to_http(&self, base: &BaseUrl) -> Result<Request<Bytes>, BuildError> {
        request(
            Method::POST,
            base.endpoint("/profile", &[])?,
            Some(&self.profile),
        )
    }

    fn from_http(&self, response: Response<Bytes>) -> Result<DefinedProfile, Error> {
        let sent: Vec<SerialNumber> = self
            .profile
            .devices
            .iter()
            .flatten()
            .filter_map(|serial| SerialNumber::new(serial.as_str()).ok())
            .collect();
        let body = response.body().clone();
        let mut answer: Map<String, Value> = decode(Self::META.name, response)?;
        let Some(profile_uuid) = take_profile_uuid(&mut answer) else {
            return Err(Error::Decode {
                endpoint: Self::META.name,
                body: RawBody::new(body),
                source: Arc::new(serde::de::Error::missing_field("profile_uuid")),
            });
        };
        Ok(DefinedProfile {
            profile_uuid,
            devices: outcome::results(&sent, answer.remove("devices").as_ref()),
            extra: answer,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_without_an_identifier_is_no_profile() {
        let request = DefineProfile::new(Profile::new("n", "u"));
        for answer in ["{}", r#"{"profile_uuid":""}"#, r#"{"profile_uuid":null}"#] {
            let error = request
                .from_http(Response::new(Bytes::from(answer)))
                .unwrap_err();
            assert!(
                matches!(error, Error::Decode { body, .. } if body.as_bytes() == answer.as_bytes())
            );
        }
    }

    #[test]
    fn devices_named_in_the_profile_get_their_results() {
        let profile = Profile::new("n", "u")
            .with(|profile| profile.devices = Some(vec!["A".into(), "B".into()]));
        let body = r#"{"profile_uuid":"P1","devices":{"A":"SUCCESS"}}"#;
        let defined = DefineProfile::new(profile)
            .from_http(Response::new(Bytes::from(body)))
            .unwrap();
        assert_eq!(defined.profile_uuid, "P1");
        assert!(defined.devices[0].is_success() && !defined.devices[1].is_success());
    }
}
