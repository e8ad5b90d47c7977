//! Profile download: a person opens a link.

use bytes::Bytes;
use chrono::TimeDelta;
use http::{Request, Response};
use mdm_core::SerialNumber;

use super::{
    Inner, Portal, Visit,
    hand_out::{Asking, random_name},
    ticket::Ticket,
};
use crate::{
    Account, Claim, Invitation, Unavailable, Way,
    service::{admit, answer::Refused},
};

/// A link for somebody, before any device is known.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Invite {
    /// The account whose device it will be.
    pub owner: Option<String>,
    /// The only device that may enrol with it, if it is for one: it has to tell its serial number, which the
    /// profile's access rights have to allow.
    pub serial_number: Option<SerialNumber>,
    /// The places that the device will take.
    pub claims: Vec<Claim>,
    /// What else the vendor wants to find again; its texts are variables of the profile.
    pub data: serde_json::Value,
    /// How long it may be used; a week unless set.
    pub lifetime: TimeDelta,
}

impl Default for Invite {
    fn default() -> Self {
        Self {
            owner: None,
            serial_number: None,
            claims: Vec::new(),
            data: serde_json::Value::Null,
            lifetime: TimeDelta::weeks(1),
        }
    }
}

impl Invite {
    /// The link after `edit`: sets several fields in one expression.
    #[must_use]
    pub fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }
}

impl Portal {
    /// Invites somebody: the address at which they get their profile, once. Whoever has it may use it.
    ///
    /// [`Urls::over_the_air`](super::Urls::over_the_air) takes the same invitation.
    ///
    /// # Errors
    /// [`Unavailable`] if it cannot be kept.
    pub async fn invite(&self, invite: Invite) -> Result<String, Unavailable> {
        let portal = &*self.0;
        let now = portal.now();
        let end = now.checked_add_signed(invite.lifetime).unwrap_or(now);
        let name = random_name()?;
        let invitation = Invitation::new(&name, now, end).with(|invitation| {
            invitation.owner = invite.owner;
            invitation.serial_number = invite.serial_number;
            invitation.licences = invite.claims;
            invitation.data = invite.data;
        });
        portal.service.0.store.invite(invitation).await?;
        Ok(portal.urls.profile(Some(&name)))
    }
}

/// The profile of an invitation. Without one, somebody has to sign in, or the policy has to admit anybody.
pub(super) async fn profile(
    portal: &Inner,
    request: &Request<Bytes>,
) -> Result<Response<Bytes>, Refused> {
    let invitation = admit::named(request.uri());
    if let (None, Some(sign_in)) = (invitation, &portal.sign_in) {
        let visit = Visit {
            ticket: portal.tickets.seal(Ticket::Link, portal.now())?,
            way: Way::Link,
            machine_info: None,
            user_identifier: None,
        };
        return Ok(sign_in.page(&visit).await?);
    }
    let asking = Asking::new(Way::Link).with(|asking| asking.invitation = invitation);
    portal.hand_out(asking).await
}

/// Somebody signed in before the download.
pub(super) async fn signed_in(
    portal: &Inner,
    account: Account,
) -> Result<Response<Bytes>, Refused> {
    let asking = Asking::new(Way::Link).with(|asking| asking.account = Some(account));
    portal.hand_out(asking).await
}
