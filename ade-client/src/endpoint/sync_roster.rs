//! `POST /roster/.../sync`: which records of a kind changed since a cursor.
//!
//! <https://developer.apple.com/documentation/devicemanagement/roster-management>

use std::{borrow::Cow, marker::PhantomData};

use bytes::Bytes;
use http::{Method, Request, Response};
use mdm_transport::{ApiRequest, BaseUrl, BuildError, Replay, RequestMeta};

use super::{MAX_ITEMS, MEBIBYTE, PageBody, decode, request};
use crate::{
    Error,
    model::{Cursor, RosterPage, RosterRecord},
};

/// Asks for the records of a kind that changed since a cursor, which lives 7 days.
///
/// One record may come several times; the latest `op_date` counts.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SyncRoster<T> {
    /// Where the last fetch or sync ended.
    pub cursor: Cursor,
    /// How many records at most.
    pub limit: Option<u32>,
    /// The path that the records are fetched from: [`RosterRecord::PATH`] unless the account lists
    /// another one.
    pub path: Cow<'static, str>,
    record: PhantomData<T>,
}

impl<T: RosterRecord> SyncRoster<T> {
    /// The changes since this cursor.
    pub const fn new(cursor: Cursor) -> Self {
        Self {
            cursor,
            limit: Some(MAX_ITEMS),
            path: Cow::Borrowed(T::PATH),
            record: PhantomData,
        }
    }
}

impl<T: RosterRecord> ApiRequest for SyncRoster<T> {
    type Response = RosterPage<T>;
    type Error = Error;
    const META: RequestMeta = RequestMeta::new("roster-sync", Replay::Safe, 16 * MEBIBYTE);

    fn to_http(&self, base: &BaseUrl) -> Result<Request<Bytes>, BuildError> {
        let longest = Cursor::MAX_ROSTER_CHARS;
        let body = PageBody::new(Some(&self.cursor), longest, self.limit)?;
        let uri = base.endpoint(&format!("{}/sync", self.path), &[])?;
        request(Method::POST, uri, Some(&body))
    }

    fn from_http(&self, response: Response<Bytes>) -> Result<RosterPage<T>, Error> {
        decode(Self::META.name, response)
    }
}
