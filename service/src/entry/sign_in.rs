//! What the vendor brings along where people sign in.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use http::Response;
use mdm_core::Secret;
use mdm_protocol::enroll::{DiscoveryQuery, DiscoveryVersion, MachineInfo, ServiceDiscovery};

use super::page;
use crate::{Account, Denial, Unavailable, Way};

/// Who people are, and the page on which they say so.
///
/// The page belongs to the vendor: a form, or a redirection to an identity provider (the ticket fits into
/// `state`, and is at most some kilobytes of URL-safe text). Once the person is known, the vendor calls
/// [`Portal::signed_in`](super::Portal::signed_in) with the ticket and gives its answer to the browser.
///
/// ```
/// use async_trait::async_trait;
/// use bytes::Bytes;
/// use http::{Response, StatusCode, header};
/// use mdm_service::{
///     Account, Unavailable,
///     entry::{Portal, SignIn, Visit},
/// };
///
/// /// Sends people to an identity provider.
/// #[derive(Debug)]
/// struct Provider;
///
/// #[async_trait]
/// impl SignIn for Provider {
///     async fn page(&self, visit: &Visit) -> Result<Response<Bytes>, Unavailable> {
///         let url = format!("https://id.example.com/authorize?client_id=mdm&state={}", visit.ticket);
///         Response::builder()
///             .status(StatusCode::FOUND)
///             .header(header::LOCATION, url)
///             .body(Bytes::new())
///             .map_err(Unavailable::new)
///     }
/// }
///
/// /// Where the provider sends them back to: the vendor's own path.
/// async fn back(portal: &Portal, state: &str, code: &str) -> Response<Bytes> {
///     let user = user_of(code).await;
///     let account = Account::new(&user).with(|account| {
///         account.managed_apple_account = Some(format!("{user}@example.com"));
///     });
///     portal.signed_in(state, account).await
/// }
/// # async fn user_of(_: &str) -> String { "anna".into() }
/// ```
#[async_trait]
pub trait SignIn: fmt::Debug + Send + Sync {
    /// The page.
    ///
    /// # Errors
    /// [`Unavailable`] if it cannot be shown now.
    async fn page(&self, visit: &Visit) -> Result<Response<Bytes>, Unavailable>;

    /// The page that says why a device is not admitted. By default a plain one with
    /// [`Denial::message`].
    async fn refused(&self, denial: &Denial) -> Response<Bytes> {
        page::refused(denial)
    }

    /// Whose access token it is, where devices get theirs from an OAuth 2.0 server of the vendor's; `None`
    /// for one that is not valid: somebody has to sign in again.
    ///
    /// # Errors
    /// [`Unavailable`] if it cannot be told now.
    async fn account(&self, access_token: &Secret<String>) -> Result<Option<Account>, Unavailable> {
        let _ = access_token;
        Ok(None)
    }

    /// Which enrolment an account gets. The query may be empty, since a redirection loses it (Q16).
    ///
    /// # Errors
    /// [`Unavailable`] if it cannot be told now.
    async fn discover(&self, query: &DiscoveryQuery) -> Result<Discovered, Unavailable> {
        let _ = query;
        Ok(Discovered::Default)
    }
}

/// What service discovery finds.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Discovered {
    /// What [`AccountDriven`](super::AccountDriven) offers every account.
    Default,
    /// This enrolment, here.
    Here(DiscoveryVersion),
    /// Another server.
    Elsewhere(ServiceDiscovery),
    /// Nothing, and why: `com.apple.well-known.failed` with the message.
    Refused(Denial),
}

/// Somebody who is to sign in.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Visit {
    /// Stands for this visit: [`Portal::signed_in`](super::Portal::signed_in) wants it back. Not a secret
    /// of its own: it admits nobody without an account.
    pub ticket: String,
    /// By which way they came.
    pub way: Way,
    /// What the device signed about itself, in automated enrolment.
    pub machine_info: Option<MachineInfo>,
    /// The account that they typed in, in account-driven enrolment.
    pub user_identifier: Option<String>,
}
