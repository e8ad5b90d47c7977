//! How a session ends: in order, at once, without a word, or never.

use super::{Session, Stage};
use crate::apns::{
    Fault, Goodbye,
    frame::{self, Broken, Frame, code, flag, kind, setting},
    hpack,
};

/// What the PING behind a GOAWAY holds: its answer says that the client has seen the GOAWAY.
pub(super) const GOODBYE_PING: &[u8] = b"goodbye?";

/// The connection has ended, and with it this push.
pub(super) struct Ended;

impl Session {
    /// Lets a fault that concerns the connection come true; what is left of it for the push.
    pub(super) fn end_with(&mut self, id: u32, fault: Fault) -> Result<Option<Fault>, Ended> {
        let goodbye = match fault {
            Fault::GoAway => Goodbye::graceful(),
            Fault::AbruptGoAway { code } => Goodbye::abrupt(code),
            Fault::Goodbye(goodbye) => goodbye,
            Fault::FramesAfterGoAway => {
                self.disown(id);
                return Ok(None);
            }
            Fault::Close => {
                self.set_aside(id);
                self.close();
                return Err(Ended);
            }
            Fault::EndlessHeaders => {
                self.set_aside(id);
                frame::put(&mut self.out, kind::HEADERS, 0, id, &[0x88]);
                self.flooded = id;
                self.stage = Stage::Flooding;
                return Err(Ended);
            }
            other => return Ok(Some(other)),
        };
        if !goodbye.graceful {
            self.set_aside(id);
            self.say_goodbye(&goodbye);
            return Err(Ended);
        }
        self.say_goodbye(&goodbye);
        Ok(None)
    }

    /// The push met a fault and is not looked at.
    fn set_aside(&mut self, id: u32) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.waiting = false;
        }
        self.fresh.faulted += 1;
    }

    /// Sends GOAWAY, and ends now or once the open pushes are answered.
    pub(super) fn say_goodbye(&mut self, goodbye: &Goodbye) {
        if matches!(self.stage, Stage::Flooding | Stage::Closing | Stage::Gone) {
            return;
        }
        self.go_away(self.highest, goodbye.code, &goodbye.data);
        if goodbye.graceful {
            frame::put(&mut self.out, kind::PING, 0, 0, GOODBYE_PING);
            if self.stage == Stage::Serving {
                self.stage = Stage::Leaving;
            }
        } else {
            self.take_half();
            self.stage = Stage::Closing;
        }
    }

    /// Drops the connection without a word.
    pub(super) fn close(&mut self) {
        self.take_half();
        self.stage = Stage::Gone;
    }

    /// Ends the connection of a client that broke the protocol.
    pub(super) fn break_off(&mut self, broken: &Broken) {
        self.fresh.violations.protocol += 1;
        self.go_away(self.highest, broken.0, &[]);
        self.stage = Stage::Closing;
    }

    /// Says that this push is not looked at, and goes on as if nothing had been said.
    fn disown(&mut self, id: u32) {
        self.go_away(id.saturating_sub(2), code::NO_ERROR, &[]);
        self.last = Some(self.highest);
        frame::put(&mut self.out, kind::PING, 0, 0, b"are you?");
        let limit = self.counted.max_streams;
        self.limits.push_back(limit);
        frame::put_settings(&mut self.out, &[(setting::MAX_CONCURRENT_STREAMS, limit)]);
        frame::put_number(&mut self.out, kind::WINDOW_UPDATE, 0, 1);
        self.stage = Stage::Leaving;
    }

    fn go_away(&mut self, last: u32, code: u32, data: &[u8]) {
        // A later GOAWAY may name no higher stream (RFC 9113 §6.8).
        let last = self.last.map_or(last, |before| before.min(last));
        self.last = Some(last);
        self.fresh.go_aways += 1;
        frame::put_go_away(&mut self.out, last, code, data);
    }

    /// What comes when nobody answers any more.
    pub(super) fn overhear(&mut self, frame: &Frame<'_>) {
        let opens = frame.kind == kind::HEADERS && frame.stream > self.highest;
        if opens && self.last.is_some_and(|last| frame.stream > last) {
            self.highest = frame.stream;
            self.count_late();
        } else if frame.kind == kind::PING && frame.has(flag::ACK) {
            self.goodbye_known |= frame.payload == GOODBYE_PING;
        }
    }

    /// More of the headers that never end.
    pub(super) fn flood(&mut self) {
        if !self.out.is_empty() {
            return;
        }
        let mut block = Vec::new();
        hpack::put_field(&mut block, b"x-endless", &[b'x'; 16_000]);
        for _ in 0..4 {
            frame::put(&mut self.out, kind::CONTINUATION, 0, self.flooded, &block);
        }
    }
}
