//! Over-the-air enrolment by a `Profile Service` profile: it asks the device for its attributes (phase 1),
//! the device signs them with Apple's certificate and gets an identity (phase 2), signs them again with
//! that and gets its profile (phase 3).
//!
//! Source: Apple, "Over-the-Air Profile Delivery and Configuration".

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use mdm_core::Secret;
use mdm_pki::Certificate;
use mdm_protocol::enroll::{DeviceAuthorities, MachineInfo, MachineInfoError, VerifiedMachineInfo};

use super::{
    IdentityProfileRequest, Inner, ProfileServiceRequest,
    device_info::parameter,
    hand_out::{Asking, Heard, profile_response},
    ticket::Ticket,
    urls::TICKET,
};
use crate::{
    EnrollmentId, Way,
    service::{admit, answer::Refused},
};

const NOT_OFFERED: Refused = Refused::Status(StatusCode::NOT_FOUND);

/// Phase 1.
pub(super) async fn begin(
    portal: &Inner,
    request: &Request<Bytes>,
) -> Result<Response<Bytes>, Refused> {
    if portal.devices.is_none() {
        return Err(NOT_OFFERED);
    }
    let invitation = admit::named(request.uri());
    let asking = Asking::new(Way::OverTheAir).with(|asking| asking.invitation = invitation);
    let Heard { applicant, verdict } = portal.hear(&asking).await?;
    if let Err(denial) = verdict {
        return Ok(portal.refused(&asking, &denial).await);
    }
    let ticket = Ticket::OverTheAir {
        invitation: invitation.map(str::to_owned),
    };
    let ticket = portal.tickets.seal(ticket, portal.now())?;
    let service = ProfileServiceRequest {
        url: portal.urls.ota_answer(&ticket),
        challenge: Secret::new(ticket),
        invitation: applicant.invitation,
    };
    let profile = portal.profiles.profile_service(&service).await?;
    profile.map(profile_response).ok_or(NOT_OFFERED)
}

/// Phases 2 and 3: who signed tells which.
pub(super) async fn go_on(
    portal: &Inner,
    request: &Request<Bytes>,
) -> Result<Response<Bytes>, Refused> {
    let devices = portal.devices.as_ref().ok_or(NOT_OFFERED)?;
    let given = parameter(request.uri(), TICKET);
    let ticket = given
        .as_deref()
        .and_then(|ticket| portal.tickets.open(ticket, portal.now()));
    let Some(Ticket::OverTheAir { invitation }) = ticket else {
        return Err(Refused::Unusable("a ticket that is expired or not of ours"));
    };
    let now = portal.now();
    let (has_identity, verified) = match devices.verify(request.body(), now) {
        Ok(verified) => (false, verified),
        Err(error) => (true, by_identity(portal, request.body(), error)?),
    };
    let mut info = verified.info;
    if has_identity {
        named(portal, &mut info, &verified.signer).await?;
    }
    // A device repeats what it was given; one that leaves it out came by the address alone.
    let repeated = info.challenge.take();
    if repeated.is_some_and(|repeated| {
        Some(repeated.expose().as_slice()) != given.as_deref().map(str::as_bytes)
    }) {
        return Err(Refused::Unusable("another challenge than it was given"));
    }
    let asking = Asking::new(Way::OverTheAir).with(|asking| {
        asking.machine_info = Some(info);
        asking.invitation = invitation.as_deref();
    });
    if !has_identity {
        let Heard { applicant, verdict } = portal.hear(&asking).await?;
        let grant = match verdict {
            Ok(grant) => grant,
            Err(denial) => return Ok(portal.refused(&asking, &denial).await),
        };
        let identity = IdentityProfileRequest {
            applicant: &applicant,
            grant: &grant,
        };
        if let Some(profile) = portal.profiles.identity_profile(&identity).await? {
            return Ok(profile_response(profile));
        }
    }
    portal.hand_out(asking).await
}

/// Keeps of the names that a device tells under its identity the one that this was issued for: it is the one that Apple's
/// certificate showed in phase 2, and any other may be made up, unless the device is known under both.
async fn named(
    portal: &Inner,
    info: &mut MachineInfo,
    identity: &Certificate,
) -> Result<(), Refused> {
    let name = identity.subject().common_name().unwrap_or_default();
    let is_name = |told: &str| !told.is_empty() && told.eq_ignore_ascii_case(&name);
    let is_udid = info.udid.as_ref().is_some_and(|it| is_name(it.as_str()));
    let is_serial = info.serial.as_ref().is_some_and(|it| is_name(it.as_str()));
    if !is_udid && !is_serial {
        return Err(Refused::Unusable(
            "an identity that was issued for another device",
        ));
    }
    let id = info
        .udid
        .as_ref()
        .map(|udid| EnrollmentId::device(udid.as_str()));
    let known = match id {
        Some(Ok(id)) => portal.service.0.store.enrollment(&id).await?,
        _ => None,
    };
    let are_known = known.is_some_and(|known| known.serial_number == info.serial);
    info.udid.take_if(|_| !is_udid && !are_known);
    info.serial.take_if(|_| !is_serial && !are_known);
    Ok(())
}

/// What a device signed with the identity that it got in phase 2.
fn by_identity(
    portal: &Inner,
    body: &[u8],
    of_device: MachineInfoError,
) -> Result<VerifiedMachineInfo, Refused> {
    let signed_by_another = matches!(of_device, MachineInfoError::Signature(_));
    let Some(identities) = portal.identities.as_ref().filter(|_| signed_by_another) else {
        return Err(of_device.into());
    };
    valid(identities, portal, body)
}

/// An identity is not of the kind whose validity does not matter (Q2). It may be some minutes ahead.
fn valid(
    identities: &DeviceAuthorities,
    portal: &Inner,
    body: &[u8],
) -> Result<VerifiedMachineInfo, Refused> {
    let now = portal.now();
    let verified = identities.verify(body, now)?;
    let skew = mdm_protocol::signature::ClockSkew::default();
    let signer = &verified.signer;
    if signer.not_after() < now || !skew.tolerates(signer.not_before(), now) {
        return Err(Refused::Unusable("an identity that is not valid now"));
    }
    Ok(verified)
}
