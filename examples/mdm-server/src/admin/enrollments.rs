//! Enrolments: looked at, told to call, taken back; what is in escrow for them.

use axum::{
    Json,
    extract::{Path, Query, State},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use mdm_sdk::{
    pki::RevocationReason,
    scep::store::Revocation,
    service::{
        Enrollment, EnrollmentId, EnrollmentStatus, PushOutcome, Reported, store::EnrollmentFilter,
    },
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Problem, json::date, page};
use crate::server::App;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    status: Option<String>,
    serial_number: Option<String>,
    owner: Option<String>,
    #[serde(default)]
    devices_only: bool,
    after: Option<String>,
    limit: Option<usize>,
}

/// A page of enrolments.
pub(super) async fn list(
    State(app): State<App>,
    Query(which): Query<Which>,
) -> Result<Json<Value>, Problem> {
    let status = which.status.as_deref().map(status_of).transpose()?;
    let serial_number = which.serial_number.map(|it| it.parse()).transpose();
    let serial_number = serial_number.map_err(Problem::invalid)?;
    let filter = EnrollmentFilter::new().with(|filter| {
        filter.status = status;
        filter.serial_number = serial_number;
        filter.owner = which.owner;
        filter.devices_only = which.devices_only;
    });
    let after = which.after.as_deref().map(id).transpose()?;
    let limit = page(which.limit);
    let store = app.service.store();
    let found = store.enrollments(&filter, after.as_ref(), limit).await?;
    let next = found.last().filter(|_| found.len() == limit);
    Ok(Json(json!({
        "next": next.map(|last| last.id.to_string()),
        "enrollments": found.iter().map(shown).collect::<Vec<_>>(),
    })))
}

/// One enrolment.
pub(super) async fn one(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(shown(&known(&app, &id(&name)?).await?)))
}

/// Tells it to call.
pub(super) async fn push(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Problem> {
    let id = known(&app, &id(&name)?).await?.id;
    let outcome = app.service.push(&[id]).await?.pop();
    Ok(Json(match outcome {
        Some(PushOutcome::Sent { apns_id, .. }) => json!({"outcome": "sent", "apns_id": apns_id}),
        Some(PushOutcome::Unregistered { .. }) => json!({"outcome": "unregistered"}),
        Some(PushOutcome::Refused { reason, .. }) => {
            json!({"outcome": "refused", "reason": reason})
        }
        Some(PushOutcome::Failed { reason, .. }) => json!({"outcome": "failed", "reason": reason}),
        _ => json!({"outcome": "not_pushable"}),
    }))
}

/// Takes the enrolment back: its queue is cancelled, its places are free, its identity is revoked. The device is not wiped, and
/// not told.
pub(super) async fn retire(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Problem> {
    let Enrollment {
        id, certificate, ..
    } = known(&app, &id(&name)?).await?;
    app.service.retire(&id).await?;
    // Also where it was taken back before, so that a failure is made good by asking again.
    if let Some(pin) = &certificate {
        let reason = RevocationReason::CessationOfOperation;
        let revocation = Revocation::new(app.clock.now(), reason);
        if !app.books.revoke(pin, revocation).await? {
            tracing::warn!(enrollment = %id, "the books do not know its identity, which is not revoked");
        }
    }
    Ok(Json(shown(&known(&app, &id).await?)))
}

/// What is in escrow, the newest first. Each reading is logged.
pub(super) async fn escrow(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Problem> {
    let enrollment = known(&app, &id(&name)?).await?;
    let store = app.service.store();
    let entries = store.escrowed(&enrollment.id, None, 1_000).await?;
    tracing::warn!(enrollment = %enrollment.id, entries = entries.len(), "escrow was read");
    let entries = entries.iter().map(|entry| {
        let value = entry.value.expose();
        json!({
            "kind": entry.kind.as_str(),
            "at": date(entry.at),
            "source": entry.source,
            "value": std::str::from_utf8(value).ok(),
            "value_base64": STANDARD.encode(value),
        })
    });
    let token = enrollment.bootstrap_token.as_ref();
    Ok(Json(json!({
        "entries": entries.collect::<Vec<_>>(),
        "unlock_token_base64": enrollment.unlock_token.as_ref().map(|it| STANDARD.encode(it.expose())),
        "bootstrap_token_base64": token.map(|it| STANDARD.encode(it.token.expose())),
    })))
}

/// The enrolment that a path names.
pub(super) fn id(name: &str) -> Result<EnrollmentId, Problem> {
    name.parse().map_err(Problem::invalid)
}

/// The enrolment, if there is one.
pub(super) async fn known(app: &App, id: &EnrollmentId) -> Result<Enrollment, Problem> {
    let found = app.service.store().enrollment(id).await?;
    found.ok_or_else(|| Problem::not_found("there is no such enrolment"))
}

fn status_of(name: &str) -> Result<EnrollmentStatus, Problem> {
    let all = [
        EnrollmentStatus::Authenticated,
        EnrollmentStatus::Enrolled,
        EnrollmentStatus::Disabled,
    ];
    let found = all.into_iter().find(|status| status_name(*status) == name);
    found.ok_or_else(|| Problem::invalid("status is authenticated, enrolled or disabled"))
}

/// How a status is called.
pub(super) fn status_name(status: EnrollmentStatus) -> &'static str {
    match status {
        EnrollmentStatus::Authenticated => "authenticated",
        EnrollmentStatus::Enrolled => "enrolled",
        EnrollmentStatus::Disabled => "disabled",
        _ => "other",
    }
}

/// An enrolment without its secrets.
pub(super) fn shown(enrollment: &Enrollment) -> Value {
    json!({
        "id": enrollment.id.to_string(),
        "status": status_name(enrollment.status),
        "serial_number": enrollment.serial_number.as_ref().map(AsRef::<str>::as_ref),
        "user_short_name": enrollment.user_short_name,
        "owner": enrollment.owner,
        "licences": enrollment.licences,
        "reported": enrollment.reported.as_ref().map(reported),
        "awaiting_configuration": enrollment.awaiting_configuration,
        "is_pushable": enrollment.is_pushable(),
        "topic": enrollment.push.as_ref().map(|push| push.topic.to_string()),
        "has_bootstrap_token": enrollment.bootstrap_token.is_some(),
        "has_unlock_token": enrollment.unlock_token.is_some(),
        "certificate_sha256": enrollment.certificate.map(|it| it.to_string()),
        "decision": enrollment.decision,
        "authenticated_at": enrollment.authenticated_at.map(date),
        "enrolled_at": enrollment.enrolled_at.map(date),
        "disabled_at": enrollment.disabled_at.map(date),
        "last_seen_at": enrollment.last_seen_at.map(date),
        "push_dead_at": enrollment.push_dead_at.map(date),
    })
}

/// What a device last said of itself.
pub(super) fn reported(reported: &Reported) -> Value {
    json!({
        "at": date(reported.at),
        "os_version": reported.os_version,
        "build_version": reported.build_version,
        "model": reported.model,
        "product_name": reported.product_name,
        "device_name": reported.device_name,
        "is_supervised": reported.is_supervised,
    })
}
