//! `POST /server/devices`: all devices of the server, page by page.
//!
//! <https://developer.apple.com/documentation/devicemanagement/fetch-devices>

use bytes::Bytes;
use http::{Method, Request, Response};
use mdm_transport::{ApiRequest, BaseUrl, BuildError, Replay, RequestMeta};

use super::{MEBIBYTE, PageBody, decode, request};
use crate::{
    Error,
    model::{Cursor, DevicePage},
};

/// Asks for the next page of all devices.
///
/// The end is a page without `more_to_follow`, or [`Error::is_cursor_exhausted`]; then
/// [`SyncDevices`](super::SyncDevices) goes on with the same cursor.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FetchDevices {
    /// The cursor of the page before; `None` for the first.
    pub cursor: Option<Cursor>,
    /// How many devices at most, up to 1000; Apple's own default is 100.
    pub limit: Option<u32>,
}

impl FetchDevices {
    /// The first page, as long as Apple makes them.
    pub const fn first() -> Self {
        Self {
            cursor: None,
            limit: Some(super::MAX_ITEMS),
        }
    }

    /// The page behind this cursor.
    pub const fn after(cursor: Cursor) -> Self {
        Self {
            cursor: Some(cursor),
            limit: Some(super::MAX_ITEMS),
        }
    }
}

impl ApiRequest for FetchDevices {
    type Response = DevicePage;
    type Error = Error;
    const META: RequestMeta = RequestMeta::new("server-devices", Replay::Safe, 16 * MEBIBYTE);

    fn to_http(&self, base: &BaseUrl) -> Result<Request<Bytes>, BuildError> {
        let body = PageBody::new(self.cursor.as_ref(), Cursor::MAX_CHARS, self.limit)?;
        request(
            Method::POST,
            base.endpoint("/server/devices", &[])?,
            Some(&body),
        )
    }

    fn from_http(&self, response: Response<Bytes>) -> Result<DevicePage, Error> {
        decode(Self::META.name, response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_request_has_no_cursor_and_an_overlong_one_is_refused() {
        let base: BaseUrl = "https://a.example".parse().unwrap();
        let first = FetchDevices::first().to_http(&base).unwrap();
        assert_eq!(first.body(), r#"{"limit":1000}"#);
        assert_eq!(first.uri(), "https://a.example/server/devices");
        let next = |text: String| FetchDevices::after(Cursor::new(text)).to_http(&base);
        assert_eq!(
            next("c".into()).unwrap().body(),
            r#"{"cursor":"c","limit":1000}"#
        );
        assert!(next("ü".repeat(1000)).is_ok());
        assert!(next("x".repeat(1001)).is_err());
        assert!(next(String::new()).is_err());
    }
}
