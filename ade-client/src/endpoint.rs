//! The endpoints, one file each: a request that can be written and an answer that can be read.
//!
//! A request written here has method, path and body; the session, the name of the software and the
//! protocol version are put in by [`Session::authorize`](crate::Session::authorize).

mod account;
mod assign_profile;
mod define_profile;
mod fetch_devices;
mod sync_devices;

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, Uri, header::CONTENT_TYPE};
use mdm_transport::BuildError;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

pub use account::GetAccount;
pub use assign_profile::{AssignMethod, AssignProfile, Assigned};
pub use define_profile::{DefineProfile, DefinedProfile};
pub use fetch_devices::FetchDevices;
pub use sync_devices::SyncDevices;

use crate::{ApiError, Error, error::RawBody, session::JSON};

/// The most items that Apple takes or gives at once where its account says nothing else.
pub const MAX_ITEMS: u32 = 1000;

const MEBIBYTE: usize = 1024 * 1024;

fn request<T: Serialize>(
    method: http::Method,
    uri: Uri,
    body: Option<&T>,
) -> Result<Request<Bytes>, BuildError> {
    let body = match body {
        Some(body) => Bytes::from(serde_json::to_vec(body).map_err(BuildError::body)?),
        None => Bytes::new(),
    };
    Ok(Request::builder()
        .method(method)
        .uri(uri)
        .header(CONTENT_TYPE, JSON)
        .body(body)?)
}

fn decode<T: DeserializeOwned>(
    endpoint: &'static str,
    response: Response<Bytes>,
) -> Result<T, Error> {
    if !response.status().is_success() {
        return Err(ApiError::new(endpoint, response).into());
    }
    serde_json::from_slice(response.body()).map_err(|source| Error::Decode {
        endpoint,
        body: RawBody::new(response.into_body()),
        source: Arc::new(source),
    })
}

/// Takes a key out of an answer where its value fits; one that does not stays there.
fn take<T>(
    answer: &mut Map<String, Value>,
    key: &str,
    read: impl FnOnce(&Value) -> Option<T>,
) -> Option<T> {
    let taken = read(answer.get(key)?)?;
    answer.remove(key);
    Some(taken)
}

/// The profile that both profile endpoints name in their answers.
fn take_profile_uuid(answer: &mut Map<String, Value>) -> Option<String> {
    take(answer, "profile_uuid", |value| {
        value
            .as_str()
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    })
}
