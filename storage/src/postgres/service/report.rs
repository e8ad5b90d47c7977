//! The hot path: one call for a report and the next command.

use mdm_service::{
    EscrowEntry, Event, Reported, StoreError,
    queue::{Polled, QueuedCommand, Report, ReportKind, Settlement},
};
use tokio_postgres::Row;

use super::{
    escrow::Entries,
    rows::{self, get, text},
};
use crate::postgres::engine::Engine;

const REPORT: &str = "SELECT settlement, next_seq, next_uuid, next_body FROM mdm_report(
     $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)";

const IDLE: i16 = 0;
const NOT_NOW: i16 = 1;
const FINAL: i16 = 2;

/// What a final answer brings along.
struct Answer<'a> {
    status: &'a str,
    body: &'a [u8],
    event: &'a Event,
    reported: Option<&'a Reported>,
    escrow: &'a [EscrowEntry],
}

pub(super) async fn record_and_next(
    engine: &Engine,
    report: &Report,
) -> Result<Polled, StoreError> {
    let (kind, uuid, answer) = match &report.kind {
        ReportKind::Idle => (IDLE, None, None),
        ReportKind::NotNow { command_uuid, .. } => (NOT_NOW, Some(command_uuid), None),
        ReportKind::Final {
            command_uuid,
            status,
            body,
            event,
            reported,
            escrow,
            ..
        } => {
            let answer = Answer {
                status,
                body: body.as_ref(),
                event,
                reported: reported.as_ref(),
                escrow,
            };
            (FINAL, Some(command_uuid), Some(answer))
        }
        other => return Err(rows::unknown(other)),
    };
    let answer = answer.as_ref();
    let event = answer.map(|answer| answer.event);
    let told = answer.and_then(|answer| answer.reported);
    let secrets = Entries::new(answer.map_or(&[], |answer| answer.escrow));
    // Before all times for a span that reaches behind them.
    let seen_since = report.at.checked_sub_signed(report.seen_every);
    let seen_since = seen_since.map_or(i64::MIN, |since| since.timestamp_micros());
    let row = engine
        .one(
            REPORT,
            &[
                &report.enrollment.of_device().to_string(),
                &report.enrollment.to_string(),
                &report.certificate.as_bytes().as_slice(),
                &report.at.timestamp_micros(),
                &kind,
                &uuid.map(|uuid| text(uuid)),
                &answer.map(|answer| text(answer.status)),
                &answer.map(|answer| answer.body),
                &event.map(|event| event.enrollment.to_string()),
                &event.map(|event| event.at.timestamp_micros()),
                &event.map(|event| rows::json(&event.kind)).transpose()?,
                &told.map(rows::jsonb).transpose()?,
                &secrets.holders,
                &secrets.kinds,
                &secrets.ats,
                &secrets.sources,
                &secrets.values,
                &report.push.delivered.timestamp_micros(),
                &report.push.set_aside.timestamp_micros(),
                &seen_since,
            ],
        )
        .await?;
    polled(&row)
}

fn polled(row: &Row) -> Result<Polled, StoreError> {
    let settlement = match get(row, 0)? {
        "not_pinned" => return Ok(Polled::NotPinned),
        "no_command" => Settlement::NoCommand,
        "settled" => Settlement::Settled,
        "set_aside" => Settlement::SetAside,
        "before" => Settlement::Before,
        "unknown" => Settlement::Unknown,
        other => return Err(rows::unknown(other)),
    };
    let next = match get::<Option<String>>(row, 2)? {
        None => None,
        Some(uuid) => {
            let sequence = rows::sequence(row, 1)?;
            Some(QueuedCommand::new(sequence, uuid, rows::body(row, 3)?))
        }
    };
    Ok(Polled::taken(settlement, next))
}
