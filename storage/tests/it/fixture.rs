//! A device, its certificate and its commands.

use chrono::{DateTime, Utc};
use mdm_core::{PushMagic, PushToken, Secret, SerialNumber, Topic};
use mdm_service::{
    EnrollmentId, EnrollmentKind, Event, EventKind, Fingerprint, PushAddress, Store, StoreError,
    enrollment::decide::{Message, Sender, TokenUpdated, decide},
    queue::{
        CommandFilter, CommandRecord, Enqueued, NewCommand, Polled, Report, ReportKind, Sequence,
    },
    store::{CommitError, EnrollmentFilter},
};

pub(crate) const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

pub(crate) fn device(n: usize) -> EnrollmentId {
    EnrollmentId::device(format!("DEVICE-{n}")).unwrap()
}

pub(crate) fn certificate(n: usize) -> Fingerprint {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&n.to_le_bytes());
    Fingerprint::new(bytes)
}

/// Takes a message in as the service does.
pub(crate) async fn take(
    store: &impl Store,
    n: usize,
    message: Message,
) -> Result<(), CommitError> {
    let sender = Sender::new(device(n), certificate(n), NOW);
    let loaded = store.load(&sender.id, &sender.certificate).await?;
    let step = decide(&loaded, &sender, message).unwrap();
    store.commit(&sender.id, loaded.version, step).await
}

pub(crate) fn authenticate() -> Message {
    let serial = SerialNumber::new("C02STORAGE").unwrap();
    Message::authenticate(Some(serial), b"<plist/>".to_vec())
}

pub(crate) fn token_update() -> Message {
    let topic = Topic::new("com.apple.mgmt.External.storage").unwrap();
    let push = PushAddress::new(
        topic,
        PushToken::new(*b"TOKEN-hunter2"),
        PushMagic::new("MAGIC-hunter2"),
    );
    TokenUpdated::new(push)
        .with(|told| told.unlock_token = Some(Secret::new(b"UNLOCK-hunter2".to_vec())))
        .into()
}

/// Device `n`, enrolled with certificate `n`.
pub(crate) async fn enroll(store: &impl Store, n: usize) -> EnrollmentId {
    take(store, n, authenticate()).await.unwrap();
    take(store, n, token_update()).await.unwrap();
    device(n)
}

pub(crate) fn command(id: &EnrollmentId, uuid: &str, bytes: usize) -> NewCommand {
    NewCommand::new(
        id.clone(),
        uuid,
        "DeviceInformation",
        vec![b'x'; bytes],
        NOW,
    )
}

pub(crate) async fn enqueue(
    store: &impl Store,
    id: &EnrollmentId,
    uuid: &str,
    bytes: usize,
) -> Result<Enqueued, StoreError> {
    let mut answers = store.enqueue(vec![command(id, uuid, bytes)]).await?;
    Ok(answers.remove(0))
}

pub(crate) fn answered(id: &EnrollmentId, uuid: &str, bytes: usize) -> ReportKind {
    let kind: EventKind = EventKind::command_settled(uuid, "Acknowledged");
    ReportKind::settles(
        uuid,
        "Acknowledged",
        vec![b'y'; bytes],
        Event::new(id.clone(), NOW, kind),
    )
}

pub(crate) async fn report(
    store: &impl Store,
    n: usize,
    kind: ReportKind,
) -> Result<Polled, StoreError> {
    let report = Report::new(device(n), certificate(n), NOW, kind);
    store.record_report_and_next(report).await
}

pub(crate) async fn all_commands(store: &impl Store, id: &EnrollmentId) -> Vec<CommandRecord> {
    store
        .commands(id, &CommandFilter::new(), Sequence::START, usize::MAX)
        .await
        .unwrap()
}

pub(crate) async fn uuids(store: &impl Store, id: &EnrollmentId) -> Vec<String> {
    let records = all_commands(store, id).await;
    records
        .into_iter()
        .map(|record| record.command.command_uuid)
        .collect()
}

/// What an enrolment was taken for, as this program cannot say it.
pub(crate) const DECISIONS_OF_A_NEWER_PROGRAM: [&str; 3] = [
    r#"{"kind":"loan","reasons":["authenticate","moonlight"]}"#,
    r#"{"kind":{"loan":"to anna"},"reasons":[]}"#,
    r#"{"because":"it is full moon"}"#,
];

/// It is there, and goes on.
pub(crate) async fn a_decision_hides_no_enrolment(store: &impl Store, id: &EnrollmentId) {
    let found = store.enrollment(id).await.unwrap().unwrap();
    let known = found.decision.map(|decision| decision.kind);
    assert!(matches!(known, None | Some(EnrollmentKind::Unknown)));
    let listed = store.enrollments(&EnrollmentFilter::new(), None, 9).await;
    assert_eq!(listed.unwrap().len(), 1);
    take(store, 1, token_update()).await.unwrap();
    let found = store.enrollment(id).await.unwrap().unwrap();
    assert_eq!(found.decision.map(|decision| decision.kind), known);
}
