//! `POST /profile/devices`: gives devices a profile.
//!
//! <https://developer.apple.com/documentation/devicemanagement/assign-a-profile>

use bytes::Bytes;
use http::{Method, Request, Response};
use mdm_core::SerialNumber;
use mdm_transport::{ApiRequest, BaseUrl, BuildError, Replay, RequestMeta};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{MAX_ITEMS, MEBIBYTE, decode, request};
use crate::{
    Error,
    model::{DeviceResult, assignment},
};

/// Gives up to 1000 devices a profile.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AssignProfile {
    /// The profile.
    pub profile_uuid: String,
    /// The devices; at least one, at most 1000.
    pub devices: Vec<SerialNumber>,
    /// The method, `POST` unless set.
    pub method: AssignMethod,
}

/// The two methods in use for the same request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum AssignMethod {
    /// As Apple documents it.
    #[default]
    Post,
    /// As it was before, and as Apple's simulator wants it (Q21).
    Put,
}

impl AssignProfile {
    /// Gives these devices the profile.
    pub fn new(profile_uuid: impl Into<String>, devices: Vec<SerialNumber>) -> Self {
        Self {
            profile_uuid: profile_uuid.into(),
            devices,
            method: AssignMethod::default(),
        }
    }

    /// As many requests as `devices` need when each takes `limit` of them, which is held between 1
    /// and 1000.
    pub fn batches(
        profile_uuid: &str,
        devices: &[SerialNumber],
        limit: u32,
    ) -> impl Iterator<Item = Self> {
        let limit = usize::try_from(limit.clamp(1, MAX_ITEMS)).unwrap_or(1);
        devices
            .chunks(limit)
            .map(move |batch| Self::new(profile_uuid, batch.to_vec()))
    }
}

/// What became of the devices.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Assigned {
    /// The profile, as Apple repeats it.
    pub profile_uuid: String,
    /// One result for each device that was sent, in the same order.
    pub devices: Vec<DeviceResult>,
    /// How many seconds to leave throttled devices alone (protocol version 10).
    pub retry_after_seconds: Option<u64>,
    /// Keys without a name here.
    pub extra: Map<String, Value>,
}

impl ApiRequest for AssignProfile {
    type Response = Assigned;
    type Error = Error;
    const META: RequestMeta = RequestMeta::new("profile-devices", Replay::Idempotent, 4 * MEBIBYTE);

    fn to_http(&self, base: &BaseUrl) -> Result<Request<Bytes>, BuildError> {
        if self.devices.is_empty() || self.devices.len() > MAX_ITEMS as usize {
            return Err(BuildError::invalid(
                "devices",
                "must hold 1 to 1000 serial numbers",
            ));
        }
        let body = Body {
            profile_uuid: &self.profile_uuid,
            devices: &self.devices,
        };
        let method = match self.method {
            AssignMethod::Post => Method::POST,
            AssignMethod::Put => Method::PUT,
        };
        request(method, base.endpoint("/profile/devices", &[])?, Some(&body))
    }

    fn from_http(&self, response: Response<Bytes>) -> Result<Assigned, Error> {
        let mut answer: super::DevicesAnswer = decode(Self::META.name, response)?;
        let retry_after_seconds = match answer.extra.get("retry_after_seconds").map(Value::as_u64) {
            Some(Some(seconds)) => {
                answer.extra.remove("retry_after_seconds");
                Some(seconds)
            }
            _ => None,
        };
        Ok(Assigned {
            devices: assignment::results(&self.devices, answer.devices.as_ref()),
            profile_uuid: answer.profile_uuid,
            retry_after_seconds,
            extra: answer.extra,
        })
    }
}

#[derive(Serialize)]
struct Body<'a> {
    profile_uuid: &'a str,
    devices: &'a [SerialNumber],
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serials(count: usize) -> Vec<SerialNumber> {
        (0..count)
            .map(|n| format!("S{n:05}").parse().unwrap())
            .collect()
    }

    #[test]
    fn batches_cover_every_device_once_and_hold_the_limit() {
        let all = serials(2500);
        for (limit, sizes) in [
            (1000, vec![1000, 1000, 500]),
            (9999, vec![1000, 1000, 500]),
            (2000, vec![1000, 1000, 500]),
            (0, vec![1; 2500]),
        ] {
            let batches: Vec<_> = AssignProfile::batches("P", &all, limit).collect();
            let lengths: Vec<_> = batches.iter().map(|batch| batch.devices.len()).collect();
            assert_eq!(lengths, sizes, "{limit}");
            let together: Vec<_> = batches
                .into_iter()
                .flat_map(|batch| batch.devices)
                .collect();
            assert_eq!(together, all);
        }
        assert_eq!(AssignProfile::batches("P", &[], 10).count(), 0);
    }

    #[test]
    fn both_methods_send_the_same_body() {
        let base: BaseUrl = "https://a.example".parse().unwrap();
        let mut request = AssignProfile::new("P1", serials(2));
        let post = request.to_http(&base).unwrap();
        request.method = AssignMethod::Put;
        let put = request.to_http(&base).unwrap();
        assert_eq!((post.method(), put.method()), (&Method::POST, &Method::PUT));
        assert_eq!(post.body(), put.body());
        assert_eq!(
            post.body(),
            r#"{"profile_uuid":"P1","devices":["S00000","S00001"]}"#
        );
    }

    #[test]
    fn none_and_too_many_devices_are_refused_before_sending() {
        let base: BaseUrl = "https://a.example".parse().unwrap();
        for count in [0, 1001] {
            assert!(
                AssignProfile::new("P", serials(count))
                    .to_http(&base)
                    .is_err()
            );
        }
    }

    #[test]
    fn throttling_is_read_and_unknown_keys_are_kept() {
        let request = AssignProfile::new("P", serials(2));
        let body = r#"{"profile_uuid":"P","devices":{"S00000":"THROTTLED"},"retry_after_seconds":86400,"new":1}"#;
        let assigned = request.from_http(Response::new(Bytes::from(body))).unwrap();
        assert_eq!(assigned.retry_after_seconds, Some(86_400));
        assert_eq!(assigned.devices.len(), 2);
        assert_eq!(assigned.extra.len(), 1);
    }
}
