//! Commands and reports in memory.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_protocol::EnrollmentId;

use super::{MemoryStore, Place, Queue, State, after_key};
use crate::{
    EnrollmentStatus,
    queue::{
        CommandFilter, CommandRecord, CommandState, Enqueued, NewCommand, Polled, PushTimes,
        QueuedCommand, Report, ReportKind, Sequence, Settlement,
    },
    store::{CommandStore, StoreError},
};

#[async_trait]
impl CommandStore for MemoryStore {
    async fn enqueue(&self, commands: Vec<NewCommand>) -> Result<Vec<Enqueued>, StoreError> {
        let mut state = self.state();
        let answers = commands.into_iter().map(|command| state.enqueue(command));
        Ok(answers.collect())
    }

    async fn record_report_and_next(&self, report: Report) -> Result<Polled, StoreError> {
        let mut state = self.state();
        let pinned = state
            .device_of(&report.enrollment)
            .is_some_and(|device| device.certificate == Some(report.certificate));
        if !pinned {
            return Ok(Polled::NotPinned);
        }
        let settlement = state.settle(&report);
        let queue = state.queues.get(&report.enrollment);
        let waiting: Vec<_> = queue.into_iter().flat_map(Queue::waiting).collect();
        state.expire(waiting, report.at, usize::MAX);
        let next = state
            .queues
            .get(&report.enrollment)
            .and_then(|queue| queue.next(&report.kind))
            .and_then(|place| state.commands.get(&place.sequence))
            .map(|record| {
                let command = &record.command;
                let body = command.body.clone();
                QueuedCommand::new(record.sequence, &command.command_uuid, body)
            });
        state.note_contact(&report, next.is_some());
        Ok(Polled::Taken { settlement, next })
    }

    async fn command(
        &self,
        id: &EnrollmentId,
        command_uuid: &str,
    ) -> Result<Option<CommandRecord>, StoreError> {
        let state = self.state();
        Ok(state
            .find(id, command_uuid)
            .and_then(|sequence| state.commands.get(&sequence))
            .cloned())
    }

    async fn commands(
        &self,
        id: &EnrollmentId,
        filter: &CommandFilter,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<CommandRecord>, StoreError> {
        let state = self.state();
        let takes = |record: &&CommandRecord| {
            let command = &record.command;
            command.enrollment == *id
                && filter
                    .waiting
                    .is_none_or(|waiting| record.state.is_waiting() == waiting)
                && filter
                    .request_type
                    .as_ref()
                    .is_none_or(|wanted| command.request_type == *wanted)
        };
        let records = after_key(&state.commands, after).map(|(_, record)| record);
        Ok(records.filter(takes).take(limit).cloned().collect())
    }

    async fn cancel(
        &self,
        id: &EnrollmentId,
        command_uuid: &str,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let found = state.find(id, command_uuid);
        Ok(found.is_some_and(|sequence| state.finish(sequence, CommandState::cancelled(at))))
    }

    async fn clear(&self, ids: &[EnrollmentId], at: DateTime<Utc>) -> Result<u64, StoreError> {
        let mut state = self.state();
        Ok(ids.iter().map(|id| state.cancel_queue_of(id, at)).sum())
    }

    async fn expire(&self, now: DateTime<Utc>, limit: usize) -> Result<usize, StoreError> {
        let mut state = self.state();
        let waiting: Vec<_> = state.queues.values().flat_map(Queue::waiting).collect();
        Ok(state.expire(waiting, now, limit))
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
            .filter(|record| record.state.finished_at().is_some_and(|at| at < before))
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

impl Queue {
    fn release(&mut self) {
        self.released.append(&mut self.aside);
    }

    fn next(&self, kind: &ReportKind) -> Option<Place> {
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
    fn find(&self, id: &EnrollmentId, command_uuid: &str) -> Option<Sequence> {
        let key = (id.clone(), command_uuid.to_owned());
        self.by_uuid.get(&key).copied()
    }

    fn enqueue(&mut self, command: NewCommand) -> Enqueued {
        let id = command.enrollment.clone();
        let enabled = self
            .enrollments
            .get(&id)
            .is_some_and(|e| e.status != EnrollmentStatus::Disabled);
        if !enabled {
            return Enqueued::NotEnrolled;
        }
        if self.find(&id, &command.command_uuid).is_some() {
            return Enqueued::Duplicate;
        }
        if command.key.is_some() {
            let queue = self.queues.get(&id);
            let same = queue.into_iter().flat_map(Queue::waiting).find(|sequence| {
                let waiting = self.commands.get(sequence);
                waiting.is_some_and(|record| record.command.key == command.key)
            });
            if let Some(same) = same
                && self.expire([same], command.at, 1) == 0
                && let Some(record) = self.commands.get(&same)
            {
                return Enqueued::merged(&record.command.command_uuid);
            }
        }
        let sequence = Sequence::new(self.last_command.number() + 1);
        self.last_command = sequence;
        let key = (id.clone(), command.command_uuid.clone());
        self.by_uuid.insert(key, sequence);
        self.due_by(&id, command.at);
        let record = CommandRecord::new(command, sequence, CommandState::Queued);
        let queue = self.queues.entry(id).or_default();
        queue.fresh.insert(Place::of(&record));
        self.commands.insert(sequence, record);
        Enqueued::Queued(sequence)
    }

    fn settle(&mut self, report: &Report) -> Settlement {
        let id = &report.enrollment;
        let uuid = match &report.kind {
            ReportKind::Idle => {
                if let Some(queue) = self.queues.get_mut(id) {
                    queue.release();
                }
                return Settlement::NoCommand;
            }
            ReportKind::NotNow { command_uuid } | ReportKind::Final { command_uuid, .. } => {
                command_uuid
            }
        };
        let Some(sequence) = self.find(id, uuid) else {
            return Settlement::Unknown;
        };
        let ReportKind::Final {
            status,
            body,
            event,
            reported,
            escrow,
            ..
        } = &report.kind
        else {
            if !self.finish(sequence, CommandState::NotNow) {
                return Settlement::Before;
            }
            if let (Some(queue), Some(record)) =
                (self.queues.get_mut(id), self.commands.get(&sequence))
            {
                queue.aside.insert(Place::of(record));
            }
            return Settlement::SetAside;
        };
        let settled = CommandState::settled(status, body.clone(), report.at);
        if !self.finish(sequence, settled) {
            return Settlement::Before;
        }
        if let (Some(told), Some(enrollment)) = (reported, self.enrollments.get_mut(id))
            && let Some(joined) = report.joined(enrollment.reported.clone(), told)
        {
            enrollment.reported = Some(joined.reported);
            if joined.is_news {
                self.move_version(id);
            }
        }
        self.escrow.extend(escrow.iter().cloned());
        self.write_event(event);
        Settlement::Settled
    }

    /// When the enrolment was heard of, and when to push to it next.
    fn note_contact(&mut self, report: &Report, delivered: bool) {
        let id = &report.enrollment;
        if let Some(enrollment) = self.enrollments.get_mut(id)
            && report.moves_last_seen(enrollment.last_seen_at)
        {
            enrollment.last_seen_at = Some(report.at);
        }
        let wanted = match (delivered, self.waits(id)) {
            _ if !self.is_pushable(id) => None,
            (true, _) => Some(report.push.delivered),
            (false, true) => Some(report.push.set_aside),
            (false, false) => None,
        };
        let due = self.due.get(id).copied();
        match PushTimes::settled(report.at, due, wanted) {
            Some(next) => drop(self.due.insert(id.clone(), next)),
            None => drop(self.due.remove(id)),
        }
    }
}
