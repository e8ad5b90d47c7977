//! A store in memory: for tests, for trying things out, and as the plainest statement of the rules.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::Bound,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use mdm_protocol::EnrollmentId;

use crate::{
    DeadLetter, Enrollment, EscrowEntry, Event, EventKind, Fingerprint, Invitation, PushTarget,
    enrollment::decide::Version,
    queue::{CommandRecord, CommandState, Sequence},
    store::SecretName,
};

mod commands;
mod enrollments;
mod outbox;
mod pushes;
mod rest;
mod sealed;

/// Keeps everything in memory and forgets it when dropped. Never fails.
#[derive(Default)]
pub struct MemoryStore(Mutex<State>);

#[derive(Default)]
struct State {
    versions: BTreeMap<EnrollmentId, Version>,
    enrollments: BTreeMap<EnrollmentId, Enrollment>,
    pins: BTreeMap<Fingerprint, EnrollmentId>,
    last_command: Sequence,
    commands: BTreeMap<Sequence, CommandRecord>,
    by_uuid: BTreeMap<(EnrollmentId, String), Sequence>,
    queues: BTreeMap<EnrollmentId, Queue>,
    /// When a push is due, of those that are pushable.
    due: BTreeMap<EnrollmentId, DateTime<Utc>>,
    invitations: BTreeMap<String, Invitation>,
    escrow: Vec<EscrowEntry>,
    last_event: Sequence,
    mailboxes: BTreeMap<String, Mailbox>,
    /// Who holds a lease, and until when.
    leases: BTreeMap<String, (String, DateTime<Utc>)>,
    vault: BTreeMap<SecretName, Vec<u8>>,
}

/// What waits for one enrolment (Q17).
#[derive(Default)]
struct Queue {
    /// Never answered.
    fresh: BTreeSet<Place>,
    /// Answered `NotNow`, and offered again since an `Idle`.
    released: BTreeSet<Place>,
    /// Answered `NotNow` since the last `Idle`.
    aside: BTreeSet<Place>,
}

/// Sorts as commands are offered: the higher priority first, then the older.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    rank: i32,
    sequence: Sequence,
}

/// What one subscriber has before it.
#[derive(Default)]
struct Mailbox {
    events: BTreeMap<Sequence, Event>,
    dead: BTreeMap<Sequence, DeadLetter>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("MemoryStore")
            .field("enrollments", &state.enrollments.len())
            .field("commands", &state.commands.len())
            .finish_non_exhaustive()
    }
}

impl Place {
    fn of(record: &CommandRecord) -> Self {
        Self {
            rank: -i32::from(record.command.priority),
            sequence: record.sequence,
        }
    }
}

impl Queue {
    fn waiting(&self) -> impl Iterator<Item = Sequence> + '_ {
        let all = [&self.fresh, &self.released, &self.aside];
        all.into_iter().flatten().map(|place| place.sequence)
    }

    fn is_empty(&self) -> bool {
        self.waiting().next().is_none()
    }

    fn remove(&mut self, place: &Place) -> bool {
        [&mut self.fresh, &mut self.released, &mut self.aside]
            .into_iter()
            .any(|set| set.remove(place))
    }
}

impl State {
    fn write_event(&mut self, event: &Event) {
        self.last_event = Sequence::new(self.last_event.number() + 1);
        for mailbox in self.mailboxes.values_mut() {
            mailbox.events.insert(self.last_event, event.clone());
        }
    }

    fn device_of(&self, id: &EnrollmentId) -> Option<&Enrollment> {
        self.enrollments.get(&id.of_device())
    }

    fn move_version(&mut self, id: &EnrollmentId) {
        let version = self.versions.entry(id.of_device()).or_default();
        *version = version.next();
    }

    fn is_pushable(&self, id: &EnrollmentId) -> bool {
        self.enrollments
            .get(id)
            .is_some_and(Enrollment::is_pushable)
    }

    fn waits(&self, id: &EnrollmentId) -> bool {
        self.queues.get(id).is_some_and(|queue| !queue.is_empty())
    }

    /// Makes a push due at `at` at the latest, if it can be pushed to.
    fn due_by(&mut self, id: &EnrollmentId, at: DateTime<Utc>) {
        if self.is_pushable(id) {
            let due = self.due.entry(id.clone()).or_insert(at);
            *due = at.min(*due);
        }
    }

    fn target(&self, id: &EnrollmentId) -> Option<PushTarget> {
        let enrollment = self.enrollments.get(id).filter(|e| e.is_pushable())?;
        let push = enrollment.push.clone()?;
        let (topic, token, magic) = (push.topic, push.token, push.magic);
        Some(PushTarget::new(id.clone(), topic, token, magic))
    }

    /// Takes a waiting command out of its queue and notes what became of it; whether it waited.
    fn finish(&mut self, sequence: Sequence, state: CommandState) -> bool {
        let Some(record) = self.commands.get_mut(&sequence) else {
            return false;
        };
        let queue = self.queues.get_mut(&record.command.enrollment);
        if !queue.is_some_and(|queue| queue.remove(&Place::of(record))) {
            return false;
        }
        record.state = state;
        true
    }

    fn cancel_queue_of(&mut self, id: &EnrollmentId, at: DateTime<Utc>) -> u64 {
        let queue = self.queues.remove(id).unwrap_or_default();
        let mut cancelled = 0;
        for sequence in queue.waiting() {
            if let Some(record) = self.commands.get_mut(&sequence) {
                record.state = CommandState::Cancelled { at };
                cancelled += 1;
            }
        }
        cancelled
    }

    fn cancel_erasures(&mut self, id: &EnrollmentId, at: DateTime<Utc>) {
        let waiting: Vec<_> = self
            .queues
            .get(id)
            .into_iter()
            .flat_map(Queue::waiting)
            .collect();
        for sequence in waiting {
            let record = self.commands.get(&sequence);
            if record.is_some_and(|record| record.command.request_type == "EraseDevice") {
                self.finish(sequence, CommandState::cancelled(at));
            }
        }
    }

    /// Settles those of these commands whose time is over, at most `limit`; tells how many.
    fn expire(
        &mut self,
        waiting: impl IntoIterator<Item = Sequence>,
        now: DateTime<Utc>,
        limit: usize,
    ) -> usize {
        let mut over: Vec<_> = waiting
            .into_iter()
            .filter_map(|sequence| self.commands.get(&sequence))
            .filter(|record| record.command.has_expired(now))
            .map(|record| (record.command.expires_at, record.sequence))
            .collect();
        over.sort_unstable();
        over.truncate(limit);
        for (_, sequence) in &over {
            self.finish(*sequence, CommandState::expired(now));
            if let Some(record) = self.commands.get(sequence) {
                let command = &record.command;
                let expired = EventKind::command_expired(&command.command_uuid);
                let event = Event::new(command.enrollment.clone(), now, expired);
                self.write_event(&event);
            }
        }
        over.len()
    }
}

fn after_key<T>(
    map: &BTreeMap<Sequence, T>,
    after: Sequence,
) -> impl Iterator<Item = (&Sequence, &T)> {
    map.range((Bound::Excluded(after), Bound::Unbounded))
}
