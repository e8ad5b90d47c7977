//! Answers to check-in messages that a vendor brings along.

use async_trait::async_trait;
use bytes::Bytes;
use http::Response;
use mdm_protocol::checkin::CheckIn;

use crate::enrollment::decide::Sender;

/// Answers the messages that the service records nothing of: `GetToken`, `DeclarativeManagement`,
/// `UserAuthenticate`, `ReturnToService`, `GetBootstrapToken`.
#[async_trait]
pub trait CheckInExtension: std::fmt::Debug + Send + Sync {
    /// The answer to `message`, or `None` to leave it to the service: 410 for `UserAuthenticate`
    /// (Q15), the token that this certificate deposited or an empty 200 for `GetBootstrapToken` (Q11),
    /// 400 for the rest.
    ///
    /// Called once the sender's certificate is known to be the pinned one. Answer with neither 401
    /// nor `com.apple.unrecognized.device` unless the device shall unenrol.
    async fn answer(&self, sender: &Sender, message: &CheckIn) -> Option<Response<Bytes>>;
}
