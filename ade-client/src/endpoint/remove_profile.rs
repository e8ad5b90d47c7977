//! `DELETE /profile/devices`: takes the profile away from devices.
//!
//! <https://developer.apple.com/documentation/devicemanagement/clear-device-profile>

use bytes::Bytes;
use http::{Method, Request, Response};
use mdm_core::SerialNumber;
use mdm_transport::{ApiRequest, BaseUrl, BuildError, Replay, RequestMeta};

use super::{
    DeviceResults, MEBIBYTE,
    batch::{self, Devices},
    request,
};
use crate::Error;

/// Takes their profile away from up to 1000 devices, whichever it is. A device that has fetched it
/// already keeps it until it is wiped.
///
/// The verdicts are `SUCCESS`, `NOT_ACCESSIBLE` and `FAILED`. The request is a `DELETE` with a body.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RemoveProfile {
    /// The devices; at least one, at most 1000. One that is named twice is sent once.
    pub devices: Vec<SerialNumber>,
}

impl RemoveProfile {
    /// Takes the profile away from these devices.
    pub const fn new(devices: Vec<SerialNumber>) -> Self {
        Self { devices }
    }

    /// As many requests as `devices` need when each takes `limit` of them, which is held between 1
    /// and 1000.
    pub fn batches(devices: &[SerialNumber], limit: u32) -> impl Iterator<Item = Self> {
        batch::batches(devices, limit).map(Self::new)
    }
}

impl ApiRequest for RemoveProfile {
    type Response = DeviceResults;
    type Error = Error;
    const META: RequestMeta =
        RequestMeta::new("profile-devices-remove", Replay::Idempotent, 4 * MEBIBYTE);

    fn to_http(&self, base: &BaseUrl) -> Result<Request<Bytes>, BuildError> {
        let body = Devices::new(&self.devices)?;
        let uri = base.endpoint("/profile/devices", &[])?;
        request(Method::DELETE, uri, Some(&body))
    }

    fn from_http(&self, response: Response<Bytes>) -> Result<DeviceResults, Error> {
        DeviceResults::read(Self::META.name, &self.devices, response)
    }
}
