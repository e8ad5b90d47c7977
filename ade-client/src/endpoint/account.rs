//! `GET /account`: the organization and server behind the token.
//!
//! <https://developer.apple.com/documentation/devicemanagement/get-account-detail>

use bytes::Bytes;
use http::{Method, Request, Response};
use mdm_transport::{ApiRequest, BaseUrl, BuildError, Replay, RequestMeta};

use super::{MEBIBYTE, decode, request};
use crate::{Error, model::Account};

/// Asks who the token belongs to and what it may do.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct GetAccount;

impl GetAccount {
    /// The request; it has no parameters.
    pub const fn new() -> Self {
        Self
    }
}

impl ApiRequest for GetAccount {
    type Response = Account;
    type Error = Error;
    const META: RequestMeta = RequestMeta::new("account", Replay::Safe, MEBIBYTE);

    fn to_http(&self, base: &BaseUrl) -> Result<Request<Bytes>, BuildError> {
        request::<()>(Method::GET, base.endpoint("/account", &[])?, None)
    }

    fn from_http(&self, response: Response<Bytes>) -> Result<Account, Error> {
        decode(Self::META.name, response)
    }
}
