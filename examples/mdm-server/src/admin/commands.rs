//! The queue: commands put in, looked at and taken back, with what devices answered.

use axum::{
    Json,
    extract::{Path, Query, State},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use mdm_sdk::{
    plist::Dictionary,
    protocol::Command,
    service::{
        EnqueueOptions,
        queue::{CommandFilter, CommandRecord, CommandState, Enqueued, Sequence},
    },
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Problem,
    enrollments::{id, known},
    json::{date, dictionary, from_plist},
    page,
};
use crate::{schedule::new_uuid, server::App};

/// Most enrolments that one request queues for.
const MOST: usize = 10_000;

/// A command for some enrolments: `request_type` and `keys`, or the whole property list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    enrollments: Vec<String>,
    request_type: Option<String>,
    #[serde(default)]
    keys: Map<String, Value>,
    plist_base64: Option<String>,
    command_uuid: Option<String>,
    #[serde(default)]
    priority: i16,
    expires_at: Option<DateTime<Utc>>,
    /// While one of that key waits no other is queued.
    key: Option<String>,
    /// Queues it whatever the device would say.
    #[serde(default)]
    unchecked: bool,
}

impl New {
    fn command(&mut self) -> Result<Command, Problem> {
        let uuid = self.command_uuid.take();
        match (self.request_type.take(), self.plist_base64.take()) {
            (Some(request_type), None) => {
                let keys = dictionary(std::mem::take(&mut self.keys)).map_err(Problem::invalid)?;
                let uuid = uuid.map_or_else(new_uuid, Ok).map_err(Problem::invalid)?;
                Ok(Command::from_keys(uuid, &request_type, keys))
            }
            (None, Some(_)) if uuid.is_some() || !self.keys.is_empty() => Err(Problem::invalid(
                "a whole property list has its CommandUUID and its keys in it",
            )),
            (None, Some(plist)) => {
                let plist = STANDARD.decode(plist);
                let plist = plist.map_err(|_| Problem::invalid("plist_base64 has to be base64"))?;
                let command = Command::decode(&plist).map_err(Problem::invalid)?;
                match command.command_uuid().is_empty() || command.request_type().is_empty() {
                    true => Err(Problem::invalid("CommandUUID or RequestType is missing")),
                    false => Ok(command),
                }
            }
            _ => Err(Problem::invalid(
                "give a request_type, with keys, or else plist_base64",
            )),
        }
    }
}

/// Queues a command for each.
pub(super) async fn enqueue(
    State(app): State<App>,
    Json(mut new): Json<New>,
) -> Result<Json<Value>, Problem> {
    if new.enrollments.is_empty() || new.enrollments.len() > MOST {
        return Err(Problem::invalid(format!("name 1 to {MOST} enrollments")));
    }
    let ids = new.enrollments.iter().map(|name| id(name));
    let ids = ids.collect::<Result<Vec<_>, _>>()?;
    let command = new.command()?;
    let options = EnqueueOptions::default().with(|options| {
        options.priority = new.priority;
        options.expires_at = new.expires_at;
        options.key = new.key;
        options.is_unchecked = new.unchecked;
    });
    let answers = app.service.enqueue_each(&ids, &command, &options).await?;
    tracing::info!(
        command_uuid = command.command_uuid(),
        request_type = command.request_type(),
        enrollments = ids.len(),
        "command queued"
    );
    let outcomes = ids.iter().zip(answers).map(|(id, answer)| {
        let (outcome, more) = match answer {
            Ok(Enqueued::Queued(sequence)) => ("queued", json!({"sequence": sequence.number()})),
            Ok(Enqueued::Duplicate) => ("duplicate", json!({})),
            Ok(Enqueued::Merged { command_uuid, .. }) => {
                ("merged", json!({"command_uuid": command_uuid}))
            }
            Ok(_) => ("not_enrolled", json!({})),
            Err(unsuitable) => ("unsuitable", json!({"detail": unsuitable.to_string()})),
        };
        let mut told = json!({"enrollment": id.to_string(), "outcome": outcome});
        if let (Value::Object(told), Value::Object(more)) = (&mut told, more) {
            told.extend(more);
        }
        told
    });
    Ok(Json(json!({
        "command_uuid": command.command_uuid(),
        "outcomes": outcomes.collect::<Vec<_>>(),
    })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    waiting: Option<bool>,
    request_type: Option<String>,
    after: Option<u64>,
    limit: Option<usize>,
}

/// A page of an enrolment's commands, in their order.
pub(super) async fn list(
    State(app): State<App>,
    Path(name): Path<String>,
    Query(which): Query<Which>,
) -> Result<Json<Value>, Problem> {
    let id = known(&app, &id(&name)?).await?.id;
    let filter = CommandFilter::new().with(|filter| {
        filter.waiting = which.waiting;
        filter.request_type = which.request_type;
    });
    let limit = page(which.limit);
    let after = which.after.map_or(Sequence::START, Sequence::new);
    let found = app.service.commands(&id, &filter, after, limit).await?;
    let next = found.last().filter(|_| found.len() == limit);
    Ok(Json(json!({
        "next": next.map(|last| last.sequence.number()),
        "commands": found.iter().map(outline).collect::<Vec<_>>(),
    })))
}

/// One command with its keys, and what the device answered.
pub(super) async fn one(
    State(app): State<App>,
    Path((name, command_uuid)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let found = app.service.command(&id(&name)?, &command_uuid).await?;
    let record = found.ok_or_else(|| Problem::not_found("there is no such command"))?;
    let mut told = outline(&record);
    let command = Command::decode(record.command.body.as_ref()).ok();
    let keys = command.map(|command| from_plist(&command.keys().clone().into()));
    if let Value::Object(told) = &mut told {
        told.insert("keys".into(), keys.unwrap_or_default());
        if let CommandState::Settled { body, .. } = &record.state {
            // What cannot be read is there as it came.
            let read = mdm_sdk::plist::from_slice::<Dictionary>(body.as_ref()).ok();
            let read = read.map(|read| from_plist(&read.into()));
            told.insert("result".into(), read.unwrap_or_default());
            let raw = STANDARD.encode(body.as_ref());
            told.insert("result_base64".into(), raw.into());
        }
    }
    Ok(Json(told))
}

/// Takes one command back.
pub(super) async fn cancel(
    State(app): State<App>,
    Path((name, command_uuid)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let cancelled = app.service.cancel(&id(&name)?, &command_uuid).await?;
    Ok(Json(json!({ "cancelled": u64::from(cancelled) })))
}

/// Takes back everything that waits.
pub(super) async fn clear(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Problem> {
    let cancelled = app.service.clear(&[id(&name)?]).await?;
    Ok(Json(json!({ "cancelled": cancelled })))
}

fn outline(record: &CommandRecord) -> Value {
    let command = &record.command;
    let (state, status) = match &record.state {
        CommandState::Queued => ("queued", None),
        CommandState::NotNow => ("not_now", None),
        CommandState::Settled { status, .. } => ("settled", Some(status)),
        CommandState::Cancelled { .. } => ("cancelled", None),
        CommandState::Expired { .. } => ("expired", None),
        _ => ("other", None),
    };
    json!({
        "sequence": record.sequence.number(),
        "command_uuid": command.command_uuid,
        "request_type": command.request_type,
        "queued_at": date(command.at),
        "priority": command.priority,
        "expires_at": command.expires_at.map(date),
        "key": command.key,
        "state": state,
        "status": status,
        "finished_at": record.state.finished_at().map(date),
    })
}
