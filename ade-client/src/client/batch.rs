//! Requests over any number of devices: as many as Apple's limit needs, and a result for each device.

use std::collections::HashMap;

use mdm_core::SerialNumber;
use mdm_transport::ApiRequest;

use super::Client;
use crate::{
    Error,
    endpoint::{
        AssignMethod, AssignProfile, Assigned, DeviceDetails, DeviceResults, DisownDevices,
        GetDeviceDetails, RemoveProfile, batch,
    },
    model::{DeviceDetail, DeviceResult, Outcome},
};

/// What became of the devices that a call named.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BatchReport<T = DeviceResult> {
    /// One result for each device, in the order that they were given in.
    pub devices: Vec<T>,
    /// The longest time that Apple asked to leave throttled devices alone; assigning only.
    pub retry_after_seconds: Option<u64>,
    /// The error that ended the sending.
    pub error: Option<Error>,
}

impl<T> Default for BatchReport<T> {
    fn default() -> Self {
        Self {
            devices: Vec::new(),
            retry_after_seconds: None,
            error: None,
        }
    }
}

impl BatchReport {
    /// Whether Apple says of every device that it is done.
    pub fn is_success(&self) -> bool {
        self.error.is_none() && self.devices.iter().all(DeviceResult::is_success)
    }
}

/// Each of these names a device to Apple once, however often it is given, and says what became of
/// each that was given, whatever happens. The first request that fails is the last one sent: the
/// rest is [`Outcome::NotSent`].
impl Client {
    /// Gives devices a profile.
    pub async fn assign(&self, profile_uuid: &str, devices: &[SerialNumber]) -> BatchReport {
        let limit = self.inner.batch_limit;
        self.assign_with(profile_uuid, devices, AssignMethod::default(), limit)
            .await
    }

    /// As [`Client::assign`], with the method and the most devices in one request (at most 1000).
    pub async fn assign_with(
        &self,
        profile_uuid: &str,
        devices: &[SerialNumber],
        method: AssignMethod,
        limit: u32,
    ) -> BatchReport {
        self.in_batches(devices, limit, |batch| {
            let mut request = AssignProfile::new(profile_uuid, batch);
            request.method = method;
            request
        })
        .await
    }

    /// Takes their profile away from devices.
    pub async fn remove_profile(&self, devices: &[SerialNumber]) -> BatchReport {
        self.in_batches(devices, self.inner.batch_limit, RemoveProfile::new)
            .await
    }

    /// Gives devices up, **for ever**: see [`DisownDevices`].
    pub async fn disown(&self, devices: &[SerialNumber]) -> BatchReport {
        self.in_batches(devices, self.inner.batch_limit, DisownDevices::new)
            .await
    }

    /// Asks what the service knows of some devices.
    pub async fn details(&self, devices: &[SerialNumber]) -> BatchReport<DeviceDetail> {
        self.in_batches(devices, self.inner.batch_limit, GetDeviceDetails::new)
            .await
    }

    async fn in_batches<R, A>(
        &self,
        devices: &[SerialNumber],
        limit: u32,
        request: impl Fn(Vec<SerialNumber>) -> R,
    ) -> BatchReport<A::Item>
    where
        R: ApiRequest<Response = A, Error = Error>,
        A: Answer,
    {
        let distinct: Vec<_> = batch::distinct(devices).into_iter().cloned().collect();
        let mut report = BatchReport::default();
        for serials in batch::batches(&distinct, limit) {
            let sent = match &report.error {
                Some(_) => Err(Outcome::NotSent),
                None => self.send(&request(serials.clone())).await.map_err(|error| {
                    report.error = Some(error.clone());
                    Outcome::RequestFailed(error)
                }),
            };
            match sent {
                Ok(response) => {
                    let (items, retry_after_seconds) = response.into_parts();
                    report.devices.extend(items);
                    report.retry_after_seconds =
                        report.retry_after_seconds.max(retry_after_seconds);
                }
                Err(outcome) => report.devices.extend(
                    serials
                        .into_iter()
                        .map(|serial| DeviceResult::new(serial, outcome.clone()).into()),
                ),
            }
        }
        if distinct.len() < devices.len() {
            let known: HashMap<_, _> = distinct.iter().zip(&report.devices).collect();
            let all = devices.iter().filter_map(|serial| known.get(serial));
            report.devices = all.map(|item| (*item).clone()).collect();
        }
        report
    }
}

/// An answer with a result for each device.
trait Answer {
    type Item: Clone + From<DeviceResult>;

    /// The results in the order of the request, and how long throttled devices are to wait.
    fn into_parts(self) -> (Vec<Self::Item>, Option<u64>);
}

impl Answer for Assigned {
    type Item = DeviceResult;

    fn into_parts(self) -> (Vec<DeviceResult>, Option<u64>) {
        (self.devices, self.retry_after_seconds)
    }
}

impl Answer for DeviceResults {
    type Item = DeviceResult;

    fn into_parts(self) -> (Vec<DeviceResult>, Option<u64>) {
        (self.devices, None)
    }
}

impl Answer for DeviceDetails {
    type Item = DeviceDetail;

    fn into_parts(self) -> (Vec<DeviceDetail>, Option<u64>) {
        (self.devices, None)
    }
}
