//! GetCert, GetCRL and revocation. No peer on Debian speaks these messages (see `recorded`); `mdm-pki`'s tests hold the lists
//! against the `openssl` program.

use std::{process::Command, sync::Arc, time::Duration};

use mdm_core::{Clock as _, Secret};
use mdm_pki::{Certificate, CertificateBuilder, Name, RevocationList, RevocationReason};
use mdm_scep::{
    Client, Error, FailInfo, MessageType, PkiStatus, Policy, Requester,
    ca::{CertificateAuthority as _, CrlProfile, IssueError, publish_crl},
    store::{Grant, Issuance, RequestId, Revocation, Store as _},
};
use mdm_transport::HttpTransport;

use crate::{
    peers::missing,
    world::{CA_KEY, DEVICE_KEY, OTHER_KEY, Raw, Setup, World, rsa_key, self_signed, start},
};

async fn enrolled(world: &World) -> Certificate {
    let enrolment = world.enrolment(world.challenge().await);
    world.client().enrol(&enrolment).await.unwrap().certificate
}

fn requester(certificate: &Certificate) -> Requester {
    Requester::new(certificate.clone(), rsa_key(DEVICE_KEY)).unwrap()
}

async fn revoke(world: &World, certificate: &Certificate, reason: RevocationReason) {
    let revocation = Revocation::new(world.clock.now(), reason);
    let revoked = world.ca.revoke(certificate.serial(), revocation).await;
    assert_eq!(revoked.unwrap(), Some(revocation));
}

/// A good query, to be spoiled.
fn query(world: &World, kind: MessageType, issuer: &Name, serial: &[u8]) -> Raw {
    let number = [&[2, serial.len() as u8], serial].concat();
    let inside = [issuer.to_der(), &number].concat();
    assert!(inside.len() < 128);
    world.request(&Secret::new(String::new())).with(|raw| {
        raw.message_type = kind;
        raw.content = [&[0x30, inside.len() as u8], &inside[..]].concat();
    })
}

#[tokio::test]
async fn a_certificate_is_found_by_its_serial_number() {
    for ra in [false, true] {
        let world = World::with(Setup {
            ra,
            ..Setup::default()
        });
        let certificate = enrolled(&world).await;
        // The holder of a certificate may ask, and so may a stranger.
        let stranger = self_signed(&rsa_key(DEVICE_KEY), "stranger");
        for who in [&certificate, &stranger] {
            let (client, asks) = (world.client(), requester(who));
            let found = client.certificate(&asks, certificate.serial()).await;
            assert_eq!(found.unwrap(), certificate);
            assert_eq!(world.events.last(), "answered: GetCert");
        }
        let error = world
            .client()
            .certificate(&requester(&certificate), &[1, 2, 3])
            .await
            .unwrap_err();
        assert!(matches!(
            error,
            Error::Refused {
                fail_info: FailInfo::BadCertId,
                ..
            }
        ));
    }
}

#[tokio::test]
async fn a_revoked_certificate_is_on_the_next_list_until_a_list_after_its_end() {
    for ra in [false, true] {
        let world = World::with(Setup {
            ra,
            ..Setup::default()
        });
        let certificate = enrolled(&world).await;
        let asks = requester(&certificate);
        let list = async || {
            let client = world.client();
            client
                .revocation_list(&asks, certificate.serial())
                .await
                .unwrap()
        };
        let first = list().await;
        assert!(first.is_empty());
        assert_eq!(first.this_update(), world.clock.now());
        assert_eq!(
            first.next_update(),
            Some(world.clock.now() + chrono::TimeDelta::days(7))
        );
        revoke(&world, &certificate, RevocationReason::KeyCompromise).await;
        let second = list().await;
        let found = second.find(certificate.serial()).unwrap();
        assert_eq!(found.reason, RevocationReason::KeyCompromise);
        assert_eq!(found.at, world.clock.now());
        assert!(second.number() > first.number());
        second.verify_signed_by(&world.root).unwrap();
        // Seven days after its end the last list that has it is due to be replaced.
        let end = Duration::from_secs(365 * 24 * 3600);
        world
            .clock
            .advance(end + Duration::from_secs(7 * 24 * 3600));
        assert_eq!(list().await.len(), 1);
        world.clock.advance(Duration::from_secs(300));
        assert!(list().await.is_empty());
    }
}

#[tokio::test]
async fn a_list_is_signed_once_in_five_minutes_unless_something_is_revoked() {
    let world = World::new();
    let certificate = enrolled(&world).await;
    let list = async || world.ca.crl(world.clock.now()).await.unwrap();
    let first = list().await;
    world.clock.advance(Duration::from_secs(299));
    assert_eq!(list().await.to_der(), first.to_der());
    world.clock.advance(Duration::from_secs(1));
    let second = list().await;
    assert_ne!(second.to_der(), first.to_der());
    // Another node's revocation is listed that much later; one of this node at once.
    let now = world.clock.now();
    let revocation = Revocation::new(now, RevocationReason::Superseded);
    let revoked = world.store.revoke(certificate.serial(), revocation);
    revoked.await.unwrap();
    assert_eq!(list().await.to_der(), second.to_der());
    world.clock.advance(Duration::from_secs(300));
    assert_eq!(list().await.len(), 1);
}

#[tokio::test]
async fn a_list_is_bounded_and_never_leaves_a_certificate_out() {
    let world = World::with(Setup {
        crl: CrlProfile::default().with(|crl| crl.entries = 1),
        ..Setup::default()
    });
    let first = enrolled(&world).await;
    let second = enrolled(&world).await;
    revoke(&world, &first, RevocationReason::Unspecified).await;
    let asks = requester(&second);
    let client = world.client();
    let list = client.revocation_list(&asks, first.serial()).await.unwrap();
    assert_eq!(list.len(), 1);
    revoke(&world, &second, RevocationReason::Unspecified).await;
    let error = world.ca.crl(world.clock.now()).await.unwrap_err();
    assert!(matches!(error, IssueError::CrlTooLong { limit: 1 }));
    let error = client.revocation_list(&asks, first.serial()).await;
    assert!(error.unwrap_err().is_temporary());
    assert!(world.events.last().contains("more than 1 certificates"));
}

#[tokio::test]
async fn the_list_lies_where_certificates_say_for_openssl_to_read() {
    let world = World::new();
    let certificate = enrolled(&world).await;
    revoke(&world, &certificate, RevocationReason::KeyCompromise).await;
    let response = publish_crl(&*world.ca, world.clock.now()).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/pkix-crl");
    assert_eq!(response.headers()["cache-control"], "max-age=300, public");
    let list = RevocationList::from_der(response.body(), 9).unwrap();
    list.verify_signed_by(&world.root).unwrap();
    assert!(list.find(certificate.serial()).is_some());
    // Near the authority's end the list is kept no longer than it counts.
    let end = world.root.not_after() - chrono::TimeDelta::seconds(9);
    let late = publish_crl(&*world.ca, end).await;
    assert_eq!(late.headers()["cache-control"], "max-age=9, public");
    let ended = publish_crl(&*world.ca, start() + chrono::TimeDelta::days(4000)).await;
    assert_eq!(ended.status(), 503);
    assert_eq!(ended.headers()["retry-after"], "60");

    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("ca.crl"), response.body()).unwrap();
    std::fs::write(path("ca.pem"), world.root.to_pem()).unwrap();
    let read = Command::new("openssl")
        .args([
            "crl", "-inform", "DER", "-in", "ca.crl", "-CAfile", "ca.pem",
        ])
        .args(["-noout", "-text"])
        .current_dir(folder.path())
        .output();
    let Ok(read) = read else {
        return missing("the openssl program");
    };
    let said = String::from_utf8_lossy(&read.stdout).into_owned();
    let errors = String::from_utf8_lossy(&read.stderr);
    assert!(errors.contains("verify OK"), "{said}{errors}");
    assert!(said.contains("Key Compromise"), "{said}");
}

#[tokio::test]
async fn ten_thousand_revoked_certificates_reach_the_client() {
    let world = World::new();
    let certificate = enrolled(&world).await;
    let key = rsa_key(CA_KEY);
    let template = certificate.to_der().to_vec();
    let place = template
        .windows(certificate.serial().len())
        .position(|window| window == certificate.serial())
        .unwrap();
    for number in 0..10_000_u32 {
        // Nothing here looks at the signatures of these.
        let mut der = template.clone();
        der[place + 1..place + 5].copy_from_slice(&number.to_be_bytes());
        let copy = Certificate::from_der(&der).unwrap();
        let serial = copy.serial().to_vec();
        let issuance = Issuance::new(
            copy,
            Grant::elsewhere("x"),
            RequestId::from_bytes([0; 32]),
            start(),
        );
        world.store.commit(issuance).await.unwrap();
        let revocation = Revocation::new(start(), RevocationReason::CessationOfOperation);
        world.store.revoke(&serial, revocation).await.unwrap();
    }
    let client = world.client();
    let asks = requester(&certificate);
    let list = client.revocation_list(&asks, certificate.serial()).await;
    let list = list.unwrap();
    assert_eq!(list.len(), 10_000);
    assert!(list.find(certificate.serial()).is_none());
    assert!(world.root.public_key().unwrap().same_key(key.public_key()));
}

#[tokio::test]
async fn whatever_a_query_does_not_find_is_one_refusal_of_one_size() {
    let world = World::new();
    let certificate = enrolled(&world).await;
    let issuer = world.root.subject();
    let other = Name::from_common_name("Other CA");
    let serial = certificate.serial();
    let good = query(&world, MessageType::GetCert, &issuer, serial);
    let found = world.ask(good.build()).await.certificates(&good.key);
    assert!(found.iter().eq([&certificate]));
    let mut sealed = good.seal();
    *sealed.last_mut().unwrap() ^= 1;
    let mut sizes = Vec::new();
    for raw in [
        query(&world, MessageType::GetCert, &other, serial),
        query(&world, MessageType::GetCrl, &other, serial),
        query(&world, MessageType::GetCert, &issuer, &[7; 16]),
        good.clone().with(|raw| raw.content = b"nothing".to_vec()),
        good.clone().with(|raw| raw.envelope = Some(sealed)),
    ] {
        let reply = world.refused(&raw, FailInfo::BadCertId).await;
        sizes.push(reply.bytes.len());
    }
    assert!(sizes.iter().all(|size| *size == sizes[0]), "{sizes:?}");
    let stranger = self_signed(&rsa_key(OTHER_KEY), "stranger");
    let foreign = CertificateBuilder::new(Name::from_common_name("x"), good.key.public_key())
        .validity(stranger.not_before(), stranger.not_after())
        .sign(&stranger, &rsa_key(OTHER_KEY))
        .unwrap();
    let foreign = good.clone().with(|raw| raw.signer = foreign);
    world.refused(&foreign, FailInfo::BadMessageCheck).await;

    let quiet = World::with(Setup {
        policy: Policy::default().with(|policy| policy.queries = false),
        ..Setup::default()
    });
    for kind in [MessageType::GetCert, MessageType::GetCrl] {
        let raw = query(&quiet, kind, &issuer, serial);
        quiet.refused(&raw, FailInfo::BadRequest).await;
    }
}

#[tokio::test]
async fn a_csr_in_a_query_is_no_query_and_issues_nothing() {
    let world = World::new();
    let challenge = world.challenge().await;
    let good = world.request(&challenge);
    for kind in [MessageType::GetCert, MessageType::GetCrl] {
        let raw = good.clone().with(|raw| raw.message_type = kind);
        world.refused(&raw, FailInfo::BadCertId).await;
    }
    let reply = world.ask(good.build()).await;
    assert_eq!(reply.message.attributes.status, Some(PkiStatus::Success));
}

#[tokio::test]
async fn a_client_does_not_believe_a_list_that_is_old() {
    let world = World::new();
    let certificate = enrolled(&world).await;
    let asks = requester(&certificate);
    let late = Arc::new(mdm_core::ManualClock::new(
        start() + chrono::TimeDelta::days(8),
    ));
    let client = Client::new(
        world.transport(),
        crate::world::URL.parse().unwrap(),
        mdm_scep::CaTrust::Certificate(Box::new(world.root.clone())),
        late,
    );
    let error = ask_for_list(&client, &asks, &certificate)
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "the revocation list is not current");
    let foreign = Requester::new(certificate, rsa_key(OTHER_KEY));
    assert!(matches!(foreign, Err(Error::Configuration(_))));
}

async fn ask_for_list<T: HttpTransport>(
    client: &Client<T>,
    asks: &Requester,
    of: &Certificate,
) -> Result<RevocationList, Error> {
    client.revocation_list(asks, of.serial()).await
}
