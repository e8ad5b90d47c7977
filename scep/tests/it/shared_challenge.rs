//! One challenge for all devices.

use std::{sync::Arc, time::Duration};

use mdm_core::Secret;
use mdm_scep::{
    Error, FailInfo, MemoryStore,
    challenge::{Bound, Static},
};

use crate::world::{DEVICE_KEY, OTHER_KEY, Raw, Setup, World, csr, rsa_key, self_signed};

const SHARED: &str = "correct horse battery";

fn shared() -> Secret<String> {
    Secret::new(SHARED.to_owned())
}

fn world() -> World {
    let store = Arc::new(MemoryStore::new());
    let verifier = Static::shared_by_all_devices(store.clone(), &shared()).unwrap();
    World::with(Setup {
        verifier: Some(Arc::new(verifier)),
        store: Some(store),
        ..Setup::default()
    })
}

fn asked(world: &World, key: usize, name: &str, challenge: Option<&str>) -> Raw {
    let key = rsa_key(key);
    world.request(&shared()).with(|raw| {
        raw.content = csr(&key, name, challenge).to_der().to_vec();
        raw.signer = self_signed(&key, "temporary signer");
        raw.key = key;
    })
}

#[tokio::test]
async fn every_device_enrols_and_the_same_request_gets_the_same_certificate() {
    let world = world();
    let first = asked(&world, DEVICE_KEY, "device 7", Some(SHARED));
    let second = asked(&world, OTHER_KEY, "device 8", Some(SHARED));
    let one = world.ask(first.build()).await.certificates(&first.key);
    let two = world.ask(second.build()).await.certificates(&second.key);
    assert_ne!(one, two);
    let again = world.ask(first.build()).await.certificates(&first.key);
    assert_eq!(one, again);
    assert_eq!(world.store.issued(), 2);
    assert!(world.events.last().starts_with("repeated: all devices"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_times_the_same_request_at_once_is_one_certificate() {
    let world = Arc::new(world());
    let message = asked(&world, DEVICE_KEY, "device 7", Some(SHARED)).build();
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let (world, message) = (world.clone(), message.clone());
            tokio::spawn(async move { world.ask(message).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().certificates(&rsa_key(DEVICE_KEY));
    }
    assert_eq!(world.store.issued(), 1);
}

#[tokio::test]
async fn another_challenge_and_none_are_refused() {
    let world = world();
    for challenge in [
        None,
        Some(""),
        Some("correct horse batter"),
        Some("Correct horse battery"),
        Some("correct horse battery "),
    ] {
        let raw = asked(&world, DEVICE_KEY, "device 7", challenge);
        world.refused(&raw, FailInfo::BadRequest).await;
    }
}

#[tokio::test]
async fn a_request_that_was_served_is_no_second_certificate_when_its_time_is_over() {
    let world = world();
    let raw = asked(&world, DEVICE_KEY, "device 7", Some(SHARED));
    world.ask(raw.build()).await.certificates(&raw.key);
    world.clock.advance(Duration::from_secs(24 * 3600));
    world.refused(&raw, FailInfo::BadRequest).await;
    assert!(world.events.last().contains("expired"));
}

#[tokio::test]
async fn a_permit_is_no_challenge_and_another_store_than_the_authoritys_issues_nothing() {
    let strange = Arc::new(MemoryStore::new());
    let verifier = Static::shared_by_all_devices(strange, &shared()).unwrap();
    let world = World::with(Setup {
        verifier: Some(Arc::new(verifier)),
        ..Setup::default()
    });
    let raw = asked(&world, DEVICE_KEY, "device 7", Some(SHARED));
    world.refused(&raw, FailInfo::BadRequest).await;
    assert_eq!(world.store.issued(), 0);
    assert!(!format!("{:?}", world.server).contains("horse"));
}

#[test]
fn a_short_challenge_is_not_taken() {
    let store = Arc::new(MemoryStore::new());
    let short = Secret::new("secret".to_owned());
    let refused = Static::shared_by_all_devices(store, &short);
    assert!(matches!(refused, Err(Error::Configuration(_))));
}

#[tokio::test]
async fn a_one_time_challenge_is_bound_to_serial_number_device_and_alternative_names() {
    let world = World::new();
    for (bound, field) in [
        (Bound::serial_number("C02XK0AAJGH5"), "serial number"),
        (Bound::device("UDID-7"), "device"),
        (
            Bound::default().with(|bound| {
                let name = mdm_pki::GeneralName::Dns("seven.example.com".to_owned());
                bound.alt_names = Some(vec![name]);
            }),
            "alternative name",
        ),
    ] {
        let challenge = world.challenge_bound(bound).await;
        let raw = world.request(&challenge);
        world.refused(&raw, FailInfo::BadRequest).await;
        let said = format!("refused: the challenge for device 7 does not allow this {field}");
        assert_eq!(world.events.last(), said);
    }
}
