//! `POST /devices`: what the service knows of some devices.
//!
//! <https://developer.apple.com/documentation/devicemanagement/device-details>

use bytes::Bytes;
use http::{Method, Request, Response};
use mdm_core::SerialNumber;
use mdm_transport::{ApiRequest, BaseUrl, BuildError, Replay, RequestMeta};
use serde_json::{Map, Value};

use super::{
    MEBIBYTE,
    batch::{self, Devices},
    decode, request,
};
use crate::{
    Error,
    model::{DeviceDetail, outcome},
};

/// Asks for up to 1000 devices by their serial numbers.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct GetDeviceDetails {
    /// The devices; at least one, at most 1000. One that is named twice is sent once.
    pub devices: Vec<SerialNumber>,
}

impl GetDeviceDetails {
    /// Asks for these devices.
    pub const fn new(devices: Vec<SerialNumber>) -> Self {
        Self { devices }
    }

    /// As many requests as `devices` need when each takes `limit` of them, which is held between 1
    /// and 1000.
    pub fn batches(devices: &[SerialNumber], limit: u32) -> impl Iterator<Item = Self> {
        batch::batches(devices, limit).map(Self::new)
    }
}

/// What is known of the devices.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DeviceDetails {
    /// One for each device that was sent, in the same order: `SUCCESS` and the device, or
    /// `NOT_ACCESSIBLE`.
    pub devices: Vec<DeviceDetail>,
    /// Keys without a name here.
    pub extra: Map<String, Value>,
}

impl ApiRequest for GetDeviceDetails {
    type Response = DeviceDetails;
    type Error = Error;
    const META: RequestMeta = RequestMeta::new("devices", Replay::Safe, 16 * MEBIBYTE);

    fn to_http(&self, base: &BaseUrl) -> Result<Request<Bytes>, BuildError> {
        let body = Devices::new(&self.devices)?;
        request(Method::POST, base.endpoint("/devices", &[])?, Some(&body))
    }

    fn from_http(&self, response: Response<Bytes>) -> Result<DeviceDetails, Error> {
        let mut answer: Map<String, Value> = decode(Self::META.name, response)?;
        Ok(DeviceDetails {
            devices: outcome::details(&self.devices, answer.remove("devices").as_ref()),
            extra: answer,
        })
    }
}
