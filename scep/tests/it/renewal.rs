//! A new certificate for an old one: signed by the old key, or Apple's way, with a fresh challenge.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use mdm_core::{Clock as _, Secret};
use mdm_pki::{
    Certificate, CertificateBuilder, CertificateRequestBuilder, GeneralName, KeySpec, Name,
    PrivateKey, RevocationReason,
};
use mdm_scep::{
    CertificateAuthority as _, CertificateProfile, Enrolment, Error, FailInfo, MessageType,
    PkiStatus, Policy,
    ca::SanRule,
    store::{Revocation, Store as _},
};

use crate::world::{
    CA_KEY, DEVICE_KEY, OTHER_KEY, RA_KEY, Raw, Setup, World, YEAR, csr, rsa_key, self_signed,
};

/// An enrolled device's certificate.
async fn enrolled(world: &World) -> Certificate {
    let enrolment = world.enrolment(world.challenge().await);
    world.client().enrol(&enrolment).await.unwrap().certificate
}

/// A good RenewalReq for a new key, to be spoiled.
fn renewal(world: &World, old: &Certificate) -> Raw {
    let new = csr(&rsa_key(OTHER_KEY), "device 7", None);
    world.request(&Secret::new(String::new())).with(|raw| {
        raw.message_type = MessageType::RenewalReq;
        raw.signer = old.clone();
        raw.content = new.to_der().to_vec();
    })
}

#[tokio::test]
async fn a_certificate_renews_itself_for_a_new_key_and_for_the_old_one() {
    for key in [OTHER_KEY, DEVICE_KEY] {
        let world = World::new();
        let old = enrolled(&world).await;
        world.clock.advance(YEAR / 2);
        let renewal = Enrolment::renewal(old.clone(), rsa_key(DEVICE_KEY), rsa_key(key)).unwrap();
        let new = world.client().enrol(&renewal).await.unwrap();
        assert_eq!(new.certificate.subject(), old.subject());
        let of = new.certificate.public_key().unwrap();
        assert!(of.same_key(rsa_key(key).public_key()));
        assert_ne!(new.certificate.serial(), old.serial());
        assert_eq!(
            new.certificate.not_after(),
            world.clock.now() + TimeDelta::days(365)
        );
        let serial = hex::encode(old.serial());
        assert_eq!(
            world.events.last(),
            format!("issued: the renewal of {serial}")
        );
        // The next renewal with the same key is another request, though its CSR is the same.
        let next = Enrolment::renewal(new.certificate.clone(), rsa_key(key), rsa_key(key));
        let next = world.client().enrol(&next.unwrap()).await.unwrap();
        assert_ne!(next.certificate, new.certificate);
        assert_eq!(world.store.issued(), 3);
    }
}

#[tokio::test]
async fn q07_apples_client_renews_by_pkcsreq_with_a_fresh_challenge_and_a_temporary_signer() {
    let world = World::new();
    let old = enrolled(&world).await;
    // Key, transaction and subject are those of the first time; only the challenge is new.
    let again = world
        .enrolment(world.challenge().await)
        .with_signer_subject(Name::from_common_name(
            "1F0C4B6E-7C0D-4F5B-9C71-4A1B8E0B2F11",
        ));
    let new = world.client().enrol(&again).await.unwrap().certificate;
    assert_eq!(new.subject(), old.subject());
    assert_ne!(new, old);
}

#[tokio::test]
async fn the_same_renewal_again_and_fifty_times_at_once_ends_in_one_certificate() {
    let world = Arc::new(World::new());
    let old = enrolled(&world).await;
    let message = renewal(&world, &old).build();
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let (world, message) = (world.clone(), message.clone());
            tokio::spawn(async move {
                let reply = world.ask(message).await;
                reply.certificates(&rsa_key(DEVICE_KEY)).remove(0)
            })
        })
        .collect();
    let mut issued = Vec::new();
    for task in tasks {
        issued.push(task.await.unwrap());
    }
    assert!(issued.iter().all(|certificate| *certificate == issued[0]));
    assert_eq!(world.store.issued(), 2, "the old one and the new one");
}

#[tokio::test]
async fn a_self_signed_renewal_is_refused_whatever_its_challenge() {
    let world = World::new();
    enrolled(&world).await;
    let challenge = world.challenge().await;
    let raw = world.request(&challenge);
    for name in ["device 7", "Example CA", "temporary signer"] {
        let raw = raw.clone().with(|raw| {
            raw.message_type = MessageType::RenewalReq;
            raw.signer = self_signed(&raw.key, name);
        });
        world.refused(&raw, FailInfo::BadMessageCheck).await;
        assert!(world.events.last().contains("none of the authority's"));
    }
    // The challenge was not even looked at.
    world.ask(raw.build()).await.certificates(&raw.key);
}

#[tokio::test]
async fn a_certificate_that_the_authority_did_not_issue_renews_nothing() {
    let world = World::with(Setup {
        ra: true,
        ..Setup::default()
    });
    let old = enrolled(&world).await;
    let ra_key = rsa_key(RA_KEY);
    // The authority's name under another key, and a real certificate of the authority that it keeps
    // no book of: here its own registration authority's.
    let name = world.root.subject();
    let impostor = CertificateBuilder::new(name, rsa_key(OTHER_KEY).public_key())
        .validity(old.not_before(), old.not_after())
        .ca(None)
        .self_signed(&rsa_key(OTHER_KEY))
        .unwrap();
    let forged = CertificateBuilder::new(old.subject(), rsa_key(DEVICE_KEY).public_key())
        .serial(old.serial())
        .validity(old.not_before(), old.not_after())
        .sign(&impostor, &rsa_key(OTHER_KEY))
        .unwrap();
    let forged = renewal(&world, &forged);
    world.refused(&forged, FailInfo::BadMessageCheck).await;
    assert!(world.events.last().contains("none of the authority's"));
    let of_ra = renewal(&world, &world.responder).with(|raw| raw.key = ra_key);
    world.refused(&of_ra, FailInfo::BadRequest).await;
    assert!(world.events.last().contains("the server's own"));
}

#[tokio::test]
async fn an_expired_a_revoked_and_a_too_young_certificate_renew_nothing() {
    let world = World::new();
    let old = enrolled(&world).await;
    let raw = renewal(&world, &old);
    world.clock.advance(YEAR);
    world.ask(raw.build()).await.certificates(&raw.key);
    world.clock.advance(Duration::from_secs(1));
    // Not even the certificate that the very same request has got in time.
    world.refused(&raw, FailInfo::BadRequest).await;
    assert!(world.events.last().contains("is valid from"));

    let world = World::new();
    let old = enrolled(&world).await;
    let raw = renewal(&world, &old);
    let stolen = Revocation::new(world.clock.now(), RevocationReason::KeyCompromise);
    let revoked = world.ca.revoke(old.serial(), stolen).await.unwrap();
    assert_eq!(revoked, Some(stolen));
    let reply = world.refused(&raw, FailInfo::BadRequest).await;
    let text = reply.message.attributes.fail_info_text.unwrap();
    assert_eq!(text, "the certificate does not renew itself");
    assert!(world.events.last().ends_with("KeyCompromise"));

    let month = Duration::from_secs(30 * 24 * 3600);
    let world = World::with(Setup {
        policy: Policy::default().with(|policy| policy.renewal_window = Some(month)),
        ..Setup::default()
    });
    let old = enrolled(&world).await;
    let raw = renewal(&world, &old);
    world.clock.advance(YEAR - month - Duration::from_secs(1));
    world.refused(&raw, FailInfo::BadRequest).await;
    assert!(world.events.last().contains("renews itself from"));
    world.clock.advance(Duration::from_secs(1));
    world.ask(raw.build()).await.certificates(&raw.key);
}

#[tokio::test]
async fn a_renewal_leads_to_no_other_subject_and_to_no_new_alternative_name() {
    let world = World::new();
    let old = enrolled(&world).await;
    let envelope = renewal(&world, &old).with(|raw| raw.content = b"no CSR".to_vec());
    let uniform = world.refused(&envelope, FailInfo::BadMessageCheck).await;
    let other = renewal(&world, &old).with(|raw| {
        let csr = csr(&rsa_key(OTHER_KEY), "device 8", None);
        raw.content = csr.to_der().to_vec();
    });
    let reply = world.refused(&other, FailInfo::BadMessageCheck).await;
    assert!(world.events.last().contains("another subject"));
    // Outside it is told apart from an envelope that does not open by nothing.
    assert_eq!(
        reply.message.attributes.fail_info_text,
        uniform.message.attributes.fail_info_text
    );
    assert_eq!(reply.bytes.len(), uniform.bytes.len());

    let world = World::with(Setup {
        profile: CertificateProfile::default()
            .with(|profile| profile.subject_alt_names = SanRule::Copy),
        ..Setup::default()
    });
    let old = enrolled(&world).await;
    let key = rsa_key(OTHER_KEY);
    let admin = GeneralName::UserPrincipalName("admin@example.com".to_owned());
    let csr = CertificateRequestBuilder::new(old.subject())
        .san(admin)
        .sign(&key)
        .unwrap();
    let raw = renewal(&world, &old).with(|raw| raw.content = csr.to_der().to_vec());
    world.refused(&raw, FailInfo::BadRequest).await;
    assert!(world.events.last().contains("alternative name"));
}

#[tokio::test]
async fn a_renewal_whose_csr_or_key_is_bad_is_refused() {
    let world = World::with(Setup {
        policy: Policy::default().with(|policy| policy.ec_keys = false),
        ..Setup::default()
    });
    let old = enrolled(&world).await;
    let raw = renewal(&world, &old);
    let spoiled = raw
        .clone()
        .with(|raw| *raw.content.last_mut().unwrap() ^= 1);
    world.refused(&spoiled, FailInfo::BadMessageCheck).await;
    for (key, fail_info) in [
        (
            PrivateKey::generate(KeySpec::Rsa1024).unwrap(),
            FailInfo::BadRequest,
        ),
        (
            PrivateKey::generate(KeySpec::P256).unwrap(),
            FailInfo::BadAlg,
        ),
        (rsa_key(CA_KEY), FailInfo::BadRequest),
    ] {
        let content = csr(&key, "device 7", None).to_der().to_vec();
        let raw = raw.clone().with(|raw| raw.content = content);
        world.refused(&raw, fail_info).await;
    }
}

#[tokio::test]
async fn no_changed_byte_of_a_renewal_yields_a_certificate() {
    let world = World::new();
    let old = enrolled(&world).await;
    let good = renewal(&world, &old);
    for place in 0..good.content.len() {
        let raw = good
            .clone()
            .with(|raw| raw.content[place] ^= 1 << (place % 8));
        world.refused(&raw, FailInfo::BadMessageCheck).await;
    }
}

#[tokio::test]
async fn renewals_can_be_switched_off_and_the_client_asks_no_server_that_lists_none() {
    let world = World::with(Setup {
        policy: Policy::default().with(|policy| policy.renewal = false),
        ..Setup::default()
    });
    let old = enrolled(&world).await;
    let raw = renewal(&world, &old);
    world.refused(&raw, FailInfo::BadRequest).await;
    assert_eq!(world.events.last(), "refused: RenewalReq is not served");
    let renewal = Enrolment::renewal(old.clone(), rsa_key(DEVICE_KEY), rsa_key(OTHER_KEY)).unwrap();
    let error = world.client().enrol(&renewal).await.unwrap_err();
    assert_eq!(error.to_string(), "the server does not offer Renewal");
    let foreign = Enrolment::renewal(old, rsa_key(OTHER_KEY), rsa_key(OTHER_KEY));
    assert!(matches!(foreign, Err(Error::Configuration(_))));
}

#[tokio::test]
async fn the_answer_to_a_renewal_is_for_the_old_key() {
    let world = World::new();
    let old = enrolled(&world).await;
    let reply = world.ask(renewal(&world, &old).build()).await;
    assert_eq!(reply.message.attributes.status, Some(PkiStatus::Success));
    let envelope = reply.message.open_envelope().unwrap();
    assert!(envelope.recipients()[0].is(&old));
    let new = reply.certificates(&rsa_key(DEVICE_KEY)).remove(0);
    let kept = world.store.certificate(new.serial()).await.unwrap();
    assert_eq!(kept.unwrap().certificate, new);
}

/// So do clients of the drafts before RFC 8894, certmonger among them.
#[tokio::test]
async fn a_pkcs_req_that_the_old_certificate_signs_renews_it_and_nothing_else() {
    let world = World::new();
    let old = enrolled(&world).await;
    let good = renewal(&world, &old).with(|raw| raw.message_type = MessageType::PkcsReq);
    let other = good.clone().with(|raw| {
        let csr = csr(&rsa_key(OTHER_KEY), "device 8", None);
        raw.content = csr.to_der().to_vec();
    });
    world.refused(&other, FailInfo::BadMessageCheck).await;
    assert!(world.events.last().contains("another subject"));
    let first = world.ask(good.build()).await.certificates(&good.key);
    let again = world.ask(good.build()).await.certificates(&good.key);
    assert_eq!(first, again);
    assert_eq!(world.store.issued(), 2);
    // A challenge of somebody else in it is left alone.
    let challenge = world.challenge().await;
    let with = good.clone().with(|raw| {
        let csr = csr(&rsa_key(OTHER_KEY), "device 7", Some(challenge.expose()));
        raw.content = csr.to_der().to_vec();
    });
    world.ask(with.build()).await.certificates(&with.key);
    let usual = world.request(&challenge);
    world.ask(usual.build()).await.certificates(&usual.key);
    let stolen = Revocation::new(world.clock.now(), mdm_pki::RevocationReason::KeyCompromise);
    world.ca.revoke(old.serial(), stolen).await.unwrap();
    world.refused(&good, FailInfo::BadRequest).await;

    let strict = World::with(Setup {
        policy: Policy::default().with(|policy| policy.renewal = false),
        ..Setup::default()
    });
    let old = enrolled(&strict).await;
    let raw = renewal(&strict, &old).with(|raw| raw.message_type = MessageType::PkcsReq);
    strict.refused(&raw, FailInfo::BadMessageCheck).await;
}
