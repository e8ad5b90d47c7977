//! What a device signed about itself, wherever in a request it comes (Q5).

use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use mdm_protocol::enroll::{MachineInfo, device_info};
use percent_encoding::percent_decode_str;

use super::Inner;
use crate::service::answer::Refused;

/// The header, and the parameter of a query.
const HEADER: &str = "x-apple-aspen-deviceinfo";

/// Another name of the parameter, which pages that pass the header on use.
const SHORT: &str = "deviceinfo";

/// The MachineInfo of a genuine device: the body, the header, or a parameter of the query.
pub(super) fn machine_info(
    portal: &Inner,
    request: &Request<Bytes>,
) -> Result<MachineInfo, Refused> {
    let devices = portal
        .devices
        .as_ref()
        .ok_or(Refused::Status(StatusCode::NOT_FOUND))?;
    let decoded;
    let cms = if let Some(header) = request.headers().get(HEADER) {
        let text = header
            .to_str()
            .map_err(|_| Refused::Unusable("a header that is no text"))?;
        decoded = device_info(text)?;
        &decoded[..]
    } else if !request.body().is_empty() {
        request.body()
    } else {
        let query = request.uri().query().unwrap_or_default();
        let text = raw(query, HEADER)
            .or_else(|| raw(query, SHORT))
            .ok_or(Refused::Unusable("a request without MachineInfo"))?;
        decoded = device_info(text)?;
        &decoded[..]
    };
    Ok(devices.verify(cms, portal.now())?.info)
}

/// A parameter as it stands in the query.
fn raw<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// A parameter of the query, if it is text.
pub(super) fn parameter(uri: &Uri, name: &str) -> Option<String> {
    let value = raw(uri.query()?, name)?;
    let value = percent_decode_str(value).decode_utf8().ok()?;
    Some(value.into_owned()).filter(|value| !value.is_empty())
}
