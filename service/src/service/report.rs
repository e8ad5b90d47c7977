//! The command endpoint: a report in, the next command out.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use mdm_protocol::{
    EnrollmentId,
    id::HasIds,
    response::{Envelope, Status},
};

use super::{
    Inner,
    answer::{self, Refused},
    renewal, salvage, told, within_limits,
};
use crate::{
    Event, EventKind, Fingerprint,
    enrollment::decide::{Refusal, Sender},
    queue::{Polled, Report, ReportKind},
};

/// Most bytes of a `Status` in the events and listings. Apple's longest has 18.
const STATUS_BYTES: usize = 64;

/// What a report says to the queue.
pub(super) struct Heading {
    pub(super) enrollment: EnrollmentId,
    pub(super) status: Status,
    pub(super) command_uuid: Option<String>,
}

pub(super) async fn answer(
    service: &Inner,
    request: &Request<Bytes>,
) -> Result<Response<Bytes>, Refused> {
    within_limits(request, service.limits.report_bytes)?;
    let now = service.clock.now();
    let certificate = service.identity.identify(request, now).await?;
    let fingerprint = Fingerprint::of(&certificate).map_err(crate::IdentityError::unusable)?;
    let body = request.body();
    let Heading {
        enrollment,
        status,
        command_uuid,
    } = read(service, body)?;

    let sender = Sender::new(enrollment.clone(), fingerprint, now);
    let kind = match (status, command_uuid) {
        (Status::Idle, _) => ReportKind::Idle,
        // Taken for an `Idle` it would be offered the same command again and again.
        (_, None) => return Err(Refused::Unusable("a report without CommandUUID")),
        (Status::NotNow, Some(uuid)) => ReportKind::not_now(uuid),
        (status, Some(uuid)) => {
            let status = shortened(status.as_str());
            let settled = EventKind::command_settled(&uuid, status);
            let event = Event::new(enrollment.clone(), now, settled);
            let (told, secrets) = match told::may_tell(body) {
                true => {
                    // Nothing is read further, let alone decrypted, for somebody who is not the device.
                    renewal::admit(service, &certificate, &sender).await?;
                    told::told(service, &enrollment, &uuid, body, now).await?
                }
                false => (None, Vec::new()),
            };
            ReportKind::settles(uuid, status, body.clone(), event).telling(told, secrets)
        }
    };
    let report = Report::new(enrollment.clone(), fingerprint, now, kind).at_pace(&service.pace);
    let mut polled = service.store.record_report_and_next(report.clone()).await?;
    if polled == Polled::NotPinned {
        renewal::admit(service, &certificate, &sender).await?;
        polled = service.store.record_report_and_next(report).await?;
    }
    match polled {
        Polled::NotPinned => Err(Refusal::NotPinned.into()),
        Polled::Taken { settlement, next } => {
            tracing::info!(
                enrollment = %enrollment,
                ?settlement,
                next = next.as_ref().map(|next| next.command_uuid.as_str()),
                "report"
            );
            Ok(next.map_or_else(
                || answer::empty(StatusCode::OK),
                |next| answer::plist(next.body.into_bytes()),
            ))
        }
    }
}

/// A `Status` within [`STATUS_BYTES`]; the report as it came is kept beside it.
fn shortened(status: &str) -> &str {
    let longest = status.len().min(STATUS_BYTES);
    let end = (0..=longest).rev().find(|at| status.is_char_boundary(*at));
    end.and_then(|end| status.get(..end)).unwrap_or_default()
}

pub(super) fn limits(service: &Inner) -> mdm_plist::Limits {
    let mut limits = service.limits.plist;
    limits.bytes = service.limits.report_bytes;
    limits
}

/// Reads the heading; from a report that is no property list, by its visible keys: the command that
/// it answers must not stay in the queue for that.
fn read(service: &Inner, body: &Bytes) -> Result<Heading, Refused> {
    match Envelope::decode_with(body, &limits(service)) {
        Ok(envelope) => Ok(Heading {
            enrollment: envelope.enrollment_id()?,
            status: envelope.status,
            command_uuid: envelope.command_uuid,
        }),
        Err(error) => match salvage::heading(body) {
            Some(heading) => {
                tracing::warn!(error = %error, "an undecodable report is settled by its CommandUUID");
                Ok(heading)
            }
            None => Err(error.into()),
        },
    }
}
