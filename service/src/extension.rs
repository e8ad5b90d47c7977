//! Answers to check-in messages that a vendor brings along: a trait for each question.
//!
//! | Message | Trait | Without it |
//! |---|---|---|
//! | `UserAuthenticate` | [`UserPolicy`] | 410: the user is not managed at this login (Q15) |
//! | `GetToken` | [`TokenSource`] | 400, as for a service that it does not know (Q13) |
//! | `ReturnToService` | [`ReturnToServiceSource`] | 400 |
//! | `DeclarativeManagement` | [`DeclarativeSource`] | 400; never 404, which tells that a declaration is gone |
//! | any that changes nothing | [`CheckInExtension`], asked first | |
//!
//! Each is called once the sender's certificate is known to be the pinned one.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use http::Response;
use mdm_core::Secret;
use mdm_protocol::checkin::{
    CheckIn, DeclarativeManagement, GetToken, ReturnToService, ReturnToServiceResponse,
};

use crate::{Enrollment, Unavailable, enrollment::decide::Sender};

mod users;

pub use users::{DigestUsers, EveryUser, PasswordDigests, UserAnswer, UserPolicy};

/// Who asks.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Caller<'a> {
    /// The device or the user, with the certificate and the time of the message.
    pub sender: &'a Sender,
    /// The device as it is known.
    pub device: &'a Enrollment,
    /// The user as it is known, if a user asks that was seen before.
    pub user: Option<&'a Enrollment>,
}

/// Hands out tokens (`GetToken`): the JWT of `com.apple.maid` that a server token's key signs, that of
/// `com.apple.watch.pairing`, or one of a service to come.
#[async_trait]
pub trait TokenSource: fmt::Debug + Send + Sync {
    /// The token, or `None` for a service that is not served here: the device is answered 400 (Q13).
    ///
    /// # Errors
    /// [`Unavailable`] if it cannot be told now.
    async fn token(
        &self,
        caller: &Caller<'_>,
        request: &GetToken,
    ) -> Result<Option<Secret<Vec<u8>>>, Unavailable>;
}

/// Tells a device that is being erased how to come back (`ReturnToService`).
#[async_trait]
pub trait ReturnToServiceSource: fmt::Debug + Send + Sync {
    /// The settings, or `None` to have it set up by hand: the device is told that it is not enabled.
    ///
    /// # Errors
    /// [`Unavailable`] if it cannot be told now.
    async fn return_to_service(
        &self,
        caller: &Caller<'_>,
        request: &ReturnToService,
    ) -> Result<Option<ReturnToServiceResponse>, Unavailable>;
}

/// Answers declarative management.
#[async_trait]
pub trait DeclarativeSource: fmt::Debug + Send + Sync {
    /// The answer to `request`, whose [`endpoint`](DeclarativeManagement::endpoint) says what is asked.
    ///
    /// # Errors
    /// [`Unavailable`] if it cannot be told now.
    async fn answer(
        &self,
        caller: &Caller<'_>,
        request: &DeclarativeManagement,
    ) -> Result<DeclarativeAnswer, Unavailable>;
}

/// What declarative management answers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeclarativeAnswer {
    /// 200 with JSON: tokens, items or a declaration.
    Json(Bytes),
    /// 200 without a body: the status report was taken.
    Taken,
    /// 404: the declaration is gone, and the device removes it.
    Gone,
    /// 400: what is asked for does not fit what was advertised; the device asks for the tokens anew.
    Stale,
}

/// Answers a message that changes nothing before anybody else does, such as a `GetBootstrapToken` from
/// an escrow of the vendor's own.
#[async_trait]
pub trait CheckInExtension: fmt::Debug + Send + Sync {
    /// The answer to `message`, or `None` to leave it to the others.
    ///
    /// Answer with neither 401 nor `com.apple.unrecognized.device` unless the device shall unenrol.
    async fn answer(&self, sender: &Sender, message: &CheckIn) -> Option<Response<Bytes>>;
}
