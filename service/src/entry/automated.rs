//! Automated Device Enrollment: the device asks for the profile that Apple's assignment pointed it to.

use bytes::Bytes;
use http::{Request, Response};
use mdm_protocol::enroll::MachineInfo;

use super::{Inner, Visit, device_info::machine_info, hand_out::Asking, ticket::Ticket};
use crate::{Account, Way, service::answer::Refused};

/// `url`: nobody signs in.
pub(super) async fn profile(
    portal: &Inner,
    request: &Request<Bytes>,
) -> Result<Response<Bytes>, Refused> {
    let info = machine_info(portal, request)?;
    let asking = Asking::new(Way::Automated).with(|asking| asking.machine_info = Some(info));
    portal.hand_out(asking).await
}

/// `configuration_web_url`: the page on which somebody signs in. Without [`SignIn`](super::SignIn) the
/// profile comes at once.
pub(super) async fn page(
    portal: &Inner,
    request: &Request<Bytes>,
) -> Result<Response<Bytes>, Refused> {
    let info = machine_info(portal, request)?;
    let Some(sign_in) = &portal.sign_in else {
        return with_page(portal, info, None).await;
    };
    let visit = Visit {
        ticket: portal.tickets.seal(Ticket::page(&info), portal.now())?,
        way: Way::AutomatedWithPage,
        machine_info: Some(info),
        user_identifier: None,
    };
    Ok(sign_in.page(&visit).await?)
}

/// Somebody signed in on that page.
pub(super) async fn signed_in(
    portal: &Inner,
    info: MachineInfo,
    account: Account,
) -> Result<Response<Bytes>, Refused> {
    with_page(portal, info, Some(account)).await
}

async fn with_page(
    portal: &Inner,
    info: MachineInfo,
    account: Option<Account>,
) -> Result<Response<Bytes>, Refused> {
    let asking = Asking::new(Way::AutomatedWithPage).with(|asking| {
        asking.machine_info = Some(info);
        asking.account = account;
    });
    portal.hand_out(asking).await
}
