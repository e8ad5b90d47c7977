//! What a push is answered, rightly or as its fault wants it.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::{Due, Session};
use crate::apns::{
    Fault, Goodbye, Received,
    check::{self, Rejection},
    frame::{self, flag, kind},
    hpack,
    id::Id,
    request::Request,
    state::Inner,
};

/// How much may wait to be written before no more of a body is added.
const BODY_ROOM: usize = 64 * 1024;

/// What becomes of a push that was looked at.
enum Verdict {
    Taken(Id),
    Rejected(Rejection),
}

impl Session {
    /// Answers what is due by now.
    pub(in crate::apns) fn answer_due(&mut self, now: DateTime<Utc>) {
        if self.next_due().is_none_or(|at| at > now) {
            return;
        }
        let state = Arc::clone(&self.state);
        let mut inner = state.lock();
        while self.due.front().is_some_and(|due| due.at <= now)
            && let Some(due) = self.due.pop_front()
        {
            self.answer(&mut inner, due, now);
        }
        drop(inner);
        if let Some(throttling) = self.orders.throttling
            && self.rejections >= throttling.go_away_at
            && self.last.is_none()
        {
            self.say_goodbye(&Goodbye::graceful());
        }
    }

    /// Looks at every other push that waits, and answers none.
    pub(super) fn take_half(&mut self) {
        let state = Arc::clone(&self.state);
        let mut inner = state.lock();
        let now = self.due.front().map(|due| due.at).unwrap_or_default();
        let due = std::mem::take(&mut self.due);
        for due in due.into_iter().filter(|due| due.fault.is_none()).step_by(2) {
            if let Some(Verdict::Taken(_)) = self.look(&mut inner, due.stream, now) {
                self.fresh.unanswered += 1;
            }
        }
    }

    fn answer(&mut self, inner: &mut Inner, due: Due, now: DateTime<Utc>) {
        let id = due.stream;
        if let Some(fault) = due.fault {
            return self.misbehave(id, fault);
        }
        match self.look(inner, id, now) {
            None => {}
            Some(Verdict::Taken(apns_id)) => {
                self.client.trusted = true;
                self.respond(id, 200, apns_id, Bytes::new());
            }
            Some(Verdict::Rejected(rejection)) => {
                let mut body = serde_json::json!({ "reason": rejection.reason });
                if let Some(since) = rejection.since {
                    body["timestamp"] = since.timestamp_millis().into();
                }
                self.count_rejection(rejection.status, rejection.reason);
                let apns_id = self.id_of(id);
                self.respond(id, rejection.status, apns_id, body.to_string().into());
            }
        }
    }

    /// Checks a push and keeps it where it passes; `None` where it is gone.
    fn look(&mut self, inner: &mut Inner, id: u32, now: DateTime<Utc>) -> Option<Verdict> {
        let made = Id::version_4(self.ids);
        let stream = self.streams.get_mut(&id)?;
        if !std::mem::take(&mut stream.waiting) {
            return None;
        }
        let own_topic = self.client.topic.as_deref();
        let checked = match self.client.refused {
            Some(reason) => Err(Rejection {
                status: 403,
                reason,
                since: None,
            }),
            None => check::check(&stream.request, own_topic, |token| {
                inner.tokens.status(token)
            }),
        };
        let passed = match checked {
            Ok(passed) => passed,
            Err(rejection) => {
                inner.rejected(rejection.status, rejection.reason);
                return Some(Verdict::Rejected(rejection));
            }
        };
        let apns_id = passed.apns_id.unwrap_or_else(|| {
            self.ids = self.ids.wrapping_add(1);
            made
        });
        inner.accepted(apns_id);
        self.counted.accepted += 1;
        if inner.tokens.keeps() {
            inner.tokens.keep(Received {
                token: passed.token,
                magic: passed.magic.into_owned(),
                topic: passed.topic.to_owned(),
                priority: passed.priority,
                expiration: passed.expiration,
                apns_id: apns_id.to_string(),
                connection: self.counted.number,
                at: now,
            });
        }
        Some(Verdict::Taken(apns_id))
    }

    /// Counts what Apple throttles for.
    fn count_rejection(&mut self, status: u16, reason: &str) {
        if (400..500).contains(&status) && status != 410 {
            let weight = if reason == "BadDeviceToken" { 2 } else { 1 };
            self.rejections = self.rejections.saturating_add(weight);
        }
    }

    fn misbehave(&mut self, id: u32, fault: Fault) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        stream.waiting = false;
        self.fresh.faulted += 1;
        let apns_id = self.id_of(id);
        match fault {
            Fault::Reject { status, reason } => {
                self.count_rejection(status, &reason);
                let body = serde_json::json!({ "reason": reason });
                self.respond(id, status, apns_id, body.to_string().into());
            }
            Fault::Raw { status, body } => {
                self.count_rejection(status, "");
                self.respond(id, status, apns_id, body);
            }
            Fault::HugeBody { status, bytes } => {
                let mut body = br#"{"reason":""#.to_vec();
                body.resize(bytes.max(body.len()), b'x');
                self.respond(id, status, apns_id, body.into());
            }
            Fault::LongHeaders { bytes } => {
                let block = self.start_block(200);
                hpack::put_field(block, b"x-long", &vec![b'x'; bytes]);
                self.put_block(id, true);
                self.drop_stream(id);
            }
            Fault::StallBody { status } => {
                self.start_block(status);
                self.put_block(id, false);
            }
            Fault::Reset { code } => self.reset(id, code),
            // The stream stays open. What concerns the whole connection does not come here.
            _ => {}
        }
    }

    /// Writes an answer, and ends the stream with it.
    fn respond(&mut self, id: u32, status: u16, apns_id: Id, body: Bytes) {
        let block = self.start_block(status);
        hpack::put_field(block, b"apns-id", &apns_id.text());
        self.put_block(id, body.is_empty());
        if body.is_empty() {
            self.drop_stream(id);
        } else if let Some(stream) = self.streams.get_mut(&id) {
            stream.sending = body;
            self.senders.push(id);
        }
    }

    fn start_block(&mut self, status: u16) -> &mut Vec<u8> {
        let block = &mut self.block_room;
        block.clear();
        if std::mem::take(&mut self.table_shrunk) {
            hpack::put_no_table(block);
        }
        hpack::put_status(block, status);
        block
    }

    fn put_block(&mut self, id: u32, end_stream: bool) {
        frame::put_headers(&mut self.out, id, end_stream, &self.block_room);
    }

    /// Writes as much of the bodies as the client takes.
    pub(super) fn send_bodies(&mut self) {
        let mut senders = std::mem::take(&mut self.senders);
        senders.retain(|id| self.send_body(*id));
        self.senders = senders;
    }

    /// Writes more of this body; whether something is left.
    fn send_body(&mut self, id: u32) -> bool {
        while let Some(stream) = self.streams.get_mut(&id) {
            let room = stream.window.min(self.window).max(0);
            let room = usize::try_from(room).unwrap_or(usize::MAX);
            let length = stream.sending.len().min(room).min(frame::MAX_PAYLOAD);
            if length == 0 || self.out.len() > BODY_ROOM {
                return true;
            }
            let part = stream.sending.split_to(length);
            stream.window -= length as i64;
            self.window -= length as i64;
            let end = stream.sending.is_empty();
            let flags = if end { flag::END_STREAM } else { 0 };
            frame::put(&mut self.out, kind::DATA, flags, id, &part);
            if end {
                self.drop_stream(id);
            }
        }
        false
    }

    /// The `apns-id` that the push came with, or a new one.
    fn id_of(&mut self, id: u32) -> Id {
        let request = self.streams.get(&id).map(|stream| &stream.request);
        let own = request.and_then(Request::id);
        own.unwrap_or_else(|| {
            self.ids = self.ids.wrapping_add(1);
            Id::version_4(self.ids)
        })
    }
}
