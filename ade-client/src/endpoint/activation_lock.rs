//! `POST /device/activationlock`: locks a device to the organization.
//!
//! <https://developer.apple.com/documentation/devicemanagement/activation-lock-devices>

use bytes::Bytes;
use http::{Method, Request, Response};
use mdm_core::SerialNumber;
use mdm_transport::{ApiRequest, BaseUrl, BuildError, Replay, RequestMeta};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{MEBIBYTE, decode, request, take};
use crate::{
    Error,
    bypass_code::EscrowKey,
    model::{Outcome, ResponseStatus},
};

/// Locks a device, so that it cannot be activated without the organization.
///
/// The verdicts are `SUCCESS`, `NOT_ACCESSIBLE`, `ORG_NOT_SUPPORTED`, `DEVICE_NOT_SUPPORTED`,
/// `DEVICE_ALREADY_LOCKED` and `FAILED`. Never sent again blindly: after an answer that got lost the
/// second one could not tell our lock from the user's.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ActivationLock {
    /// The device.
    pub device: SerialNumber,
    /// Made from the [`BypassCode`](crate::BypassCode) that unlocks the device again. Without one,
    /// only the person who made the server in the portal can.
    pub escrow_key: Option<EscrowKey>,
    /// What the locked device shows.
    pub lost_message: Option<String>,
}

impl ActivationLock {
    /// Locks this device. Store the code before this is sent.
    pub const fn new(device: SerialNumber, escrow_key: EscrowKey) -> Self {
        Self {
            device,
            escrow_key: Some(escrow_key),
            lost_message: None,
        }
    }

    /// Locks this device to the person who made the server in the portal.
    pub const fn without_code(device: SerialNumber) -> Self {
        Self {
            device,
            escrow_key: None,
            lost_message: None,
        }
    }
}

/// Whether the device is locked.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ActivationLocked {
    /// What became of the device.
    pub outcome: Outcome,
    /// Keys without a name here.
    pub extra: Map<String, Value>,
}

impl ApiRequest for ActivationLock {
    type Response = ActivationLocked;
    type Error = Error;
    const META: RequestMeta = RequestMeta::new("device-activationlock", Replay::Never, MEBIBYTE);

    fn to_http(&self, base: &BaseUrl) -> Result<Request<Bytes>, BuildError> {
        let body = Body {
            device: &self.device,
            escrow_key: self.escrow_key.as_ref().map(EscrowKey::to_upper_hex),
            lost_message: self.lost_message.as_deref(),
        };
        let uri = base.endpoint("/device/activationlock", &[])?;
        request(Method::POST, uri, Some(&body))
    }

    fn from_http(&self, response: Response<Bytes>) -> Result<ActivationLocked, Error> {
        let mut answer: Map<String, Value> = decode(Self::META.name, response)?;
        let status = take(&mut answer, "response_status", |value| {
            value.as_str().map(ResponseStatus::from)
        });
        answer.remove("serial_number");
        Ok(ActivationLocked {
            outcome: status.map_or(Outcome::NotMentioned, Outcome::Answered),
            extra: answer,
        })
    }
}

#[derive(Serialize)]
struct Body<'a> {
    device: &'a SerialNumber,
    #[serde(skip_serializing_if = "Option::is_none")]
    escrow_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lost_message: Option<&'a str>,
}
