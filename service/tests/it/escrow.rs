//! What is in escrow: every PIN that a device may be told, every token that it deposited, and not without bound.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use http::StatusCode;
use mdm_core::{ManualClock, Secret};
use mdm_protocol::{Command, EnrollmentId, command::DeviceLock};
use mdm_service::{
    BootstrapToken, EnqueueOptions, Fingerprint, ImportError, MdmSignature, Service,
    enrollment::decide::{Refusal, Step, TOKEN_BYTES},
    queue::{Enqueued, Sequence},
    store::{EnrollmentStore, EscrowStore},
};

use crate::{device::*, faulty::Faulty};

fn lock(uuid: &str, pin: &str) -> Command {
    let lock = DeviceLock::new().with(|lock| lock.pin = Some(pin.to_owned().into()));
    Command::new(uuid, &lock)
}

fn keyed() -> EnqueueOptions {
    EnqueueOptions::default().with(|options| options.key = Some("lock".to_owned()))
}

async fn enqueue_one(
    service: &Service,
    id: &EnrollmentId,
    command: &Command,
    options: &EnqueueOptions,
) -> Enqueued {
    let ids = std::slice::from_ref(id);
    let mut answers = service.enqueue_each(ids, command, options).await.unwrap();
    answers.remove(0).unwrap()
}

/// Kinds and values, the oldest first.
async fn kept(store: &Shared) -> Vec<(String, String)> {
    let page = store.escrow_page(Sequence::START, 100).await.unwrap();
    page.iter()
        .map(|(_, entry)| {
            let value = String::from_utf8(entry.value.expose().clone()).unwrap();
            (entry.kind.to_string(), value)
        })
        .collect()
}

async fn pins(store: &Shared) -> Vec<String> {
    kept(store).await.into_iter().map(|(_, pin)| pin).collect()
}

#[tokio::test]
async fn a_pin_that_takes_the_place_of_an_expired_command_is_in_escrow() {
    let store = Shared::default();
    let clock = Arc::new(ManualClock::new(now()));
    let identity = MdmSignature::new(vec![AUTHORITY.certificate.clone()]).unwrap();
    let service = Service::builder(Arc::clone(&store), Arc::clone(&clock), identity).build();
    let mac = Device::new("D1");
    mac.enroll(&service).await;
    let for_an_hour = keyed().with(|it| it.expires_at = Some(now() + TimeDelta::hours(1)));
    let first = enqueue_one(&service, &mac.id(), &lock("L-1", "111111"), &for_an_hour).await;
    assert!(matches!(first, Enqueued::Queued(_)), "{first:?}");
    let merged = enqueue_one(&service, &mac.id(), &lock("L-2", "222222"), &for_an_hour).await;
    assert_eq!(merged, Enqueued::merged("L-1"));
    assert_eq!(pins(&store).await, ["111111"]);
    // Nobody has swept yet.
    clock.advance(Duration::from_secs(3600));
    let third = enqueue_one(&service, &mac.id(), &lock("L-3", "333333"), &keyed()).await;
    assert!(matches!(third, Enqueued::Queued(_)), "{third:?}");
    assert_eq!(mac.idle(&service).await.as_deref(), Some("L-3"));
    assert_eq!(pins(&store).await, ["111111", "333333"]);
}

/// A Mac that is locked with a PIN that nobody has is lost.
#[tokio::test]
async fn a_pin_that_is_queued_is_in_escrow_whatever_happens_meanwhile() {
    for calls in 0..9 {
        let store = Shared::default();
        let faulty = Faulty::new(&store);
        let service = faulty.service();
        let mac = Device::new("D1");
        mac.enroll(&service).await;
        enqueue_one(&service, &mac.id(), &lock("L-1", "111111"), &keyed()).await;
        // What waits under the key is gone, at another moment each time.
        faulty.cancel_after(calls, &mac.id(), "L-1");
        let answer = enqueue_one(&service, &mac.id(), &lock("L-2", "222222"), &keyed()).await;
        let kept = pins(&store).await;
        match answer {
            Enqueued::Queued(_) => assert_eq!(kept, ["111111", "222222"], "{calls}"),
            Enqueued::Merged { .. } => assert_eq!(kept, ["111111"], "{calls}"),
            other => panic!("{calls}: {other:?}"),
        }
        faulty.cancel_after(usize::MAX, &mac.id(), "L-1");
        let is_queued = matches!(answer, Enqueued::Queued(_));
        assert_eq!(
            mac.idle(&service).await.as_deref() == Some("L-2"),
            is_queued
        );
    }
}

fn unlock(token: &str) -> String {
    token_update(&format!("<key>UnlockToken</key><data>{token}</data>"))
}

fn bootstrap(token: &str) -> String {
    let keys = format!("<key>BootstrapToken</key><data>{token}</data>");
    message("SetBootstrapToken", &keys)
}

#[tokio::test]
async fn a_token_that_comes_again_is_not_kept_again() {
    let (service, store) = service();
    let mac = Device::new("D1");
    mac.enroll(&service).await;
    for _ in 0..3 {
        for token in ["Yi0x", "Yi0y"] {
            for keys in [unlock(token), bootstrap(token)] {
                let response = mac.check_in(&service, &keys).await;
                assert_eq!(response.status(), StatusCode::OK, "{keys}");
            }
        }
    }
    let found = state(&store, &mac.id()).await;
    assert_eq!(found.unlock_token.unwrap().expose(), b"b-2");
    assert_eq!(found.bootstrap_token.unwrap().token.expose(), b"b-2");
    let expected = [
        ("unlock-token", "b-1"),
        ("bootstrap-token", "b-1"),
        ("unlock-token", "b-2"),
        ("bootstrap-token", "b-2"),
    ];
    assert_eq!(
        kept(&store).await,
        expected.map(|(kind, value)| (kind.to_owned(), value.to_owned()))
    );
}

#[tokio::test]
async fn a_token_that_is_far_too_large_is_refused_and_changes_nothing() {
    let (service, store) = service();
    let mac = Device::new("D1");
    mac.enroll(&service).await;
    // Base64: four letters are three bytes.
    let largest = "AAAA".repeat(TOKEN_BYTES / 3) + "AA==";
    let larger = "AAAA".repeat(TOKEN_BYTES / 3) + "AAA=";
    for keys in [unlock(&largest), bootstrap(&largest)] {
        let response = mac.check_in(&service, &keys).await;
        assert_eq!(response.status(), StatusCode::OK);
    }
    let before = state(&store, &mac.id()).await;
    for keys in [unlock(&larger), bootstrap(&larger)] {
        let response = mac.check_in(&service, &keys).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    }
    assert_eq!(state(&store, &mac.id()).await, before);
    assert_eq!(kept(&store).await.len(), 2);
    // Nor does it come from another server.
    let imported = Device::new("D2");
    let import = async |keys: &str| service.import(&imported.plist(keys).into()).await;
    import(&authenticate()).await.unwrap();
    for keys in [unlock(&larger), bootstrap(&larger)] {
        let refused = import(&keys).await;
        let is_refused = matches!(refused, Err(ImportError::Refused(Refusal::TokenTooLarge)));
        assert!(is_refused, "{refused:?}");
    }
}

/// Messages, and what is in escrow afterwards.
type Case<'a> = (&'a [String], &'a [(&'a str, &'a str)]);

/// A version before this one stored tokens and kept none.
#[tokio::test]
async fn a_token_of_before_goes_to_escrow_when_another_takes_its_place_or_none() {
    let set = "<key>AwaitingConfiguration</key><true/>";
    let erased = [authenticate(), token_update(set)];
    let cases: [Case<'_>; 4] = [
        (
            &[unlock("Yi0y")],
            &[("unlock-token", "u-0"), ("unlock-token", "b-2")],
        ),
        (
            &[bootstrap("Yi0y")],
            &[("bootstrap-token", "b-0"), ("bootstrap-token", "b-2")],
        ),
        (
            &[message("SetBootstrapToken", "")],
            &[("bootstrap-token", "b-0")],
        ),
        (
            &erased,
            &[("unlock-token", "u-0"), ("bootstrap-token", "b-0")],
        ),
    ];
    for (messages, expected) in cases {
        let (service, store) = service();
        let mac = Device::new("D1");
        mac.enroll(&service).await;
        let certificate = Fingerprint::of(&mac.certificate).unwrap();
        let loaded = store.load(&mac.id(), &certificate).await.unwrap();
        let mut step = Step::new(now());
        step.device = loaded.device.map(|device| {
            device.with(|device| {
                device.unlock_token = Some(Secret::new(b"u-0".to_vec()));
                let token = Secret::new(b"b-0".to_vec());
                device.bootstrap_token = Some(BootstrapToken::new(token, certificate));
            })
        });
        store.commit(&mac.id(), loaded.version, step).await.unwrap();
        for keys in messages {
            let response = mac.check_in(&service, keys).await;
            assert_eq!(response.status(), StatusCode::OK, "{keys}");
        }
        let expected = expected
            .iter()
            .map(|(kind, value)| ((*kind).to_owned(), (*value).to_owned()));
        assert_eq!(
            kept(&store).await,
            expected.collect::<Vec<_>>(),
            "{messages:?}"
        );
    }
}
