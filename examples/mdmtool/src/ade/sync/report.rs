//! What a sync did, as lines while it does it or as one document at its end.

use std::collections::BTreeMap;

use ade_client::{
    Error,
    service::{Warning, WorkReport},
    sync::{RoundEnd, RoundKind},
};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::changes::Change;
use crate::ade::{Done, console::Console, failure::Failure, text};

/// The lists of the document.
const LISTS: [&str; 5] = ["added", "modified", "released", "assigned", "not_assigned"];

#[derive(Debug, Default)]
pub(super) struct Report {
    /// How many of each.
    counts: BTreeMap<&'static str, usize>,
    /// Which; only where a document is wanted.
    lists: BTreeMap<&'static str, Vec<Value>>,
    kind: Option<RoundKind>,
    end: Option<RoundEnd>,
    pages: u64,
    devices: u64,
    unreadable: u64,
    retired: u64,
    next: Option<DateTime<Utc>>,
    error: Option<Error>,
    pub(super) warnings: Vec<Warning>,
}

impl Report {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// A device changed: a line at once, or an entry of the document.
    pub(super) fn change(&mut self, change: Change, console: &mut Console) -> Done {
        *self.counts.entry(change.list()).or_default() += 1;
        if console.is_json() {
            self.lists
                .entry(change.list())
                .or_default()
                .push(change.json());
            return Ok(());
        }
        console.line(&change.line())
    }

    /// A pass was done. Several make one report where a round took longer than one.
    pub(super) fn add(&mut self, done: &WorkReport) {
        if let Some(sync) = &done.sync {
            self.kind = self.kind.or(Some(sync.kind));
            self.end = Some(sync.end);
            self.pages += sync.pages;
            self.devices += sync.devices;
            self.unreadable += sync.unreadable;
        }
        self.retired += done.retired;
        self.next = done.next;
        self.error.clone_from(&done.error);
    }

    /// What the round was for, if there was one.
    pub(super) fn kind(&self) -> Option<RoundKind> {
        self.kind
    }

    /// Tells it, and fails where the sync did.
    pub(super) fn tell(self, console: &mut Console) -> Done {
        if console.is_json() {
            console.document(&self.json())?;
        } else {
            self.warn(console);
            console.line(&self.summary())?;
        }
        self.outcome()
    }

    /// Tells it on a line of its own, if anything was done.
    pub(super) fn tell_one_of_many(self, console: &mut Console) -> Done {
        let is_worth_it = self.end.is_some() || !self.counts.is_empty() || self.retired > 0;
        if is_worth_it && console.is_json() {
            console.line(&self.json().to_string())?;
        } else if is_worth_it {
            self.warn(console);
            console.line(&self.summary())?;
        }
        self.outcome()
    }

    fn outcome(self) -> Done {
        if let Some(error) = self.error {
            return Err(error.into());
        }
        match self.end {
            Some(RoundEnd::RepeatedCursor) => Err(Failure::Answers(
                "Apple says that more follows, and gives no new cursor to ask with",
            )),
            Some(RoundEnd::RecoverLater) => Err(Failure::Answers(
                "Apple does not know the cursor, and all devices were fetched anew shortly before",
            )),
            _ => Ok(()),
        }
    }

    /// What Apple's side says is wrong comes as the error.
    fn warn(&self, console: &Console) {
        let warnings = self.warnings.iter();
        for warning in warnings.filter(|warning| !matches!(warning, Warning::Trouble(_))) {
            console.note(&text::printable(&warning.to_string()));
        }
        if self.unreadable > 0 {
            console.note(&format!(
                "{} records in Apple's answers cannot be read",
                self.unreadable
            ));
        }
    }

    fn count(&self, list: &str) -> usize {
        self.counts.get(list).copied().unwrap_or_default()
    }

    fn summary(&self) -> String {
        let counted = LISTS.iter().filter(|list| self.count(list) > 0);
        let mut parts: Vec<String> = counted
            .map(|list| format!("{} {}", self.count(list), list.replace('_', " ")))
            .collect();
        if parts.is_empty() {
            parts.push("nothing changed".to_owned());
        }
        let mut line = parts.join(", ");
        line.push_str(match self.end {
            Some(RoundEnd::Complete) => "; the store knows all that Apple knows",
            Some(_) => "; the next sync goes on from here",
            None => "",
        });
        line
    }

    fn json(&self) -> Value {
        let mut document = Map::new();
        let mut put = |key: &str, value: Value| document.insert(key.to_owned(), value);
        put("round", json!(self.kind.map(round)));
        put("end", json!(self.end.map(ending)));
        for list in LISTS {
            let entries = self.lists.get(list).cloned().unwrap_or_default();
            put(list, Value::Array(entries));
        }
        put("pages", self.pages.into());
        put("records", self.devices.into());
        put("unreadable", self.unreadable.into());
        put("retired", self.retired.into());
        put("warnings", json!(self.warnings));
        let next = self
            .next
            .map(|next| next.to_rfc3339_opts(SecondsFormat::Secs, true));
        put("next", json!(next));
        Value::Object(document)
    }
}

fn round(kind: RoundKind) -> &'static str {
    match kind {
        RoundKind::Full => "full",
        _ => "delta",
    }
}

fn ending(end: RoundEnd) -> &'static str {
    match end {
        RoundEnd::Complete => "complete",
        RoundEnd::Paused => "paused",
        RoundEnd::RepeatedCursor => "repeated_cursor",
        RoundEnd::RecoverLater => "recover_later",
        _ => "failed",
    }
}
