//! `POST /profile/devices`: gives devices a profile.
//!
//! <https://developer.apple.com/documentation/devicemanagement/assign-a-profile>

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use mdm_core::SerialNumber;
use mdm_transport::{ApiRequest, BaseUrl, BuildError, Replay, RequestMeta};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{MEBIBYTE, batch, decode, request, take, take_profile_uuid};
use crate::{
    Error,
    model::{DeviceResult, outcome},
};

/// Gives up to 1000 devices a profile.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AssignProfile {
    /// The profile.
    pub profile_uuid: String,
    /// The devices; at least one, at most 1000. One that is named twice is sent once.
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
        batch::batches(devices, limit).map(move |batch| Self::new(profile_uuid, batch))
    }
}

/// What became of the devices.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Assigned {
    /// The profile, as Apple repeats it; empty where it does not.
    pub profile_uuid: String,
    /// One result for each device that was sent, in the same order.
    pub devices: Vec<DeviceResult>,
    /// How many seconds to leave throttled devices alone (protocol version 10).
    pub retry_after_seconds: Option<u64>,
    /// Keys without a name here, and values of another type than documented.
    pub extra: Map<String, Value>,
}

impl ApiRequest for AssignProfile {
    type Response = Assigned;
    type Error = Error;
    const META: RequestMeta = RequestMeta::new("profile-devices", Replay::Idempotent, 4 * MEBIBYTE);

    fn to_http(&self, base: &BaseUrl) -> Result<Request<Bytes>, BuildError> {
        let body = Body {
            profile_uuid: &self.profile_uuid,
            devices: batch::checked(&self.devices)?,
        };
        let method = match self.method {
            AssignMethod::Post => Method::POST,
            AssignMethod::Put => Method::PUT,
        };
        request(method, base.endpoint("/profile/devices", &[])?, Some(&body))
    }

    fn from_http(&self, response: Response<Bytes>) -> Result<Assigned, Error> {
        let mut answer: Map<String, Value> = decode(Self::META.name, response)?;
        Ok(Assigned {
            profile_uuid: take_profile_uuid(&mut answer).unwrap_or_default(),
            devices: outcome::results(&self.devices, answer.remove("devices").as_ref()),
            retry_after_seconds: take(&mut answer, "retry_after_seconds", seconds),
            extra: answer,
        })
    }
}

/// Whole seconds, rounded up, from a number or its text.
fn seconds(value: &Value) -> Option<u64> {
    let number: f64 = match value {
        Value::String(text) => text.trim().parse().ok()?,
        _ => value.as_f64()?,
    };
    let duration = Duration::try_from_secs_f64(number.ceil()).ok()?;
    Some(duration.as_secs())
}

#[derive(Serialize)]
struct Body<'a> {
    profile_uuid: &'a str,
    devices: Vec<&'a SerialNumber>,
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
    fn a_device_named_twice_is_sent_once_and_has_its_result_twice() {
        let mut request = AssignProfile::new("P", serials(2));
        request.devices.extend(serials(1));
        let base: BaseUrl = "https://a.example".parse().unwrap();
        assert_eq!(
            request.to_http(&base).unwrap().body(),
            r#"{"profile_uuid":"P","devices":["S00000","S00001"]}"#
        );
        let body = r#"{"devices":{"S00000":"SUCCESS","S00001":"FAILED"}}"#;
        let assigned = request.from_http(Response::new(Bytes::from(body))).unwrap();
        let done: Vec<_> = assigned
            .devices
            .iter()
            .map(DeviceResult::is_success)
            .collect();
        assert_eq!(done, [true, false, true]);
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

    #[test]
    fn an_odd_identifier_costs_no_verdict() {
        let request = AssignProfile::new("P", serials(1));
        for identifier in ["null", "5", r#"["P"]"#] {
            let body =
                format!(r#"{{"profile_uuid":{identifier},"devices":{{"S00000":"SUCCESS"}}}}"#);
            let assigned = request.from_http(Response::new(Bytes::from(body))).unwrap();
            assert!(assigned.devices[0].is_success(), "{identifier}");
            assert_eq!(assigned.profile_uuid, "");
            assert!(assigned.extra.contains_key("profile_uuid"));
        }
    }

    #[test]
    fn the_time_to_wait_is_read_as_a_number_or_text_and_kept_where_it_is_neither() {
        let request = AssignProfile::new("P", serials(1));
        for (written, seconds) in [
            ("86400", Some(86_400)),
            ("86400.0", Some(86_400)),
            ("0.5", Some(1)),
            (r#""86400""#, Some(86_400)),
            (r#"" 86400.0 ""#, Some(86_400)),
            ("-1", None),
            ("1e300", None),
            (r#""NaN""#, None),
            (r#""tomorrow""#, None),
            ("true", None),
            ("null", None),
        ] {
            let body = format!(r#"{{"retry_after_seconds":{written}}}"#);
            let assigned = request.from_http(Response::new(Bytes::from(body))).unwrap();
            assert_eq!(assigned.retry_after_seconds, seconds, "{written}");
            assert_eq!(assigned.extra.len(), usize::from(seconds.is_none()));
        }
    }
}
