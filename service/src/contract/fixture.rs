//! Devices, certificates and commands for the contract.

use chrono::{DateTime, TimeDelta, Utc};
use mdm_core::{PushMagic, PushToken, SerialNumber, Topic};
use mdm_protocol::{EnrollmentId, id::Ids};

use super::Make;
use crate::{
    Claim, Event, EventKind, Fingerprint, PushAddress, Store,
    enrollment::{
        Spend,
        decide::{Message, Sender, Step, decide, renew},
    },
    queue::{CommandState, Enqueued, NewCommand, Polled, Report, ReportKind, Sequence, Settlement},
    store::CommitError,
};

/// Who hears of everything.
pub(super) const VENDOR: &str = "vendor";

/// A store whose events somebody wants.
pub(super) async fn subscribed<S: Store>(make: &impl Make<S>) -> S {
    let store = make().await;
    assert!(store.subscribe(VENDOR).await.unwrap());
    store
}

/// What the vendor has not acknowledged.
pub(super) async fn told(store: &impl Store) -> Vec<(Sequence, Event)> {
    store.events(VENDOR, 1000).await.unwrap()
}

pub(super) fn at(seconds: i64) -> DateTime<Utc> {
    // Finer than microseconds no database need keep.
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds) + TimeDelta::microseconds(123_456)
}

pub(super) fn device(n: u8) -> EnrollmentId {
    EnrollmentId::device(format!("00008101-00193861{n:08X}")).unwrap()
}

pub(super) fn user(n: u8, name: &str) -> EnrollmentId {
    let device = device(n);
    let mut ids = Ids::default();
    ids.udid = Some(device.device_id());
    ids.user_id = Some(name);
    EnrollmentId::resolve(&ids).unwrap()
}

pub(super) fn certificate(n: u8) -> Fingerprint {
    Fingerprint::new([n; 32])
}

pub(super) fn address(n: u8) -> PushAddress {
    PushAddress::new(
        Topic::new("com.apple.mgmt.External.contract").unwrap(),
        PushToken::new([n; 32]),
        PushMagic::new(format!("magic-{n}")),
    )
}

pub(super) fn sender(id: &EnrollmentId, n: u8) -> Sender {
    Sender::new(id.clone(), certificate(n), at(0))
}

pub(super) fn authenticate() -> Message {
    Message::authenticate(
        Some(SerialNumber::new("C02CONTRACT").unwrap()),
        b"<plist/>".to_vec(),
    )
}

/// Takes a message in as the service does.
pub(super) async fn take(store: &impl Store, sender: &Sender, message: Message) {
    let loaded = store.load(&sender.id, &sender.certificate).await.unwrap();
    let step = decide(&loaded, sender, message).unwrap();
    store
        .commit(&sender.id, loaded.version, step)
        .await
        .unwrap();
}

/// The step of an `Authenticate` of device `n` that asks for these places.
pub(super) async fn claiming(store: &impl Store, n: u8, claims: &[Claim]) -> Step {
    let sender = sender(&device(n), n);
    let loaded = store.load(&sender.id, &sender.certificate).await.unwrap();
    let mut step = decide(&loaded, &sender, authenticate()).unwrap();
    step.claim(claims.to_vec());
    step
}

/// Commits a step of device `n` on its present version.
pub(super) async fn commit(store: &impl Store, n: u8, step: Step) -> Result<(), CommitError> {
    let id = device(n);
    let version = store.load(&id, &certificate(n)).await.unwrap().version;
    store.commit(&id, version, step).await
}

/// Device `n` enrols with an invitation.
pub(super) async fn spend(
    store: &impl Store,
    n: u8,
    invitation: &str,
    seconds: i64,
) -> Result<(), CommitError> {
    let mut step = claiming(store, n, &[]).await;
    if step.is_empty() {
        // It began to enrol before: its answer was lost.
        step.device = store.enrollment(&device(n)).await.unwrap();
    }
    step.invitation = Some(Spend::new(invitation, at(seconds)));
    commit(store, n, step).await
}

/// Takes in that somebody vouched for the sender's certificate as a renewed one.
pub(super) async fn take_renewed(store: &impl Store, sender: &Sender) {
    let loaded = store.load(&sender.id, &sender.certificate).await.unwrap();
    let step = renew(&loaded, sender).unwrap();
    store
        .commit(&sender.id, loaded.version, step)
        .await
        .unwrap();
}

/// Device `n`, enrolled with certificate `n`.
pub(super) async fn enroll(store: &impl Store, n: u8) -> EnrollmentId {
    let id = device(n);
    take(store, &sender(&id, n), authenticate()).await;
    take(store, &sender(&id, n), Message::token_update(address(n))).await;
    id
}

/// A user of device `n`, enrolled.
pub(super) async fn enroll_user(store: &impl Store, n: u8, name: &str) -> EnrollmentId {
    let id = user(n, name);
    take(store, &sender(&id, n), Message::token_update(address(n))).await;
    id
}

pub(super) fn command(id: &EnrollmentId, uuid: &str) -> NewCommand {
    NewCommand::new(id.clone(), uuid, "DeviceInformation", body(uuid), at(0))
}

pub(super) fn body(uuid: &str) -> Vec<u8> {
    format!("<plist><string>{uuid}</string></plist>").into_bytes()
}

pub(super) async fn queue(store: &impl Store, id: &EnrollmentId, uuids: &[&str]) {
    for uuid in uuids {
        let answer = store.enqueue(vec![command(id, uuid)]).await.unwrap();
        assert!(
            matches!(answer.as_slice(), [Enqueued::Queued(_)]),
            "{answer:?}"
        );
    }
}

/// Queues a command that is not like the others.
pub(super) async fn queue_with(
    store: &impl Store,
    id: &EnrollmentId,
    uuid: &str,
    edit: impl FnOnce(&mut NewCommand),
) {
    let command = command(id, uuid).with(edit);
    let answer = store.enqueue(vec![command]).await.unwrap();
    assert!(
        matches!(answer.as_slice(), [Enqueued::Queued(_)]),
        "{answer:?}"
    );
}

/// What became of a command.
pub(super) async fn state(store: &impl Store, id: &EnrollmentId, uuid: &str) -> CommandState {
    let record = store.command(id, uuid).await.unwrap();
    record.expect("it was queued").state
}

pub(super) fn settled_event(id: &EnrollmentId, uuid: &str) -> Event {
    let kind = EventKind::CommandSettled {
        command_uuid: uuid.to_owned(),
        status: "Acknowledged".to_owned(),
    };
    Event::new(id.clone(), at(0), kind)
}

pub(super) fn answered(id: &EnrollmentId, uuid: &str) -> ReportKind {
    let event = settled_event(id, uuid);
    ReportKind::settles(uuid, "Acknowledged", b"\xff not a plist".to_vec(), event)
}

/// Device `n` or a user of it reports with certificate `n`.
pub(super) async fn report(
    store: &impl Store,
    id: &EnrollmentId,
    n: u8,
    kind: ReportKind,
) -> Polled {
    let report = Report::new(id.clone(), certificate(n), at(1), kind);
    store.record_report_and_next(report).await.unwrap()
}

/// The same, reduced to what it did and what comes next.
pub(super) async fn poll(
    store: &impl Store,
    id: &EnrollmentId,
    n: u8,
    kind: ReportKind,
) -> (Settlement, Option<String>) {
    let polled = report(store, id, n, kind).await;
    let next = polled.next().map(|next| next.command_uuid.clone());
    (
        polled.settlement().expect("the certificate is pinned"),
        next,
    )
}

/// Device `n` reports with certificate `n`, at a time of its own.
pub(super) async fn poll_at(
    store: &impl Store,
    n: u8,
    seconds: i64,
    kind: ReportKind,
) -> (Settlement, Option<String>) {
    let report = Report::new(device(n), certificate(n), at(seconds), kind);
    let polled = store.record_report_and_next(report).await.unwrap();
    let next = polled.next().map(|next| next.command_uuid.clone());
    (
        polled.settlement().expect("the certificate is pinned"),
        next,
    )
}
