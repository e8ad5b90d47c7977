//! `POST /devices/sync`: what changed since a cursor.
//!
//! <https://developer.apple.com/documentation/devicemanagement/sync-devices>

use bytes::Bytes;
use http::{Method, Request, Response};
use mdm_transport::{ApiRequest, BaseUrl, BuildError, Replay, RequestMeta};

use super::{MEBIBYTE, PageBody, decode, request};
use crate::{
    Error,
    model::{Cursor, DevicePage},
};

/// Asks for the changes since a cursor, which lives 7 days.
///
/// Devices carry `op_type` and `op_date`; of several records for one serial number the latest
/// counts. [`Error::is_cursor_expired`] and [`Error::is_cursor_invalid`] mean: fetch all again.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SyncDevices {
    /// Where the last fetch or sync ended.
    pub cursor: Cursor,
    /// How many records at most, up to 1000; Apple's own default is 100.
    pub limit: Option<u32>,
}

impl SyncDevices {
    /// The changes since this cursor.
    pub const fn new(cursor: Cursor) -> Self {
        Self {
            cursor,
            limit: Some(super::MAX_ITEMS),
        }
    }
}

impl ApiRequest for SyncDevices {
    type Response = DevicePage;
    type Error = Error;
    const META: RequestMeta = RequestMeta::new("devices-sync", Replay::Safe, 16 * MEBIBYTE);

    fn to_http(&self, base: &BaseUrl) -> Result<Request<Bytes>, BuildError> {
        let body = PageBody::new(Some(&self.cursor), Cursor::MAX_CHARS, self.limit)?;
        request(
            Method::POST,
            base.endpoint("/devices/sync", &[])?,
            Some(&body),
        )
    }

    fn from_http(&self, response: Response<Bytes>) -> Result<DevicePage, Error> {
        decode(Self::META.name, response)
    }
}
