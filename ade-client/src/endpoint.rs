//! The endpoints, one file each: a request that can be written and an answer that can be read.
//!
//! | Apple's endpoint | The request |
//! |---|---|
//! | `GET /account` | [`GetAccount`] |
//! | `POST /server/devices` | [`FetchDevices`] |
//! | `POST /devices/sync` | [`SyncDevices`] |
//! | `POST /devices` | [`GetDeviceDetails`] |
//! | `POST /devices/disown` | [`DisownDevices`] |
//! | `POST /device/activationlock` | [`ActivationLock`] |
//! | `GET /device/replacementDetails` | [`GetReplacementDetails`] |
//! | `POST /profile` | [`DefineProfile`] |
//! | `GET /profile` | [`FetchProfile`] |
//! | `POST` or `PUT /profile/devices` | [`AssignProfile`] |
//! | `DELETE /profile/devices` | [`RemoveProfile`] |
//! | `POST /account-driven-enrollment/profile` | [`AssignAccountDrivenEnrollmentProfile`] |
//! | `GET /account-driven-enrollment/profile` | [`FetchAccountDrivenEnrollmentProfile`] |
//! | `DELETE /account-driven-enrollment/profile` | [`RemoveAccountDrivenEnrollmentProfile`] |
//! | `GET /os-beta-enrollment/tokens` | [`GetBetaEnrollmentTokens`] |
//! | `POST /roster/class`, `.../course`, `.../person`, `.../location` | [`FetchRoster`] |
//! | the same with `/sync` | [`SyncRoster`] |
//! | `POST /deviceservicesworkers/escrowKeyUnlock`, elsewhere | [`EscrowKeyUnlock`] |
//!
//! `GET /session` is [`Session::open`](crate::Session::open). A request written here has method, path
//! and body; the session, the name of the software and the protocol version are put in by
//! [`Session::authorize`](crate::Session::authorize).

mod account;
mod account_driven_enrollment;
mod activation_lock;
mod assign_profile;
pub(crate) mod batch;
mod beta_tokens;
mod define_profile;
mod device_details;
mod disown_devices;
mod escrow_key_unlock;
mod fetch_devices;
mod fetch_profile;
mod fetch_roster;
mod remove_profile;
mod replacement_details;
mod sync_devices;
mod sync_roster;

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, Uri, header::CONTENT_TYPE};
use mdm_transport::BuildError;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

pub use account::GetAccount;
pub use account_driven_enrollment::{
    AssignAccountDrivenEnrollmentProfile, FetchAccountDrivenEnrollmentProfile,
    RemoveAccountDrivenEnrollmentProfile,
};
pub use activation_lock::{ActivationLock, ActivationLocked};
pub use assign_profile::{AssignMethod, AssignProfile, Assigned};
pub use batch::DeviceResults;
pub use beta_tokens::GetBetaEnrollmentTokens;
pub use define_profile::{DefineProfile, DefinedProfile};
pub use device_details::{DeviceDetails, GetDeviceDetails};
pub use disown_devices::DisownDevices;
pub use escrow_key_unlock::{DEVICE_SERVICES, EscrowKeyUnlock};
pub use fetch_devices::FetchDevices;
pub use fetch_profile::FetchProfile;
pub use fetch_roster::FetchRoster;
pub use remove_profile::RemoveProfile;
pub use replacement_details::GetReplacementDetails;
pub use sync_devices::SyncDevices;
pub use sync_roster::SyncRoster;

use crate::{ApiError, Error, error::RawBody, model::Cursor, session::JSON};

/// The most items that Apple takes or gives at once where its account says nothing else.
pub const MAX_ITEMS: u32 = 1000;

const MEBIBYTE: usize = 1024 * 1024;

/// The body of the requests that ask for a page.
#[derive(Serialize)]
struct PageBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u32>,
}

impl<'a> PageBody<'a> {
    fn new(
        cursor: Option<&'a Cursor>,
        longest: usize,
        limit: Option<u32>,
    ) -> Result<Self, BuildError> {
        Ok(Self {
            cursor: cursor.map(|cursor| cursor.checked(longest)).transpose()?,
            limit,
        })
    }
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
    let body = successful(endpoint, response)?;
    // One look at the whole text is faster than one at each string.
    let decoded = match std::str::from_utf8(&body) {
        Ok(text) => serde_json::from_str(text),
        Err(_) => serde_json::from_slice(&body),
    };
    decoded.map_err(|source| Error::Decode {
        endpoint,
        body: RawBody::new(body),
        source: Arc::new(source),
    })
}

/// The answer of an endpoint that has nothing to say but that it is done.
fn no_content(endpoint: &'static str, response: Response<Bytes>) -> Result<(), Error> {
    successful(endpoint, response).map(|_| ())
}

fn successful(endpoint: &'static str, response: Response<Bytes>) -> Result<Bytes, Error> {
    match response.status().is_success() {
        true => Ok(response.into_body()),
        false => Err(ApiError::new(endpoint, response).into()),
    }
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
