//! `POST /roster/...`: all records of a kind, page by page.
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

/// Asks for the next page of all records of a kind, such as
/// [`RosterClass`](crate::model::RosterClass). Apple School Manager only.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FetchRoster<T> {
    /// The cursor of the page before; `None` for the first.
    pub cursor: Option<Cursor>,
    /// How many records at most.
    pub limit: Option<u32>,
    /// The path: [`RosterRecord::PATH`] unless the account lists another one, as was seen of
    /// `/roster/course`.
    pub path: Cow<'static, str>,
    record: PhantomData<T>,
}

impl<T: RosterRecord> FetchRoster<T> {
    /// The first page.
    pub const fn first() -> Self {
        Self {
            cursor: None,
            limit: Some(MAX_ITEMS),
            path: Cow::Borrowed(T::PATH),
            record: PhantomData,
        }
    }

    /// The page behind this cursor.
    pub fn after(cursor: Cursor) -> Self {
        Self {
            cursor: Some(cursor),
            ..Self::first()
        }
    }
}

impl<T: RosterRecord> ApiRequest for FetchRoster<T> {
    type Response = RosterPage<T>;
    type Error = Error;
    const META: RequestMeta = RequestMeta::new("roster", Replay::Safe, 16 * MEBIBYTE);

    fn to_http(&self, base: &BaseUrl) -> Result<Request<Bytes>, BuildError> {
        let longest = Cursor::MAX_ROSTER_CHARS;
        let body = PageBody::new(self.cursor.as_ref(), longest, self.limit)?;
        request(Method::POST, base.endpoint(&self.path, &[])?, Some(&body))
    }

    fn from_http(&self, response: Response<Bytes>) -> Result<RosterPage<T>, Error> {
        decode(Self::META.name, response)
    }
}
