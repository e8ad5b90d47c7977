//! Measures how long it takes to queue commands and to take them all back, for one enrolment and for
//! a thousand.
//!
//! `cargo run --release -p mdm-storage --example clear [commands [address]]`, 100,000 unless told otherwise, each
//! with a body of 500 bytes; on SQLite in the working directory's file system or, with the feature
//! `postgres`, in the PostgreSQL database of that address, which has to be an empty one.

#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::{env, time::Instant};

use chrono::{DateTime, Utc};
use mdm_core::{PushMagic, PushToken, Topic};
use mdm_service::{
    EnrollmentId, Fingerprint, PushAddress, Store,
    enrollment::decide::{Message, Sender, decide},
    queue::NewCommand,
};
use mdm_storage::SqliteStore;

const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

/// Commands that are queued in one step.
const BATCH: usize = 1000;

async fn enroll(store: &impl Store, n: usize) -> EnrollmentId {
    let id = EnrollmentId::device(format!("DEVICE-{n:06}")).unwrap();
    let mut certificate = [0; 32];
    certificate[..8].copy_from_slice(&n.to_le_bytes());
    let sender = Sender::new(id.clone(), Fingerprint::new(certificate), NOW);
    let push = PushAddress::new(
        Topic::new("com.apple.mgmt.External.example").unwrap(),
        PushToken::new(vec![7; 32]),
        PushMagic::new("magic"),
    );
    for message in [
        Message::authenticate(None, vec![b'x'; 1500]),
        Message::token_update(push),
    ] {
        let loaded = store.load(&id, &sender.certificate).await.unwrap();
        let step = decide(&loaded, &sender, message).unwrap();
        store.commit(&id, loaded.version, step).await.unwrap();
    }
    id
}

async fn measure(store: &impl Store, enrollments: usize, commands: usize) {
    let mut ids = Vec::new();
    for n in 0..enrollments {
        ids.push(enroll(store, enrollments + n).await);
    }
    let all: Vec<_> = (0..commands)
        .zip(ids.iter().cycle())
        .map(|(n, id)| {
            let uuid = format!("0F6A7E2C-{n:012}");
            NewCommand::new(id.clone(), uuid, "InstallProfile", vec![b'x'; 500], NOW)
        })
        .collect();
    let begun = Instant::now();
    for batch in all.chunks(BATCH) {
        store.enqueue(batch.to_vec()).await.unwrap();
    }
    let queued = begun.elapsed();
    let begun = Instant::now();
    let cleared = store.clear(&ids, NOW).await.unwrap();
    let taken = begun.elapsed();
    assert_eq!(cleared, commands as u64);
    println!(
        "{commands} commands of {enrollments} enrolments: queued in {:.2} s, cleared in {:.3} s",
        queued.as_secs_f64(),
        taken.as_secs_f64()
    );
}

#[tokio::main]
async fn main() {
    let commands = env::args().nth(1).map_or(100_000, |n| n.parse().unwrap());
    #[cfg(feature = "postgres")]
    if let Some(address) = env::args().nth(2).map(mdm_core::Secret::new) {
        let options = mdm_storage::postgres::Options::default();
        let store = mdm_storage::PostgresStore::connect(&address, options);
        let store = store.await.unwrap();
        for enrollments in [1, 1000] {
            measure(&store, enrollments, commands).await;
        }
        return;
    }
    for enrollments in [1, 1000] {
        let folder = tempfile::tempdir_in(".").unwrap();
        let path = folder.path().join("mdm.sqlite");
        let store = SqliteStore::open(&path).await.unwrap();
        measure(&store, enrollments, commands).await;
        store.close().await;
    }
}
