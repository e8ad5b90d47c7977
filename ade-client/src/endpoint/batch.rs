//! Lists of devices in a request: how many, each once, and what became of each.

use std::collections::HashSet;

use bytes::Bytes;
use http::Response;
use mdm_core::SerialNumber;
use mdm_transport::BuildError;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{MAX_ITEMS, decode};
use crate::{
    Error,
    model::{DeviceResult, outcome},
};

/// What became of the devices of a request that answers with nothing else.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DeviceResults {
    /// One result for each device that was sent, in the same order.
    pub devices: Vec<DeviceResult>,
    /// Keys without a name here.
    pub extra: Map<String, Value>,
}

impl DeviceResults {
    pub(super) fn read(
        endpoint: &'static str,
        sent: &[SerialNumber],
        response: Response<Bytes>,
    ) -> Result<Self, Error> {
        let mut answer: Map<String, Value> = decode(endpoint, response)?;
        Ok(Self {
            devices: outcome::results(sent, answer.remove("devices").as_ref()),
            extra: answer,
        })
    }
}

/// The body of the requests that name nothing but devices.
#[derive(Serialize)]
pub(super) struct Devices<'a> {
    devices: Vec<&'a SerialNumber>,
}

impl<'a> Devices<'a> {
    pub(super) fn new(devices: &'a [SerialNumber]) -> Result<Self, BuildError> {
        checked(devices).map(|devices| Self { devices })
    }
}

/// The devices as they are sent: each once, at least one, at most as many as Apple takes.
pub(super) fn checked(devices: &[SerialNumber]) -> Result<Vec<&SerialNumber>, BuildError> {
    let distinct = distinct(devices);
    if distinct.is_empty() || distinct.len() > MAX_ITEMS as usize {
        return Err(BuildError::invalid(
            "devices",
            "must hold 1 to 1000 serial numbers",
        ));
    }
    Ok(distinct)
}

/// Each device once, in the order of its first mention.
pub(crate) fn distinct(devices: &[SerialNumber]) -> Vec<&SerialNumber> {
    let mut seen = HashSet::with_capacity(devices.len());
    devices
        .iter()
        .filter(|serial| seen.insert(*serial))
        .collect()
}

/// The devices in groups of at most `limit`, which is held between 1 and 1000.
pub(crate) fn batches(
    devices: &[SerialNumber],
    limit: u32,
) -> impl Iterator<Item = Vec<SerialNumber>> {
    let limit = usize::try_from(limit.clamp(1, MAX_ITEMS)).unwrap_or(1);
    devices.chunks(limit).map(<[_]>::to_vec)
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
            let batches: Vec<_> = batches(&all, limit).collect();
            let lengths: Vec<_> = batches.iter().map(Vec::len).collect();
            assert_eq!(lengths, sizes, "{limit}");
            assert_eq!(batches.concat(), all);
        }
        assert_eq!(batches(&[], 10).count(), 0);
    }

    #[test]
    fn a_device_named_twice_is_sent_once() {
        let mut all = serials(1000);
        all.extend(serials(3));
        let sent = checked(&all).unwrap();
        assert_eq!(sent.len(), 1000);
        assert_eq!(sent[0].as_str(), "S00000");
    }

    #[test]
    fn none_and_too_many_devices_are_refused_before_sending() {
        assert!(checked(&[]).is_err());
        assert!(checked(&serials(1001)).is_err());
    }
}
