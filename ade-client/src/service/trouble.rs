//! What an error means for the account: its trouble, and how long Apple is left alone.

use std::{error::Error as _, time::Duration};

use chrono::{DateTime, Utc};

use super::{AdeService, lease::Held};
use crate::{
    Error, ErrorCode, Policy,
    assign::SHORTEST_WAIT,
    record::{AccountRecord, Trouble, TroubleKind},
    store::{Changes, Reads},
    sync::later,
};

/// The most characters that are kept of an error.
const MOST_WORDS: usize = 500;

impl AdeService {
    /// Records an error that concerns the whole account: its trouble, and that Apple is left alone
    /// for a while.
    pub(super) async fn met(&self, held: &Held, error: &Error) -> Result<(), Error> {
        let now = self.inner.clock.now();
        let policy = self.inner.policy.clone();
        let error = error.clone();
        self.held_step(held, Reads::account(), move |record, _| {
            meet(record, &error, now);
            let wait = retry_after(&error, &policy, now).unwrap_or(policy.wait_after_error);
            record.sync.not_before = Some(later(now, wait));
            Ok((Changes::default(), ()))
        })
        .await
    }
}

/// How long Apple asked to wait: a minute at least, [`Policy::longest_wait`] at most.
pub(super) fn retry_after(error: &Error, policy: &Policy, now: DateTime<Utc>) -> Option<Duration> {
    let asked = error.api()?.retry_after(now)?;
    Some(asked.max(SHORTEST_WAIT).min(policy.longest_wait))
}

/// Notes the trouble that an error stands for, if it stands for one.
pub(super) fn meet(record: &mut AccountRecord, error: &Error, now: DateTime<Utc>) {
    let has_expired = record
        .credentials
        .as_ref()
        .is_some_and(|credentials| credentials.token.is_expired(now));
    if let Some(kind) = kind(error, has_expired) {
        note(record, kind, in_words(error), now);
    }
}

/// Notes a trouble; one that is there already keeps its beginning.
pub(super) fn note(
    record: &mut AccountRecord,
    kind: TroubleKind,
    detail: String,
    now: DateTime<Utc>,
) {
    let since = record
        .trouble
        .as_ref()
        .filter(|trouble| trouble.kind == kind)
        .map_or(now, |trouble| trouble.since);
    let mut trouble = Trouble::new(kind, detail, now);
    trouble.since = since;
    record.trouble = Some(trouble);
}

/// Apple has answered as it should: what kept the account from working does so no more. A profile
/// that it does not know, and a cursor that it repeats, are told apart by `kinds`.
pub(super) fn clear(record: &mut AccountRecord, ends: impl Fn(&TroubleKind) -> bool) {
    record.trouble = record.trouble.take().filter(|trouble| !ends(&trouble.kind));
}

fn kind(error: &Error, token_has_expired: bool) -> Option<TroubleKind> {
    let kind = match error {
        Error::Store(_) | Error::Refused(_) => return None,
        Error::Transport(_) => TroubleKind::Unreachable,
        _ if error.is_token_expired() => TroubleKind::TokenExpired,
        _ if error.is_unauthorized() && token_has_expired => TroubleKind::TokenExpired,
        _ if error.is_token_superseded() => TroubleKind::TokenSuperseded,
        _ if error.is_terms_not_signed() => TroubleKind::TermsNotSigned,
        _ if error.code() == Some(&ErrorCode::AccessDenied) => TroubleKind::AccessDenied,
        _ if error.is_unauthorized() => TroubleKind::TokenRevoked,
        _ if error.is_busy() => TroubleKind::Busy,
        _ if error.is_profile_not_found() => TroubleKind::ProfileNotFound,
        _ => TroubleKind::Unexpected,
    };
    Some(kind)
}

/// The error and what caused it, in one line. Of an answer that cannot be read only the place is
/// told: `serde_json` repeats values, however long.
fn in_words(error: &Error) -> String {
    let mut words = error.to_string();
    if let Error::Decode { source, .. } = error {
        let (line, column) = (source.line(), source.column());
        words.push_str(&format!(" at line {line}, column {column}"));
        return words;
    }
    let mut cause = error.source();
    while let Some(source) = cause {
        words.push_str(": ");
        words.push_str(&source.to_string());
        cause = source.source();
    }
    if let Some((end, _)) = words.char_indices().nth(MOST_WORDS) {
        words.truncate(end);
    }
    words
}
