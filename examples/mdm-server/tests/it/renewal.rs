//! Identities that end soon are renewed, by whatever way the device came in.
//!
//! Time is not waited for: a server with short-lived identities is followed by one that renews such early.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use chrono::{TimeDelta, Utc};
use mdm_sdk::{pki::Certificate, plist::Dictionary};
use mdm_simulator::{Answer, Device, Responder};
use serde_json::json;

use crate::world::{Server, World, id};

const SHORT: &str = "enrollment.any_device = true\nscep.validity_days = 10\nscep.renew_days = 3";
const EARLY: &str = "enrollment.any_device = true\nscep.validity_days = 40\nscep.renew_days = 20";

fn certificate(device: &Device) -> Certificate {
    device.identity().unwrap().certificate.clone()
}

async fn by_an_open_link(world: &World, server: &Server, serial: &str) -> Device {
    let link = server.post("/v1/invitations", &json!({})).await;
    let (_, profile) = world.get(link["url"].as_str().unwrap()).await;
    let mut device = world.device(serial);
    let activation = world.activation("").await;
    device
        .install_enrollment_profile(&profile, &activation)
        .unwrap();
    device.obtain_identity().await.unwrap();
    device.authenticate().await.unwrap();
    device.update_token().await.unwrap();
    device
}

async fn by_automated_enrolment(world: &World, serial: &str) -> Device {
    let url = format!("{}/enroll/automated", world.url());
    let mut device = world.device(serial);
    let activation = world.activation(&url).await;
    device.enroll(&activation).await.unwrap();
    device
}

/// How many renewals the server has asked of the device.
async fn renewals(server: &Server, device: &Device) -> usize {
    let path = format!("/v1/enrollments/{}/commands", id(device));
    let listed = server.get(&path).await;
    let commands = listed["commands"].as_array().unwrap().iter();
    commands
        .filter(|it| it["request_type"] == "InstallProfile")
        .count()
}

#[tokio::test]
async fn a_device_renews_its_identity_before_it_ends_and_goes_on_with_the_new_one() {
    let mut world = World::new().await;
    world.more = SHORT.to_owned();
    let server = world.start("data");
    let mut devices = vec![
        world.enroll(&server, "C02MS0000001").await,
        by_an_open_link(&world, &server, "C02MS0000002").await,
        by_automated_enrolment(&world, "C02MS0000003").await,
    ];
    for device in &mut devices {
        world.call(device).await;
        device.poll().await.unwrap();
        assert_eq!(renewals(&server, device).await, 0);
    }
    drop(server);

    world.more = EARLY.to_owned();
    let server = world.start("data");
    for device in &mut devices {
        let (name, old) = (id(device), device.identity().unwrap().clone());
        // What the server sees of the old identity is enough.
        device.poll().await.unwrap();
        let waiting = json!({ "enrollments": [name], "request_type": "ProfileList" });
        let answered = world.call(device).await;
        assert_eq!(answered, ["InstallProfile"], "{name}");

        let new = certificate(device);
        assert_ne!(new, old.certificate);
        assert!(new.not_after() - Utc::now() > TimeDelta::days(39));
        let shown = server.get(&format!("/v1/enrollments/{name}")).await;
        assert_eq!(shown["status"], "enrolled");
        assert_eq!(shown["decision"]["kind"], "identity_renewal", "{shown}");
        // The new identity is served and lasts; the old one is not served any more.
        server.post("/v1/commands", &waiting).await;
        assert_eq!(device.poll().await.unwrap(), ["ProfileList"]);
        device.poll().await.unwrap();
        assert_eq!(renewals(&server, device).await, 1);
        let current = device.identity().unwrap().clone();
        device.set_identity(old);
        let refused = device.poll().await.unwrap_err();
        assert!(format!("{refused}").contains("403"), "{refused}");
        device.set_identity(current);
        assert!(device.poll().await.unwrap().is_empty());
    }
}

#[derive(Debug, Default)]
struct Refusing(AtomicUsize);

impl Responder for Refusing {
    fn answer(&self, request_type: &str, _request: &Dictionary) -> Option<Answer> {
        (request_type == "InstallProfile").then(|| {
            self.0.fetch_add(1, SeqCst);
            Answer::Error("MCInstallationErrorDomain", 4001, "no".to_owned())
        })
    }
}

#[tokio::test]
async fn a_renewal_that_fails_is_not_repeated_at_every_call() {
    let mut world = World::new().await;
    world.more = SHORT.to_owned();
    let server = world.start("data");
    let mut device = world.enroll(&server, "C02MS0000001").await;
    world.call(&mut device).await;
    drop(server);
    world.more = EARLY.to_owned();
    let refusing = Arc::new(Refusing::default());
    device.set_responder(refusing.clone());
    let old = certificate(&device);
    for _ in 0..2 {
        // Another process knows of it as well.
        let server = world.start("data");
        for _ in 0..5 {
            device.poll().await.unwrap();
        }
        let asked = async {
            while refusing.0.load(SeqCst) == 0 {
                device.poll().await.unwrap();
            }
        };
        tokio::time::timeout(crate::world::PATIENCE, asked)
            .await
            .expect("a renewal in time");
        assert_eq!(renewals(&server, &device).await, 1);
    }
    assert_eq!(refusing.0.load(SeqCst), 1);
    assert_eq!(certificate(&device), old);
}

#[tokio::test]
async fn a_server_that_would_renew_each_new_identity_at_once_does_not_start() {
    let mut world = World::new().await;
    world.more = "scep.validity_days = 30\nscep.renew_days = 30".to_owned();
    let done = world.task("data", &["check"]);
    assert!(!done.status.success());
    let told = String::from_utf8(done.stderr).unwrap();
    assert!(told.contains("scep.renew_days"), "{told}");
}

#[tokio::test]
async fn what_ends_with_the_authority_is_not_renewed_for_ever() {
    let mut world = World::new().await;
    // The authority lasts ten years.
    world.more = "scep.validity_days = 5000\nscep.renew_days = 4000".to_owned();
    let server = world.start("data");
    let mut device = world.enroll(&server, "C02MS0000001").await;
    world.call(&mut device).await;
    for _ in 0..3 {
        device.poll().await.unwrap();
    }
    assert_eq!(renewals(&server, &device).await, 0);
    let (ended_well, log) = server.stop();
    assert!(ended_well);
    assert_eq!(log.matches("the authority ends soon").count(), 1, "{log}");
}
