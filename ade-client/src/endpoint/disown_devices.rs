//! `POST /devices/disown`: gives devices up, for ever.
//!
//! <https://developer.apple.com/documentation/devicemanagement/disown-devices>

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

/// Gives up to 1000 devices up: they leave the organization, and **nothing brings them back** but
/// Apple, their seller, or Apple Configurator.
///
/// The server has to be allowed to in the portal. The verdicts are `SUCCESS`, `NOT_ACCESSIBLE` and
/// `FAILED`. After an answer that got lost nobody but the caller can say whether to send it again:
/// what was disowned is `NOT_ACCESSIBLE` then.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DisownDevices {
    /// The devices; at least one, at most 1000. One that is named twice is sent once.
    pub devices: Vec<SerialNumber>,
}

impl DisownDevices {
    /// Gives these devices up.
    pub const fn new(devices: Vec<SerialNumber>) -> Self {
        Self { devices }
    }

    /// As many requests as `devices` need when each takes `limit` of them, which is held between 1
    /// and 1000.
    pub fn batches(devices: &[SerialNumber], limit: u32) -> impl Iterator<Item = Self> {
        batch::batches(devices, limit).map(Self::new)
    }
}

impl ApiRequest for DisownDevices {
    type Response = DeviceResults;
    type Error = Error;
    const META: RequestMeta = RequestMeta::new("devices-disown", Replay::Never, 4 * MEBIBYTE);

    fn to_http(&self, base: &BaseUrl) -> Result<Request<Bytes>, BuildError> {
        let body = Devices::new(&self.devices)?;
        let uri = base.endpoint("/devices/disown", &[])?;
        request(Method::POST, uri, Some(&body))
    }

    fn from_http(&self, response: Response<Bytes>) -> Result<DeviceResults, Error> {
        DeviceResults::read(Self::META.name, &self.devices, response)
    }
}
