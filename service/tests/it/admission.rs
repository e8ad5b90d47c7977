//! Who may enrol, on what terms, and what is told where somebody may not.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::TimeDelta;
use http::{Request, Response, StatusCode};
use mdm_service::{
    Admission, AdmissionPolicy, AdmitAll, Applicant, Claim, Denial, DenialReason, EnrollmentStatus,
    EventKind, Grant, Invitation, RefusedAt, Service, Stage, Unavailable,
    store::{EnrollmentStore, InvitationStore},
};

use crate::device::*;

/// What a test wants to have decided, by a closure.
struct Policy<F>(F);

impl<F> std::fmt::Debug for Policy<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Policy")
    }
}

#[async_trait]
impl<F: Fn(&Applicant) -> Result<Admission, Unavailable> + Send + Sync> AdmissionPolicy
    for Policy<F>
{
    async fn admit(&self, applicant: &Applicant) -> Result<Admission, Unavailable> {
        (self.0)(applicant)
    }
}

fn with(
    store: &Shared,
    policy: impl Fn(&Applicant) -> Result<Admission, Unavailable> + Send + Sync + 'static,
) -> Service {
    builder(store).admission(Policy(policy)).build()
}

fn licences(limit: u64) -> impl Fn(&Applicant) -> Result<Admission, Unavailable> {
    move |applicant| {
        let claims = vec![Claim::new("licences", limit)];
        Ok(Grant::of(applicant)
            .with(|grant| grant.claims = claims)
            .into())
    }
}

/// `Authenticate` at a URL that names an invitation.
fn invited(device: &Device, invitation: &str) -> Request<Bytes> {
    let mut request = device.request(CHECK_IN, device.plist(&authenticate()));
    *request.uri_mut() = format!("/mdm?invitation={invitation}").parse().unwrap();
    request
}

fn body(response: &Response<Bytes>) -> serde_json::Value {
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(response.headers()["content-type"], "application/json");
    serde_json::from_slice(response.body()).unwrap()
}

#[tokio::test]
async fn a_device_that_is_not_admitted_is_told_why_and_so_is_the_vendor() {
    let store = Shared::default();
    listen(&store).await;
    let service = with(&store, |applicant| {
        assert!(matches!(applicant.stage, Stage::Authenticating { .. }));
        assert_eq!(
            applicant.serial_number.as_ref().unwrap().as_str(),
            "C02SERVICE"
        );
        let denial = Denial::new(DenialReason::DeviceLimit).with(|denial| {
            denial.message = Some("Five are enough.".into());
            denial.description = Some("anna has 5 of 5".into());
        });
        Ok(denial.into())
    });
    let device = Device::new("D1");
    let told = body(&device.check_in(&service, &authenticate()).await);
    assert_eq!(told["message"], "Five are enough.");
    assert_eq!(told["code"], "enrollment.refused.device-limit");
    assert_eq!(store.enrollment(&device.id()).await.unwrap(), None);
    let events = crate::device::told(&store).await;
    let [event] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(event.enrollment, device.id());
    let EventKind::Refused {
        stage,
        reason,
        description,
        serial_number,
        ..
    } = &event.kind
    else {
        panic!("{event:?}");
    };
    assert_eq!(
        (*stage, reason.as_str()),
        (RefusedAt::Authenticate, "device-limit")
    );
    assert_eq!(description.as_deref(), Some("anna has 5 of 5"));
    assert_eq!(serial_number.as_ref().unwrap().as_str(), "C02SERVICE");
}

#[tokio::test]
async fn only_a_policy_that_says_so_makes_a_device_unrecognized() {
    for (reason, code) in [
        (DenialReason::Unrecognized, "com.apple.unrecognized.device"),
        (DenialReason::NotAssigned, "enrollment.refused.not-assigned"),
        (
            DenialReason::WrongOrganization,
            "enrollment.refused.wrong-organization",
        ),
        (
            DenialReason::Other("lunch".into()),
            "enrollment.refused.lunch",
        ),
    ] {
        let service = with(&Shared::default(), move |_| {
            Ok(Denial::new(reason.clone()).into())
        });
        let told = body(&Device::new("D1").check_in(&service, &authenticate()).await);
        assert_eq!(told["code"], code);
        assert!(!told["message"].as_str().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_policy_that_cannot_tell_is_answered_503_and_nothing_is_recorded() {
    let store = Shared::default();
    let service = with(&store, |_| Err(Unavailable::new("the directory is away")));
    let device = Device::new("D1");
    let answer = device.check_in(&service, &authenticate()).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers().contains_key("retry-after"));
    assert_eq!(store.enrollment(&device.id()).await.unwrap(), None);
}

#[tokio::test]
async fn of_two_devices_for_the_last_licence_one_gets_it_until_it_leaves() {
    let store = Shared::default();
    listen(&store).await;
    let service = with(&store, licences(1));
    let (first, second) = (Device::new("D1"), Device::new("D2"));
    first.enroll(&service).await;
    let refused = second.check_in(&service, &authenticate()).await;
    assert_eq!(body(&refused)["code"], "enrollment.refused.no-licence");
    let is_refusal = |kind: &EventKind| matches!(kind, EventKind::Refused { .. });
    let events = told(&store).await;
    assert_eq!(
        events
            .iter()
            .filter(|event| is_refusal(&event.kind))
            .count(),
        1
    );
    // The one that has it may come again, also where the limit shrank meanwhile.
    first.enroll(&service).await;
    first.enroll(&with(&store, licences(0))).await;
    assert_eq!(store.places_taken("licences").await.unwrap(), 1);

    first.check_in(&service, &check_out("")).await;
    assert_eq!(store.places_taken("licences").await.unwrap(), 0);
    second.enroll(&service).await;
    assert_eq!(state(&store, &second.id()).await.licences, ["licences"]);
    // The first one still has its profile, and its push token changes: that is no way back past the limit.
    let back = first.check_in(&service, &token_update("")).await;
    assert_eq!(body(&back)["code"], "enrollment.refused.no-licence");
    assert_eq!(
        state(&store, &first.id()).await.status,
        EnrollmentStatus::Disabled
    );
}

#[tokio::test]
async fn devices_that_race_for_the_last_places_take_no_more_than_there_are() {
    let store = Shared::default();
    let service = with(&store, licences(3));
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..10 {
        let service = service.clone();
        tasks.spawn(async move {
            let device = Device::new(&format!("D{number}"));
            device.check_in(&service, &authenticate()).await.status()
        });
    }
    let statuses = tasks.join_all().await;
    let admitted = statuses.iter().filter(|status| status.is_success()).count();
    assert_eq!(admitted, 3);
    assert_eq!(store.places_taken("licences").await.unwrap(), 3);
}

#[tokio::test]
async fn q16_an_invitation_is_one_devices_and_its_retried_authenticate_passes() {
    let store = Shared::default();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let service = {
        let seen = Arc::clone(&seen);
        with(&store, move |applicant| {
            seen.lock().unwrap().push(applicant.owner.clone());
            Ok(Grant::of(applicant).into())
        })
    };
    let invitation = Invitation::new("I1", now(), now() + TimeDelta::hours(1)).with(|invitation| {
        invitation.owner = Some("anna".into());
        invitation.licences = vec![Claim::new("licences", 5)];
    });
    store.invite(invitation).await.unwrap();
    let device = Device::new("D1");
    // The answer gets lost, and later the same profile is installed again.
    for _ in 0..3 {
        let answer = service.handle(invited(&device, "I1")).await;
        assert_eq!(answer.status(), StatusCode::OK);
    }
    device.check_in(&service, &token_update("")).await;
    let found = state(&store, &device.id()).await;
    assert_eq!(found.owner.as_deref(), Some("anna"));
    assert_eq!(found.licences, ["licences"]);
    assert_eq!(found.invitation.as_deref(), Some("I1"));
    assert_eq!(
        service.handle(invited(&device, "I1")).await.status(),
        StatusCode::OK
    );
    assert_eq!(
        seen.lock().unwrap().last().unwrap().as_deref(),
        Some("anna")
    );

    let other = Device::new("D2");
    let told = body(&service.handle(invited(&other, "I1")).await);
    assert_eq!(told["code"], "enrollment.refused.invitation");
    // Without one, whose it is stays known.
    device.enroll(&service).await;
    let found = state(&store, &device.id()).await;
    assert_eq!(found.owner.as_deref(), Some("anna"));
    assert_eq!(found.licences, ["licences"]);
}

#[tokio::test]
async fn an_invitation_that_is_none_for_this_device_enrols_nobody() {
    let store = Shared::default();
    let service = builder(&store).build();
    let expired = Invitation::new("old", now() - TimeDelta::hours(2), now());
    let another = Invitation::new("another", now(), now() + TimeDelta::hours(1))
        .with(|invitation| invitation.serial_number = "C02OTHER".parse().ok());
    store.invite(expired).await.unwrap();
    store.invite(another).await.unwrap();
    let device = Device::new("D1");
    for name in ["old", "another", "unknown", &"x".repeat(1000)] {
        let told = body(&service.handle(invited(&device, name)).await);
        assert_eq!(told["code"], "enrollment.refused.invitation", "{name}");
    }
    assert_eq!(store.enrollment(&device.id()).await.unwrap(), None);
    // An empty name is none.
    let answer = service.handle(invited(&device, "")).await;
    assert_eq!(answer.status(), StatusCode::OK);
}

/// It still has its profile, and its push token changes.
#[tokio::test]
async fn a_device_that_was_taken_back_does_not_come_back_by_a_push_token() {
    let store = Shared::default();
    let service = builder(&store).build();
    for (udid, keys) in [("D1", None), ("D2", Some(check_out("")))] {
        let device = Device::new(udid);
        device.enroll(&service).await;
        match keys {
            Some(keys) => {
                device.check_in(&service, &keys).await;
            }
            None => assert!(service.retire(&device.id()).await.unwrap()),
        }
        let back = device.check_in(&service, &token_update("")).await;
        assert_eq!(body(&back)["code"], "enrollment.refused.invitation");
        let found = state(&store, &device.id()).await;
        assert_eq!(found.status, EnrollmentStatus::Disabled);
        device.enroll(&service).await;
    }
}

#[tokio::test]
async fn a_device_that_comes_back_takes_the_places_that_its_profile_promised_or_none() {
    let store = Shared::default();
    let service = builder(&store).admission(AdmitAll).build();
    for name in ["I1", "I2"] {
        let invitation = Invitation::new(name, now(), now() + TimeDelta::hours(1))
            .with(|invitation| invitation.licences = vec![Claim::new("licences", 1)]);
        store.invite(invitation).await.unwrap();
    }
    let (first, second) = (Device::new("D1"), Device::new("D2"));
    for (leaves, comes, invitation) in [(&second, &first, "I1"), (&first, &second, "I2")] {
        service.retire(&leaves.id()).await.unwrap();
        let answer = service.handle(invited(comes, invitation)).await;
        assert_eq!(answer.status(), StatusCode::OK);
        comes.check_in(&service, &token_update("")).await;
    }
    let back = first.check_in(&service, &token_update("")).await;
    assert_eq!(body(&back)["code"], "enrollment.refused.no-licence");
    assert_eq!(
        state(&store, &first.id()).await.status,
        EnrollmentStatus::Disabled
    );
    service.retire(&second.id()).await.unwrap();
    let back = first.check_in(&service, &token_update("")).await;
    assert_eq!(back.status(), StatusCode::OK);
    assert_eq!(state(&store, &first.id()).await.licences, ["licences"]);
    assert_eq!(store.places_taken("licences").await.unwrap(), 1);
}
