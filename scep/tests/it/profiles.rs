//! What issued certificates are like, and when their authority ends.

use std::time::Duration;

use mdm_pki::{Certificate, KeyUsage, Oid, oid};
use mdm_scep::{
    CertificateProfile, FailInfo,
    ca::{SanKind, SanRule},
};

use crate::world::{DEVICE_KEY, Setup, World, rsa_key};

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn issued(profile: CertificateProfile) -> Certificate {
    let world = World::with(Setup {
        profile,
        ..Setup::default()
    });
    let challenge = world.challenge().await;
    let reply = world.ask(world.request(&challenge).build()).await;
    reply.certificates(&rsa_key(DEVICE_KEY)).remove(0)
}

#[tokio::test]
async fn a_certificate_is_what_its_profile_says() {
    let profile = CertificateProfile::default().with(|profile| {
        profile.validity = 30 * DAY;
        profile.backdate = DAY;
        profile.key_usage = KeyUsage::DIGITAL_SIGNATURE;
        profile.extended_key_usages = vec![oid::CLIENT_AUTH, oid::EMAIL_PROTECTION];
        profile.ocsp_urls = vec!["http://ocsp.example.com/".to_owned()];
        profile.issuer_urls = vec!["http://ca.example.com/ca.cer".to_owned()];
        profile.crl_urls = vec!["http://ca.example.com/ca.crl".to_owned()];
    });
    let certificate = issued(profile).await;
    let validity = certificate.not_after() - certificate.not_before();
    assert_eq!(validity.num_days(), 31);
    assert_eq!(certificate.key_usage(), Some(KeyUsage::DIGITAL_SIGNATURE));
    assert_eq!(
        certificate.extended_key_usages(),
        [oid::CLIENT_AUTH, oid::EMAIL_PROTECTION]
    );
    let access = certificate.extension(Oid::constant("1.3.6.1.5.5.7.1.1"));
    assert_eq!(
        access.unwrap(),
        b"\x30\x50\
            \x30\x24\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x01\x86\x18http://ocsp.example.com/\
            \x30\x28\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x02\x86\x1chttp://ca.example.com/ca.cer"
            .as_slice()
    );
    let points = certificate.extension(Oid::constant("2.5.29.31"));
    let point = b"\x30\x24\x30\x22\xa0\x20\xa0\x1e\x86\x1chttp://ca.example.com/ca.crl".as_slice();
    assert_eq!(points.unwrap(), point);
    assert!(certificate.check_form().is_ok());
}

#[tokio::test]
async fn a_certificate_without_places_and_purposes_says_nothing_of_them() {
    let profile = CertificateProfile::default().with(|profile| profile.extended_key_usages.clear());
    let certificate = issued(profile).await;
    for kind in ["1.3.6.1.5.5.7.1.1", "2.5.29.31", "2.5.29.37"] {
        assert_eq!(certificate.extension(kind.parse().unwrap()), None);
    }
}

#[tokio::test]
async fn a_profile_without_a_use_for_the_key_is_a_refusal() {
    let world = World::with(Setup {
        profile: CertificateProfile::default().with(|profile| {
            profile.key_usage = KeyUsage::KEY_AGREEMENT;
            profile.subject_alt_names = SanRule::Only(vec![SanKind::Dns]);
        }),
        ..Setup::default()
    });
    let challenge = world.challenge().await;
    world
        .refused(&world.request(&challenge), FailInfo::BadRequest)
        .await;
    assert!(world.events.last().contains("no use for a key"));
}

#[tokio::test]
async fn an_authority_that_ends_soon_is_told_of_once_a_day() {
    let world = World::with(Setup {
        root_validity: 40 * DAY,
        warn_before: 30 * DAY,
        ..Setup::default()
    });
    let ask = async || {
        let challenge = world.challenge().await;
        world.ask(world.request(&challenge).build()).await;
    };
    ask().await;
    world.clock.advance(10 * DAY);
    ask().await;
    ask().await;
    world.clock.advance(DAY);
    ask().await;
    let told: Vec<_> = world
        .events
        .lines()
        .into_iter()
        .filter(|line| line.starts_with("expiring"))
        .collect();
    assert_eq!(
        told,
        [
            "expiring: CN=Example CA in 30 days",
            "expiring: CN=Example CA in 29 days"
        ]
    );
}
