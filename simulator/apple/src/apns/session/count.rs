//! What a session counts, and how it reaches what all of them counted.

use super::Session;
use crate::apns::{Counters, request::Request};

impl Session {
    pub(super) fn count_indexed(&mut self, request: &Request) {
        self.fresh.violations.path_indexed += u64::from(request.path_indexed);
        if request.added > 0 && std::mem::replace(&mut self.indexed_before, true) {
            self.fresh.violations.changing_header_indexed += u64::from(request.added);
        }
    }

    /// Counts a stream that was opened after GOAWAY.
    pub(super) fn count_late(&mut self) {
        match self.goodbye_known {
            true => self.fresh.violations.after_go_away += 1,
            false => self.fresh.raced += 1,
        }
    }

    /// Adds what was counted here to what all connections counted.
    pub(super) fn tell(&mut self) {
        if self.counted == self.told && self.fresh == Counters::default() {
            return;
        }
        let fresh = std::mem::take(&mut self.fresh);
        let (now, before) = (&self.counted, &self.told);
        let mut inner = self.state.lock();
        let all = &mut inner.counters;
        all.arrived += now.arrived - before.arrived;
        all.open_streams = all.open_streams + now.open_streams - before.open_streams;
        all.most_streams = all.most_streams.max(now.most_streams);
        all.connections_closed += u64::from(now.closed) - u64::from(before.closed);
        all.unanswered += fresh.unanswered;
        all.faulted += fresh.faulted;
        all.cancelled += fresh.cancelled;
        all.lost += fresh.lost;
        all.raced += fresh.raced;
        all.go_aways += fresh.go_aways;
        all.resets += fresh.resets;
        all.limit_changes += fresh.limit_changes;
        let (all, fresh) = (&mut all.violations, fresh.violations);
        all.over_limit += fresh.over_limit;
        all.after_go_away += fresh.after_go_away;
        all.protocol += fresh.protocol;
        all.headers_too_long += fresh.headers_too_long;
        all.path_indexed += fresh.path_indexed;
        all.changing_header_indexed += fresh.changing_header_indexed;
        if let Some(kept) = inner.connection(self.counted.number) {
            kept.clone_from(&self.counted);
        }
        drop(inner);
        self.told.clone_from(&self.counted);
        self.state.tick();
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let waiting = self.streams.values().filter(|stream| stream.waiting);
        self.fresh.lost += waiting.count() as u64;
        self.counted.open_streams = 0;
        self.counted.closed = true;
        self.tell();
    }
}
