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
use serde::{Deserialize, Serialize, de::DeserializeOwned};
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

/// The shape that the profile endpoints answer with.
#[derive(Deserialize)]
struct DevicesAnswer {
    #[serde(default)]
    profile_uuid: String,
    #[serde(default)]
    devices: Option<Value>,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

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
