//! Events that a subscriber could not be given.

use axum::{
    Json,
    extract::{Path, Query, State},
};
use mdm_sdk::service::{DeadLetter, queue::Sequence};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Problem, json::date, page};
use crate::server::App;

/// Who hears of events, and how many wait for each.
pub(super) async fn subscribers(State(app): State<App>) -> Result<Json<Value>, Problem> {
    let store = app.service.store();
    let mut shown = Vec::new();
    for name in store.subscribers().await? {
        let waiting = store.pending_events(&name).await?;
        shown.push(json!({"name": name, "waiting": waiting}));
    }
    Ok(Json(json!({ "subscribers": shown })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    after: Option<u64>,
    limit: Option<usize>,
}

/// A page of dead letters.
pub(super) async fn list(
    State(app): State<App>,
    Path(name): Path<String>,
    Query(which): Query<Which>,
) -> Result<Json<Value>, Problem> {
    let limit = page(which.limit);
    let after = which.after.map_or(Sequence::START, Sequence::new);
    let store = app.service.store();
    let letters = store.dead_letters(&name, after, limit).await?;
    let next = letters.last().filter(|_| letters.len() == limit);
    Ok(Json(json!({
        "next": next.map(|last| last.sequence.number()),
        "dead_letters": letters.iter().map(shown).collect::<Vec<_>>(),
    })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Chosen {
    sequences: Vec<u64>,
}

impl Chosen {
    fn sequences(&self) -> Vec<Sequence> {
        self.sequences.iter().copied().map(Sequence::new).collect()
    }
}

/// Has them delivered after all.
pub(super) async fn revive(
    State(app): State<App>,
    Path(name): Path<String>,
    Json(chosen): Json<Chosen>,
) -> Result<Json<Value>, Problem> {
    let store = app.service.store();
    let changed = store
        .revive_dead_letters(&name, &chosen.sequences())
        .await?;
    Ok(Json(json!({ "changed": changed })))
}

/// Forgets them.
pub(super) async fn forget(
    State(app): State<App>,
    Path(name): Path<String>,
    Json(chosen): Json<Chosen>,
) -> Result<Json<Value>, Problem> {
    let store = app.service.store();
    let changed = store
        .forget_dead_letters(&name, &chosen.sequences())
        .await?;
    Ok(Json(json!({ "changed": changed })))
}

fn shown(letter: &DeadLetter) -> Value {
    json!({
        "sequence": letter.sequence.number(),
        "enrollment": letter.event.enrollment.to_string(),
        "happened_at": date(letter.event.at),
        "event": letter.event.kind,
        "reason": letter.reason,
        "at": date(letter.at),
    })
}
