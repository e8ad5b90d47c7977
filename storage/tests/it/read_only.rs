//! A SQLite file that becomes read-only under a running store: told, nothing half recorded, and gone on with as soon as
//! it may be written again.
//!
//! Permissions do not do it, since who has opened a file may write on. An attribute does, where the file system and our
//! rights allow it; elsewhere the test says that it is skipped.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::{Request, Response, StatusCode};
use mdm_core::{ManualClock, StoreErrorKind};
use mdm_pki::{Certificate, CertificateBuilder, KeySpec, Name, PrivateKey};
use mdm_service::{
    IdentityError, IdentitySource, Service,
    queue::CommandState,
    store::{CommandStore, Outbox},
};
use mdm_storage::SqliteStore;

use crate::{fixture::*, scratch};

/// `chattr +i`: also who has opened the file cannot write to it. Needs root and a file system that knows it.
struct Immutable(PathBuf);

impl Immutable {
    fn set(&self, flag: &str) -> bool {
        let mut log = self.0.clone().into_os_string();
        log.push("-wal");
        let mut chattr = Command::new("chattr");
        chattr.arg(flag).arg(&self.0).arg(log);
        let status = chattr.stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    }
}

impl Drop for Immutable {
    fn drop(&mut self) {
        self.set("-i");
    }
}

/// Everybody shows this certificate.
#[derive(Debug)]
struct Shown(Certificate);

#[async_trait]
impl IdentitySource for Shown {
    async fn identify(
        &self,
        _: &Request<Bytes>,
        _: DateTime<Utc>,
    ) -> Result<Certificate, IdentityError> {
        Ok(self.0.clone())
    }
}

struct World {
    store: SqliteStore,
    service: Service,
}

impl World {
    async fn new(path: &PathBuf) -> Self {
        let key = PrivateKey::generate(KeySpec::P256).unwrap();
        let certificate =
            CertificateBuilder::new(Name::from_common_name("device"), key.public_key())
                .validity(NOW, NOW + TimeDelta::days(1))
                .self_signed(&key)
                .unwrap();
        let store = SqliteStore::open(path).await.unwrap();
        store.subscribe("vendor").await.unwrap();
        let clock = ManualClock::new(NOW);
        let service = Service::builder(store.clone(), clock, Shown(certificate)).build();
        let world = Self { store, service };
        assert_eq!(world.authenticate().await, StatusCode::OK);
        assert_eq!(world.token_update().await, StatusCode::OK);
        enqueue(&world.store, &device(1), "c-1", 10).await.unwrap();
        assert_eq!(world.idle().await.status(), StatusCode::OK);
        world
    }

    async fn send(&self, content_type: &str, keys: &str) -> Response<Bytes> {
        let body = format!(
            "<plist version=\"1.0\"><dict><key>UDID</key><string>DEVICE-1</string>{keys}</dict></plist>"
        );
        let request = Request::put("/mdm").header("Content-Type", content_type);
        let request = request.body(Bytes::from(body)).unwrap();
        self.service.handle(request).await
    }

    async fn check_in(&self, keys: &str) -> StatusCode {
        let topic = "<key>Topic</key><string>com.apple.mgmt.External.x</string>";
        let content_type = "application/x-apple-aspen-mdm-checkin";
        let response = self.send(content_type, &format!("{topic}{keys}")).await;
        let is_away = response.status() == StatusCode::SERVICE_UNAVAILABLE;
        assert_eq!(is_away, response.headers().contains_key("retry-after"));
        response.status()
    }

    async fn authenticate(&self) -> StatusCode {
        self.check_in("<key>MessageType</key><string>Authenticate</string>")
            .await
    }

    async fn token_update(&self) -> StatusCode {
        self.check_in(
            "<key>MessageType</key><string>TokenUpdate</string><key>Token</key><data>VE9LRU4=</data>\
             <key>PushMagic</key><string>MAGIC</string>",
        )
        .await
    }

    async fn idle(&self) -> Response<Bytes> {
        self.send("", "<key>Status</key><string>Idle</string>")
            .await
    }

    async fn answer(&self) -> Response<Bytes> {
        self.send(
            "",
            "<key>Status</key><string>Acknowledged</string><key>CommandUUID</key><string>c-1</string>",
        )
        .await
    }

    async fn state(&self) -> CommandState {
        let found = self.store.command(&device(1), "c-1").await.unwrap();
        found.unwrap().state
    }
}

#[tokio::test]
async fn a_file_that_becomes_read_only_is_told_and_gone_on_with_afterwards() {
    let path = scratch::path();
    let world = World::new(&path).await;
    let file = Immutable(path);
    for round in 0..2 {
        let events = world.store.events("vendor", 100).await.unwrap();
        if !file.set("+i") {
            eprintln!("skipped: files cannot be made immutable here");
            return;
        }
        let away = StatusCode::SERVICE_UNAVAILABLE;
        let response = world.answer().await;
        assert_eq!(response.status(), away);
        assert!(response.headers().contains_key("retry-after"));
        assert_eq!(world.token_update().await, away);
        assert_eq!(world.authenticate().await, away);
        let error = enqueue(&world.store, &device(1), "c-2", 10).await;
        assert_eq!(error.unwrap_err().kind(), StoreErrorKind::ReadOnly);
        // Who only looks is answered.
        let offered = world.idle().await;
        assert_eq!(offered.status(), StatusCode::OK);
        assert!(!offered.body().is_empty());
        assert_eq!(world.state().await, CommandState::Queued);
        assert_eq!(uuids(&world.store, &device(1)).await, ["c-1"]);
        assert_eq!(world.store.events("vendor", 100).await.unwrap(), events);

        file.set("-i");
        if round == 1 {
            assert_eq!(world.answer().await.status(), StatusCode::OK);
            assert!(matches!(world.state().await, CommandState::Settled { .. }));
        }
        assert_eq!(world.token_update().await, StatusCode::OK);
        // It noted when to push next.
        assert_eq!(world.idle().await.status(), StatusCode::OK);
    }
}
