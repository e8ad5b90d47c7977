//! The longer ways to a SCEP identity: a request that waits, and a renewal that a command brings.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::Request;
use mdm_core::{Clock as _, ManualClock};
use mdm_pki::{KeySpec, Name, PrivateKey};
use mdm_scep::{
    Approval, EmbeddedCa, MemoryStore, Responder, Server as Scep,
    ca::{self, RootUse},
    pending::Resolution,
};
use mdm_simulator::{Device, Error, Hardware};
use mdm_transport::transport_fn;

use crate::{
    commands::install,
    server::{Server, signed, text},
};

/// A device, and the clock it goes by, at a SCEP server where somebody approves what waits just before this message comes.
fn waiting(server: &Server, approved_at: usize) -> (Device, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(server.now));
    let key = PrivateKey::generate(KeySpec::Rsa2048).unwrap();
    let year = Duration::from_secs(365 * 24 * 3600);
    let name = Name::from_common_name("Identities");
    let ca = ca::root(name, &key, RootUse::Alone, year, server.now).unwrap();
    let store = Arc::new(MemoryStore::new());
    let authority = EmbeddedCa::new(vec![ca.clone()], Arc::new(key.clone()), store.clone());
    let approval = Approval::new(store.clone(), store);
    let responder = Responder::local(ca, key).unwrap();
    let authority = Arc::new(authority.unwrap());
    let scep = Scep::builder(
        authority,
        responder,
        Arc::new(approval.clone()),
        clock.clone(),
    );
    let scep = Arc::new(scep.build().unwrap());
    let messages = Arc::new(AtomicUsize::new(0));
    let transport = transport_fn(move |request: Request<Bytes>| {
        let (scep, approval, messages) = (scep.clone(), approval.clone(), messages.clone());
        async move {
            let is_message = request.method() == http::Method::POST;
            if is_message && messages.fetch_add(1, Ordering::SeqCst) + 1 == approved_at {
                for (id, pending) in approval.unresolved(9).await.unwrap() {
                    let resolved = approval.resolve(&id, pending.request, Resolution::Approved);
                    resolved.await.unwrap();
                }
            }
            Ok(scep.handle(request).await)
        }
    });
    let hardware = Hardware::mac("C02SIM000001").unwrap();
    let built_in = server.factory.device_identity(&hardware).unwrap();
    let mut device = Device::new(hardware, built_in, Arc::new(transport), clock.clone());
    // Another authority than that of the profile's fingerprint.
    let profile = server.profile();
    let (start, rest) = profile.split_once("<key>CAFingerprint</key>").unwrap();
    let (_, end) = rest.split_once("</data>").unwrap();
    let retries =
        "<key>Retries</key><integer>2</integer><key>RetryDelay</key><integer>60</integer>";
    let profile = signed(&format!("{start}{retries}{end}"), &server.signer);
    let installed = device.install_enrollment_profile(&profile, &server.activation());
    installed.unwrap();
    (device, clock)
}

#[tokio::test]
async fn a_request_that_waits_is_asked_about_as_the_profile_says() {
    let server = Server::new().await;
    // PKCSReq, then at once, then after each delay.
    for (approved_at, slept) in [(2, 0), (3, 60), (4, 120)] {
        let (mut device, clock) = waiting(&server, approved_at);
        device.obtain_identity().await.unwrap();
        assert_eq!((clock.now() - server.now).num_seconds(), slept);
    }
    let (mut device, _) = waiting(&server, 5);
    let given_up = device.obtain_identity().await.map(drop);
    assert!(
        matches!(given_up, Err(Error::Scep(mdm_scep::Error::Pending { .. }))),
        "{given_up:?}"
    );
    assert!(device.identity().is_none());
}

#[tokio::test]
async fn a_newer_enrolment_profile_renews_the_identity_which_signs_the_answer() {
    let mut server = Server::new().await;
    let mut mac = server.managed_mac().await;
    let old = mac.identity().unwrap().certificate.clone();
    // The challenge of the first one is spent: nothing changes, and the old identity answers.
    server.answer(&install("c1", &signed(&server.profile(), &server.signer)));
    mac.poll().await.unwrap();
    assert_eq!(text(&server.received()[1].1, "Status"), "Error");
    assert_eq!(mac.identity().unwrap().certificate, old);

    server.fresh_challenge().await;
    server.answer(&install("c2", &signed(&server.profile(), &server.signer)));
    mac.poll().await.unwrap();
    let (_, answer) = server.received().pop().unwrap();
    assert_eq!(text(&answer, "Status"), "Acknowledged");
    let new = &mac.identity().unwrap().certificate;
    assert_ne!(*new, old);
    assert_ne!(new.public_key().unwrap(), old.public_key().unwrap());
    assert_eq!(server.signers().last(), Some(new));
}

#[tokio::test]
async fn the_profile_of_another_enrolment_is_no_renewal() {
    let mut server = Server::new().await;
    let mut mac = server.managed_mac().await;
    server.fresh_challenge().await;
    let old = mac.identity().unwrap().certificate.clone();
    for (key, was, is) in [
        ("PayloadIdentifier", "example.mdm<", "example.other<"),
        ("Topic", "External.t1", "External.t2"),
        ("ServerURL", "example/mdm<", "example/other<"),
    ] {
        let profile = server.profile().replace(was, is);
        let refused = mac.update_enrollment_profile(profile.as_bytes()).await;
        assert!(
            matches!(refused, Err(Error::Profile(named)) if named == key),
            "{key}: {refused:?}"
        );
    }
    assert_eq!(mac.identity().unwrap().certificate, old);
}
