//! What has gone wrong in other SCEP servers, and the test that it does not here.

use std::sync::Arc;

use mdm_core::Secret;
use mdm_pki::Name;
use mdm_scep::{MessageType, PkiStatus, challenge::Verdict, store::Grant};

use crate::world::{DEVICE_KEY, Fixed, Raw, Setup, World, csr, rsa_key};

/// What happened, and the tests: module and name.
const INCIDENTS: &[(&str, &str, &str)] = &[
    (
        "CVE-2026-30836: a message type that nobody had thought of skipped the authorisation",
        include_str!("incidents.rs"),
        "a_csr_in_a_message_of_any_other_type_gets_no_certificate",
    ),
    (
        "CVE-2025-44005: a generic signing function verified nothing (see also the example of `Authorized`)",
        include_str!("challenges.rs"),
        "an_authority_with_another_store_than_its_challenges_issues_nothing",
    ),
    (
        "VU#971035: a valid challenge was used for another identity",
        include_str!("challenges.rs"),
        "a_challenge_for_one_device_is_worthless_to_another",
    ),
    (
        "VU#971035, for serial numbers, devices and alternative names",
        include_str!("shared_challenge.rs"),
        "a_one_time_challenge_is_bound_to_serial_number_device_and_alternative_names",
    ),
    (
        "replay under a challenge that all devices share",
        include_str!("shared_challenge.rs"),
        "fifty_times_the_same_request_at_once_is_one_certificate",
    ),
    (
        "a webhook that failed was taken for one that allowed",
        include_str!("webhook.rs"),
        "without_a_decision_nothing_is_issued_and_the_client_may_come_again",
    ),
    (
        "replay: an identical message got another certificate",
        include_str!("challenges.rs"),
        "the_same_message_again_gets_the_same_certificate",
    ),
    (
        "replay: one challenge got several certificates at once",
        include_str!("challenges.rs"),
        "fifty_parallel_requests_for_one_challenge_end_in_one_certificate",
    ),
    (
        "replay of a renewal",
        include_str!("renewal.rs"),
        "the_same_renewal_again_and_fifty_times_at_once_ends_in_one_certificate",
    ),
    (
        "no proof of possession: a CSR with a broken signature got a certificate",
        include_str!("mutation.rs"),
        "no_changed_byte_of_a_csr_yields_a_certificate",
    ),
    (
        "no proof of possession, for EC keys",
        include_str!("ec.rs"),
        "no_changed_byte_of_an_ec_csr_yields_a_certificate",
    ),
    (
        "no proof of possession in a renewal",
        include_str!("renewal.rs"),
        "no_changed_byte_of_a_renewal_yields_a_certificate",
    ),
    (
        "a self-signed RenewalReq with a challenge was accepted",
        include_str!("renewal.rs"),
        "a_self_signed_renewal_is_refused_whatever_its_challenge",
    ),
    (
        "a RenewalReq by a certificate of another authority was accepted",
        include_str!("renewal.rs"),
        "a_certificate_that_the_authority_did_not_issue_renews_nothing",
    ),
    (
        "a RenewalReq by a certificate that had expired or was revoked was accepted",
        include_str!("renewal.rs"),
        "an_expired_a_revoked_and_a_too_young_certificate_renew_nothing",
    ),
    (
        "a RenewalReq led to another subject",
        include_str!("renewal.rs"),
        "a_renewal_leads_to_no_other_subject_and_to_no_new_alternative_name",
    ),
    (
        "a decryption oracle: bad keys and bad content were answered in different ways",
        include_str!("requests.rs"),
        "a_random_key_and_a_tampered_content_are_refused_alike_every_time",
    ),
    (
        "short and odd ciphertext ended the process",
        include_str!("incidents.rs"),
        "an_envelope_cut_short_anywhere_is_refused",
    ),
    (
        "messageType 99 ended the process",
        include_str!("requests.rs"),
        "every_other_message_type_is_refused_with_bad_request_and_issues_nothing",
    ),
    (
        "common names became paths and lines of an index",
        include_str!("incidents.rs"),
        "a_name_is_a_name_and_neither_a_path_nor_a_line",
    ),
    (
        "requests failed under load",
        include_str!("incidents.rs"),
        "four_hundred_requests_in_parallel_are_all_served",
    ),
    (
        "an answer to an EC key was encrypted to nobody, or not at all",
        include_str!("ec.rs"),
        "the_answer_opens_with_the_challenge_alone",
    ),
    (
        "an error's size or words told what was wrong inside an envelope",
        include_str!("requests.rs"),
        "whatever_is_wrong_inside_an_envelope_looks_the_same_from_outside",
    ),
    (
        "a flood of requests had the private key work for each",
        include_str!("limits.rs"),
        "enrolments_are_limited_by_peer_before_any_key_is_used",
    ),
    (
        "an authority ended unnoticed, and with it every enrolment",
        include_str!("profiles.rs"),
        "an_authority_that_ends_soon_is_told_of_once_a_day",
    ),
    (
        "serial numbers were given out twice under load",
        include_str!("../../src/ca/embedded/tests.rs"),
        "ten_thousand_certificates_in_parallel_have_serial_numbers_of_their_own",
    ),
];

#[test]
fn every_incident_has_its_test() {
    for (incident, source, test) in INCIDENTS {
        assert!(
            source.contains(&format!("fn {test}(")),
            "{incident}: no test {test}"
        );
    }
}

/// A world whose verifier accepts every request that is proven.
fn generous(ra: bool) -> World {
    let granted = Verdict::Granted(Grant::elsewhere("x"));
    World::with(Setup {
        ra,
        verifier: Some(Arc::new(Fixed(Ok(granted)))),
        ..Setup::default()
    })
}

fn named(world: &World, name: &str) -> Raw {
    let csr = csr(&rsa_key(DEVICE_KEY), name, None);
    world
        .request(&Secret::new(String::new()))
        .with(|raw| raw.content = csr.to_der().to_vec())
}

#[tokio::test]
async fn a_csr_in_a_message_of_any_other_type_gets_no_certificate() {
    let world = generous(false);
    let good = named(&world, "device 7");
    for number in (0..=30).chain([99, 999_999_999]) {
        if number == MessageType::PkcsReq.number() {
            continue;
        }
        let raw = good
            .clone()
            .with(|raw| raw.message_type = MessageType::from(number));
        let attributes = world.ask(raw.build()).await.message.attributes;
        assert_eq!(attributes.status, Some(PkiStatus::Failure), "{number}");
        assert_eq!(world.store.issued(), 0, "{number}");
    }
    world.ask(good.build()).await.certificates(&good.key);
}

#[tokio::test]
async fn an_envelope_cut_short_anywhere_is_refused() {
    let world = generous(false);
    let good = named(&world, "device 7");
    let sealed = good.seal();
    for length in 0..sealed.len() {
        let cut = sealed[..length].to_vec();
        let raw = good.clone().with(|raw| raw.envelope = Some(cut));
        let attributes = world.ask(raw.build()).await.message.attributes;
        assert_eq!(attributes.status, Some(PkiStatus::Failure), "{length}");
    }
    assert_eq!(world.store.issued(), 0);
}

#[tokio::test]
async fn a_name_is_a_name_and_neither_a_path_nor_a_line() {
    let world = generous(false);
    for name in [
        "../../traversal",
        "/etc/passwd",
        "..\\..\\traversal",
        "a\tb\nV\t270101000000Z\t\t01\tunknown\t/CN=forged",
        "nul\0byte",
    ] {
        let raw = named(&world, name);
        let issued = world.ask(raw.build()).await.certificates(&raw.key);
        assert_eq!(issued[0].subject(), Name::from_common_name(name));
        assert_eq!(world.events.last(), "issued: x");
    }
    assert!(world.events.lines().iter().all(|line| !line.contains('\n')));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn four_hundred_requests_in_parallel_are_all_served() {
    const TASKS: usize = 16;
    const EACH: usize = 25;
    let world = Arc::new(generous(true));
    let message = named(&world, "device 7").build();
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let (world, message) = (world.clone(), message.clone());
            tokio::spawn(async move {
                for _ in 0..EACH {
                    assert_eq!(world.post(message.clone()).await.status(), 200);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(world.store.issued(), TASKS * EACH);
}
