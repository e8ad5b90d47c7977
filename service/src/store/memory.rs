//! A store in memory: for tests, for trying things out, and as the plainest statement of the rules.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_protocol::EnrollmentId;

use super::{CommandStore, CommitError, EnrollmentStore, Outbox, StoreError};
use crate::{
    Enrollment, EnrollmentStatus, Event, Fingerprint, PushTarget,
    enrollment::decide::{Cascade, Loaded, Step, Version},
    queue::{
        CommandRecord, CommandState, Enqueued, NewCommand, Polled, QueuedCommand, Report,
        ReportKind, Sequence, Settlement,
    },
};

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
    last_event: Sequence,
    events: BTreeMap<Sequence, Event>,
}

/// What waits for one enrolment (Q17).
#[derive(Default)]
struct Queue {
    /// Never answered.
    fresh: BTreeSet<Sequence>,
    /// Answered `NotNow`, and offered again since an `Idle`.
    released: BTreeSet<Sequence>,
    /// Answered `NotNow` since the last `Idle`.
    aside: BTreeSet<Sequence>,
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
            .field("events", &state.events.len())
            .finish()
    }
}

impl Queue {
    fn remove(&mut self, sequence: Sequence) -> bool {
        [&mut self.fresh, &mut self.released, &mut self.aside]
            .into_iter()
            .any(|set| set.remove(&sequence))
    }

    fn release(&mut self) {
        self.released.append(&mut self.aside);
    }

    fn next(&self, kind: &ReportKind) -> Option<Sequence> {
        let fresh = self.fresh.first();
        match kind {
            ReportKind::NotNow { .. } => fresh.copied(),
            _ => fresh
                .into_iter()
                .chain(self.released.first())
                .min()
                .copied(),
        }
    }
}

impl State {
    fn write_event(&mut self, event: Event) {
        self.last_event = Sequence::new(self.last_event.number() + 1);
        self.events.insert(self.last_event, event);
    }

    fn cancel_queue_of(&mut self, id: &EnrollmentId, at: DateTime<Utc>) {
        let Some(queue) = self.queues.remove(id) else {
            return;
        };
        for sequence in queue
            .fresh
            .iter()
            .chain(&queue.released)
            .chain(&queue.aside)
        {
            if let Some(record) = self.commands.get_mut(sequence) {
                record.state = CommandState::Cancelled { at };
            }
        }
    }

    fn cascade(&mut self, id: &EnrollmentId, step: &Step) {
        match step.cascade {
            Cascade::None => {}
            Cascade::User => self.cancel_queue_of(id, step.at),
            Cascade::Device => {
                let device = id.of_device();
                let family: Vec<_> = self
                    .enrollments
                    .keys()
                    .filter(|id| id.of_device() == device)
                    .cloned()
                    .collect();
                for id in &family {
                    self.cancel_queue_of(id, step.at);
                    let users = self.enrollments.get_mut(id).filter(|e| e.id != device);
                    if let Some(user) = users.filter(|e| e.status != EnrollmentStatus::Disabled) {
                        user.status = EnrollmentStatus::Disabled;
                        user.disabled_at = Some(step.at);
                        user.push = None;
                    }
                }
            }
        }
    }

    fn settle(&mut self, report: &Report) -> Settlement {
        let queue = self.queues.entry(report.enrollment.clone()).or_default();
        let uuid = match &report.kind {
            ReportKind::Idle => {
                queue.release();
                return Settlement::NoCommand;
            }
            ReportKind::NotNow { command_uuid } | ReportKind::Final { command_uuid, .. } => {
                command_uuid.clone()
            }
        };
        let Some(sequence) = self
            .by_uuid
            .get(&(report.enrollment.clone(), uuid))
            .copied()
        else {
            return Settlement::Unknown;
        };
        if !queue.remove(sequence) {
            return Settlement::Before;
        }
        let record = self.commands.get_mut(&sequence);
        match &report.kind {
            ReportKind::Final {
                status,
                body,
                event,
                ..
            } => {
                if let Some(record) = record {
                    record.state = CommandState::settled(status, body.clone(), report.at);
                }
                self.write_event(event.clone());
                Settlement::Settled
            }
            _ => {
                queue.aside.insert(sequence);
                if let Some(record) = record {
                    record.state = CommandState::NotNow;
                }
                Settlement::SetAside
            }
        }
    }
}

#[async_trait]
impl EnrollmentStore for MemoryStore {
    async fn load(
        &self,
        id: &EnrollmentId,
        certificate: &Fingerprint,
    ) -> Result<Loaded, StoreError> {
        let state = self.state();
        let device = id.of_device();
        Ok(Loaded {
            version: state.versions.get(&device).copied().unwrap_or_default(),
            user: (*id != device)
                .then(|| state.enrollments.get(id).cloned())
                .flatten(),
            device: state.enrollments.get(&device).cloned(),
            certificate_owner: state.pins.get(certificate).cloned(),
        })
    }

    async fn commit(
        &self,
        id: &EnrollmentId,
        version: Version,
        step: Step,
    ) -> Result<(), CommitError> {
        let mut state = self.state();
        let device = id.of_device();
        let current = state.versions.get(&device).copied().unwrap_or_default();
        let pin = step.device.as_ref().and_then(|device| device.certificate);
        let taken = pin
            .and_then(|pin| state.pins.get(&pin))
            .is_some_and(|owner| *owner != device);
        if current != version || taken {
            return Err(CommitError::Conflict);
        }
        state.versions.insert(device.clone(), version.next());
        state.cascade(id, &step);
        if let Some(pin) = pin {
            state.pins.insert(pin, device);
        }
        for enrollment in step.device.into_iter().chain(step.user) {
            state.enrollments.insert(enrollment.id.clone(), enrollment);
        }
        for event in step.events {
            state.write_event(event);
        }
        Ok(())
    }

    async fn enrollment(&self, id: &EnrollmentId) -> Result<Option<Enrollment>, StoreError> {
        Ok(self.state().enrollments.get(id).cloned())
    }

    async fn push_targets(
        &self,
        ids: &[EnrollmentId],
    ) -> Result<Vec<Option<PushTarget>>, StoreError> {
        let state = self.state();
        let target = |id: &EnrollmentId| {
            let enrollment = state.enrollments.get(id)?;
            if enrollment.status != EnrollmentStatus::Enrolled {
                return None;
            }
            let push = enrollment.push.clone()?;
            Some(PushTarget::new(
                id.clone(),
                push.topic,
                push.token,
                push.magic,
            ))
        };
        Ok(ids.iter().map(target).collect())
    }
}

#[async_trait]
impl CommandStore for MemoryStore {
    async fn enqueue(&self, commands: Vec<NewCommand>) -> Result<Vec<Enqueued>, StoreError> {
        let mut guard = self.state();
        let state = &mut *guard;
        let queue_one = |command: NewCommand| {
            let enabled = state
                .enrollments
                .get(&command.enrollment)
                .is_some_and(|e| e.status != EnrollmentStatus::Disabled);
            if !enabled {
                return Enqueued::NotEnrolled;
            }
            let key = (command.enrollment.clone(), command.command_uuid.clone());
            if state.by_uuid.contains_key(&key) {
                return Enqueued::Duplicate;
            }
            let sequence = Sequence::new(state.last_command.number() + 1);
            state.last_command = sequence;
            state.by_uuid.insert(key, sequence);
            let queue = state.queues.entry(command.enrollment.clone()).or_default();
            queue.fresh.insert(sequence);
            let record = CommandRecord::new(command, sequence, CommandState::Queued);
            state.commands.insert(sequence, record);
            Enqueued::Queued(sequence)
        };
        Ok(commands.into_iter().map(queue_one).collect())
    }

    async fn record_report_and_next(&self, report: Report) -> Result<Polled, StoreError> {
        let mut state = self.state();
        let pinned = state
            .enrollments
            .get(&report.enrollment.of_device())
            .is_some_and(|device| device.certificate == Some(report.certificate));
        if !pinned {
            return Ok(Polled::NotPinned);
        }
        let settlement = state.settle(&report);
        let next = state
            .queues
            .get(&report.enrollment)
            .and_then(|queue| queue.next(&report.kind))
            .and_then(|sequence| state.commands.get(&sequence))
            .map(|record| {
                let command = &record.command;
                let body = command.body.clone();
                QueuedCommand::new(record.sequence, &command.command_uuid, body)
            });
        Ok(Polled::Taken { settlement, next })
    }

    async fn command(
        &self,
        id: &EnrollmentId,
        command_uuid: &str,
    ) -> Result<Option<CommandRecord>, StoreError> {
        let state = self.state();
        let key = (id.clone(), command_uuid.to_owned());
        Ok(state
            .by_uuid
            .get(&key)
            .and_then(|sequence| state.commands.get(sequence))
            .cloned())
    }

    async fn commands(
        &self,
        id: &EnrollmentId,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<CommandRecord>, StoreError> {
        let state = self.state();
        Ok(after_key(&state.commands, after)
            .map(|(_, record)| record)
            .filter(|record| record.command.enrollment == *id)
            .take(limit)
            .cloned()
            .collect())
    }

    async fn forget_finished(
        &self,
        before: DateTime<Utc>,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let mut state = self.state();
        let old: Vec<_> = state
            .commands
            .values()
            .filter(|record| match &record.state {
                CommandState::Settled { at, .. } | CommandState::Cancelled { at } => *at < before,
                CommandState::Queued | CommandState::NotNow => false,
            })
            .take(limit)
            .map(|record| record.sequence)
            .collect();
        for sequence in &old {
            if let Some(record) = state.commands.remove(sequence) {
                let key = (record.command.enrollment, record.command.command_uuid);
                state.by_uuid.remove(&key);
            }
        }
        Ok(old.len())
    }
}

#[async_trait]
impl Outbox for MemoryStore {
    async fn events(
        &self,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<(Sequence, Event)>, StoreError> {
        let state = self.state();
        Ok(after_key(&state.events, after)
            .take(limit)
            .map(|(sequence, event)| (*sequence, event.clone()))
            .collect())
    }

    async fn acknowledge_events(&self, through: Sequence) -> Result<(), StoreError> {
        let mut state = self.state();
        state.events.retain(|sequence, _| *sequence > through);
        Ok(())
    }
}

fn after_key<T>(
    map: &BTreeMap<Sequence, T>,
    after: Sequence,
) -> impl Iterator<Item = (&Sequence, &T)> {
    map.range((std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded))
}
