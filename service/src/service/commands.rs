//! What the vendor does with the queue: commands put into it, looked at and taken back.

use chrono::{DateTime, Utc};
use mdm_core::Secret;
use mdm_protocol::{Command, EnrollmentId};
use mdm_schema::{Finding, Severity};

use super::Service;
use crate::{
    Enrollment, EnrollmentStatus, EscrowEntry, EscrowKind, StoreError,
    queue::{CommandFilter, CommandRecord, Enqueued, NewCommand, Sequence},
};

/// How a command is queued.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct EnqueueOptions {
    /// What is offered first: the higher, and of the same what was queued first. 0 unless set.
    pub priority: i16,
    /// From when on it is not offered any more; never unless set.
    pub expires_at: Option<DateTime<Utc>>,
    /// While a command of that key waits for an enrolment, another is not queued for it.
    pub key: Option<String>,
    /// Queues the command whatever the schema and the device's last report say of it.
    pub is_unchecked: bool,
}

impl EnqueueOptions {
    /// The options after `edit`: sets several fields in one expression.
    #[must_use]
    pub fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }
}

/// The commands of enrolments. A device fetches them when it calls; a
/// [`PushWorker`](crate::push::PushWorker) makes it call.
impl Service {
    /// How many bytes of commands [`enqueue_each`](Self::enqueue_each) hands to the store at once: 32 MiB. Each
    /// enrolment's copy is sealed by itself, and PostgreSQL takes no message of 1 GiB.
    pub const ENQUEUE_BYTES: usize = 32 * 1024 * 1024;

    /// Queues a command for one enrolment.
    ///
    /// It is checked against Apple's schema, for the system and version that the device last reported,
    /// its supervision and its way of enrolment; a type that the schema does not know passes.
    /// [`enqueue_each`](Self::enqueue_each) can do without.
    ///
    /// A PIN or password that the command sets (`DeviceLock`, `EraseDevice`, `SetRecoveryLock`,
    /// `SetFirmwarePassword`) is in escrow before the command is in the queue. That of a command which the queue does not
    /// take is not, unless what keeps it out comes between a look and the queueing: then no command of the entry's
    /// [`source`](EscrowEntry::source) is in the queue.
    ///
    /// # Errors
    /// [`EnqueueError::Unsuitable`] if the device would refuse the command,
    /// [`EnqueueError::Command`] if it cannot be written as a property list, [`EnqueueError::Store`]: then
    /// nothing is queued.
    pub async fn enqueue(
        &self,
        id: &EnrollmentId,
        command: &Command,
    ) -> Result<Enqueued, EnqueueError> {
        let options = EnqueueOptions::default();
        let answers = self
            .enqueue_each(std::slice::from_ref(id), command, &options)
            .await?;
        match answers.into_iter().next() {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(unsuitable)) => Err(unsuitable.into()),
            None => Ok(Enqueued::NotEnrolled),
        }
    }

    /// Queues a command for each of `ids` that would take it; answers for each, in their order. All that
    /// are queued are queued in one step, but for so large a command that it would be more than
    /// [`ENQUEUE_BYTES`](Self::ENQUEUE_BYTES) together: then it is as many steps as it takes.
    ///
    /// # Errors
    /// [`EnqueueError::Command`] if it cannot be written as a property list, [`EnqueueError::Store`]: then
    /// nothing is queued, of a large command nothing that a former step did not queue. Who asks again gets
    /// [`Enqueued::Duplicate`] for those.
    pub async fn enqueue_each(
        &self,
        ids: &[EnrollmentId],
        command: &Command,
        options: &EnqueueOptions,
    ) -> Result<Vec<Result<Enqueued, Unsuitable>>, EnqueueError> {
        let store = &self.0.store;
        let now = self.0.clock.now();
        let body = bytes::Bytes::from(command.to_xml()?);
        let mut answers = Vec::with_capacity(ids.len());
        let mut suitable = Vec::new();
        let mut places = Vec::new();
        let secret = secret(command);
        let mut secrets = Vec::new();
        for id in ids {
            if !options.is_unchecked
                && let Some(unsuitable) =
                    Unsuitable::of(command, self.device_of(id).await?.as_ref(), id)
            {
                answers.push(Err(unsuitable));
                continue;
            }
            if let Some((kind, value)) = &secret {
                // What is not kept now is not handed to the store either, which might take it a moment later.
                if let Some(answer) = self.kept_out(id, command, options, now).await? {
                    answers.push(Ok(answer));
                    continue;
                }
                secrets.push(
                    EscrowEntry::new(id.clone(), kind.clone(), value.clone(), now)
                        .with(|entry| entry.source = Some(command.command_uuid().to_owned())),
                );
            }
            // Its answer comes from the store.
            places.push(answers.len());
            answers.push(Ok(Enqueued::NotEnrolled));
            let (uuid, request_type) = (command.command_uuid(), command.request_type());
            suitable.push(
                NewCommand::new(id.clone(), uuid, request_type, body.clone(), now).with(|new| {
                    new.priority = options.priority;
                    new.expires_at = options.expires_at;
                    new.key.clone_from(&options.key);
                }),
            );
        }
        if !secrets.is_empty() {
            // First, for a device whose PIN nobody knows is lost.
            store.escrow(secrets).await?;
        }
        let at_once = (Self::ENQUEUE_BYTES / body.len().max(1)).max(1);
        let mut places = places.into_iter();
        let mut suitable = suitable.into_iter().peekable();
        while suitable.peek().is_some() {
            let step = suitable.by_ref().take(at_once).collect();
            for (queued, place) in store.enqueue(step).await?.into_iter().zip(&mut places) {
                if let Some(answer) = answers.get_mut(place) {
                    *answer = Ok(queued);
                }
            }
        }
        Ok(answers)
    }

    /// What the queue answers, as [`CommandStore::enqueue`](crate::store::CommandStore::enqueue) does, if at this moment
    /// it does not take the command.
    async fn kept_out(
        &self,
        id: &EnrollmentId,
        command: &Command,
        options: &EnqueueOptions,
        now: DateTime<Utc>,
    ) -> Result<Option<Enqueued>, StoreError> {
        let store = &self.0.store;
        let known = store.enrollment(id).await?;
        if known.is_none_or(|known| known.status == EnrollmentStatus::Disabled) {
            return Ok(Some(Enqueued::NotEnrolled));
        }
        if store.command(id, command.command_uuid()).await?.is_some() {
            return Ok(Some(Enqueued::Duplicate));
        }
        if options.key.is_none() {
            return Ok(None);
        }
        let waiting = CommandFilter::new().with(|filter| filter.waiting = Some(true));
        let mut after = Sequence::START;
        loop {
            let page = store.commands(id, &waiting, after, PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(None);
            };
            after = last.sequence;
            let mut waiting = page.iter().map(|record| &record.command);
            // One whose time is over makes room.
            if let Some(same) =
                waiting.find(|waiting| waiting.key == options.key && !waiting.has_expired(now))
            {
                return Ok(Some(Enqueued::merged(&same.command_uuid)));
            }
        }
    }

    /// What is known of the device behind an enrolment.
    async fn device_of(&self, id: &EnrollmentId) -> Result<Option<Enrollment>, StoreError> {
        let device = id.of_device();
        self.0.store.enrollment(&device).await
    }

    /// A command with what became of it: [`mdm_protocol::response::Envelope`] reads its result.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot answer.
    pub async fn command(
        &self,
        id: &EnrollmentId,
        command_uuid: &str,
    ) -> Result<Option<CommandRecord>, StoreError> {
        self.0.store.command(id, command_uuid).await
    }

    /// The enrolment's commands that `filter` takes, after `after`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot answer.
    pub async fn commands(
        &self,
        id: &EnrollmentId,
        filter: &CommandFilter,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<CommandRecord>, StoreError> {
        self.0.store.commands(id, filter, after, limit).await
    }

    /// Takes one command back; whether it waited. A device that has it already may still carry it out.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed: then it is as it was.
    pub async fn cancel(&self, id: &EnrollmentId, command_uuid: &str) -> Result<bool, StoreError> {
        let now = self.0.clock.now();
        self.0.store.cancel(id, command_uuid, now).await
    }

    /// Takes back everything that waits for each of `ids`, in one step; tells how many commands that
    /// were. A device's users have queues of their own.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed: then all is as it was.
    pub async fn clear(&self, ids: &[EnrollmentId]) -> Result<u64, StoreError> {
        self.0.store.clear(ids, self.0.clock.now()).await
    }
}

/// How many waiting commands are read at once.
const PAGE: usize = 100;

/// The PIN or password that a command sets.
fn secret(command: &Command) -> Option<(EscrowKind, Secret<Vec<u8>>)> {
    let (key, kind) = match command.request_type() {
        "DeviceLock" | "EraseDevice" => ("PIN", EscrowKind::DeviceLockPin),
        "SetRecoveryLock" => ("NewPassword", EscrowKind::RecoveryLockPassword),
        "SetFirmwarePassword" => ("NewPassword", EscrowKind::FirmwarePassword),
        _ => return None,
    };
    let value = command.keys().get(key)?.as_string()?;
    (!value.is_empty()).then(|| (kind, Secret::new(value.as_bytes().to_vec())))
}

/// Why a command was not queued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnqueueError {
    /// It holds what a property list cannot.
    #[error("the command cannot be written")]
    Command(#[from] mdm_protocol::Error),
    /// The device would refuse it.
    #[error(transparent)]
    Unsuitable(#[from] Unsuitable),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A command that a device would refuse.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("the device would refuse the command: {}", first(.findings))]
#[non_exhaustive]
pub struct Unsuitable {
    /// What is wrong with it; all are errors.
    pub findings: Vec<Finding>,
}

impl Unsuitable {
    fn of(command: &Command, device: Option<&Enrollment>, id: &EnrollmentId) -> Option<Self> {
        let target = device
            .and_then(|device| device.reported.as_ref())
            .and_then(|reported| reported.target(id));
        let mut findings = command.validate(target.as_ref());
        findings.retain(|finding| finding.severity == Severity::Error);
        (!findings.is_empty()).then_some(Self { findings })
    }
}

fn first(findings: &[Finding]) -> String {
    let one = findings.first();
    one.map_or_else(String::new, |finding| {
        format!("{}: {}", finding.path, finding.message)
    })
}
