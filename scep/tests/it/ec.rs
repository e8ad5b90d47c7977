//! Devices with EC keys: what answers them is encrypted with the challenge (RFC 8894 section 3.1).

use mdm_core::Secret;
use mdm_pki::{
    Certificate, CertificateRequestBuilder, KeySpec, KeyUsage, Name, PrivateKey, cms::DecryptPolicy,
};
use mdm_scep::{
    Approval, Enrolment, Error, FailInfo, MessageType, Policy, Polling, Requester,
    pending::Resolution,
};

use crate::world::{DEVICE_KEY, OTHER_KEY, Raw, Setup, World, csr, rsa_key, self_signed, start};

const SPECS: [KeySpec; 3] = [KeySpec::P256, KeySpec::P384, KeySpec::P521];

fn ec() -> PrivateKey {
    PrivateKey::generate(KeySpec::P256).unwrap()
}

fn enrolment(key: PrivateKey, challenge: Secret<String>) -> Enrolment {
    Enrolment::new(key, Name::from_common_name("device 7"), Some(challenge)).unwrap()
}

/// A good request of this key, to be spoiled.
fn request(world: &World, key: PrivateKey, challenge: Option<&str>) -> Raw {
    world.request(&Secret::new(String::new())).with(|raw| {
        raw.signer = self_signed(&key, "temporary signer");
        raw.content = csr(&key, "device 7", challenge).to_der().to_vec();
        raw.key = key;
    })
}

#[tokio::test]
async fn a_device_with_an_ec_key_enrols_on_every_curve() {
    for ra in [false, true] {
        let world = World::with(Setup {
            ra,
            ..Setup::default()
        });
        for spec in SPECS {
            let key = PrivateKey::generate(spec).unwrap();
            let enrolment = enrolment(key.clone(), world.challenge().await);
            let client = world.client();
            let certificate = client.enrol(&enrolment).await.unwrap().certificate;
            assert!(certificate.public_key().unwrap().same_key(key.public_key()));
            assert_eq!(certificate.key_usage(), Some(KeyUsage::DIGITAL_SIGNATURE));
            // A client that lost the answer gets it again.
            let again = client.enrol(&enrolment).await.unwrap().certificate;
            assert_eq!(certificate, again);
        }
        assert_eq!(world.store.issued(), 3);
    }
}

#[tokio::test]
async fn the_answer_opens_with_the_challenge_alone() {
    let world = World::new();
    let challenge = world.challenge().await;
    let raw = request(&world, ec(), Some(challenge.expose()));
    let reply = world.ask(raw.build()).await;
    assert_eq!(reply.certificates_under(challenge.expose()).len(), 1);
    let envelope = reply.message.open_envelope().unwrap();
    let other = world.challenge().await;
    let policy = DecryptPolicy::default();
    let opened = envelope.decrypt_with_password(other.expose().as_bytes(), &policy);
    assert!(opened.is_err());
    // 10,000 iterations unless the policy says otherwise.
    let few = policy.with(|policy| policy.password_iterations = 9_999);
    let opened = envelope.decrypt_with_password(challenge.expose().as_bytes(), &few);
    assert!(opened.unwrap_err().to_string().contains("iterations"));
}

#[tokio::test]
async fn an_ec_key_without_a_challenge_gets_nothing_and_spends_nothing() {
    use mdm_scep::{challenge::Verdict, store::Grant};
    let granted = Verdict::Granted(Grant::elsewhere("x"));
    let world = World::with(Setup {
        verifier: Some(std::sync::Arc::new(crate::world::Fixed(Ok(granted)))),
        ..Setup::default()
    });
    for challenge in [None, Some("")] {
        let raw = request(&world, ec(), challenge);
        world.refused(&raw, FailInfo::BadRequest).await;
        assert!(world.events.last().contains("needs a challenge"));
    }
    let none = Enrolment::new(ec(), Name::from_common_name("x"), None);
    assert!(matches!(none, Err(Error::Configuration(_))));
}

#[tokio::test]
async fn ec_keys_are_refused_by_policy() {
    let world = World::with(Setup {
        policy: Policy::default().with(|policy| policy.ec_keys = false),
        ..Setup::default()
    });
    let challenge = world.challenge().await;
    let raw = request(&world, ec(), Some(challenge.expose()));
    world.refused(&raw, FailInfo::BadAlg).await;
    assert!(world.events.last().contains("Ec(P256)"));
}

#[tokio::test]
async fn what_is_wrong_with_an_ec_request_is_refused_like_anything_else() {
    let world = World::new();
    let challenge = world.challenge().await;
    let good = request(&world, ec(), Some(challenge.expose()));
    let foreign = csr(&ec(), "device 7", Some(challenge.expose()));
    let spoiled = good
        .clone()
        .with(|raw| *raw.content.last_mut().unwrap() ^= 1);
    let garbage = good.clone().with(|raw| raw.content = b"no CSR".to_vec());
    let foreign = good
        .clone()
        .with(|raw| raw.content = foreign.to_der().to_vec());
    let mut sizes = Vec::new();
    for raw in [spoiled, garbage, foreign] {
        let reply = world.refused(&raw, FailInfo::BadMessageCheck).await;
        sizes.push(reply.bytes.len());
    }
    assert!(sizes.iter().all(|size| *size == sizes[0]), "{sizes:?}");
    let message = good.build();
    for back in 1..16 {
        let mut changed = message.clone();
        let place = changed.len() - back;
        changed[place] ^= 1;
        let reply = world.ask(changed).await;
        let fail_info = reply.message.attributes.fail_info;
        assert_eq!(fail_info, Some(FailInfo::BadMessageCheck));
    }
    assert_eq!(world.store.issued(), 0);
    world
        .ask(message)
        .await
        .certificates_under(challenge.expose());
}

#[tokio::test]
async fn no_changed_byte_of_an_ec_csr_yields_a_certificate() {
    let world = World::new();
    let challenge = world.challenge().await;
    let good = request(&world, ec(), Some(challenge.expose()));
    for place in 0..good.content.len() {
        let raw = good
            .clone()
            .with(|raw| raw.content[place] ^= 1 << (place % 8));
        world.refused(&raw, FailInfo::BadMessageCheck).await;
    }
}

async fn enrolled(world: &World, key: &PrivateKey) -> Certificate {
    let enrolment = enrolment(key.clone(), world.challenge().await);
    world.client().enrol(&enrolment).await.unwrap().certificate
}

#[tokio::test]
async fn certificates_renew_themselves_from_and_to_ec_keys() {
    let world = World::new();
    let (first, second, rsa) = (ec(), ec(), rsa_key(OTHER_KEY));
    let mut old = enrolled(&world, &first).await;
    let mut old_key = first;
    for key in [second, rsa, ec()] {
        let renewal = Enrolment::renewal(old, old_key, key.clone()).unwrap();
        let renewed = world.client().enrol(&renewal).await.unwrap();
        let of = renewed.certificate.public_key().unwrap();
        assert!(of.same_key(key.public_key()));
        assert!(world.events.last().starts_with("issued: the renewal"));
        (old, old_key) = (renewed.certificate, key);
    }
    assert_eq!(world.store.issued(), 4);
}

#[tokio::test]
async fn a_renewal_by_an_ec_key_without_a_challenge_is_refused() {
    let world = World::new();
    let key = ec();
    let old = enrolled(&world, &key).await;
    let csr = CertificateRequestBuilder::new(old.subject())
        .sign(&key)
        .unwrap();
    let raw = request(&world, key, None).with(|raw| {
        raw.message_type = MessageType::RenewalReq;
        raw.content = csr.to_der().to_vec();
        raw.signer = old;
    });
    world.refused(&raw, FailInfo::BadRequest).await;
}

#[tokio::test]
async fn an_ec_key_waits_for_a_person_and_polls() {
    let store = std::sync::Arc::new(mdm_scep::MemoryStore::new());
    let approval = Approval::new(store.clone(), store.clone());
    let world = World::with(Setup {
        verifier: Some(std::sync::Arc::new(approval.clone())),
        store: Some(store),
        ..Setup::default()
    });
    let key = ec();
    let enrolment = enrolment(key.clone(), Secret::new("for the answer".to_owned()));
    let client = world.client();
    let waits = client.enrol(&enrolment).await.unwrap_err();
    assert!(matches!(waits, Error::Pending { .. }));
    for (id, pending) in approval.unresolved(9).await.unwrap() {
        let resolved = approval.resolve(&id, pending.request, Resolution::Approved);
        resolved.await.unwrap().unwrap();
    }
    let polling = Polling::default();
    let enrolled = client.enrol_patiently(&enrolment, polling).await.unwrap();
    let polled = client.poll(&enrolment).await.unwrap();
    assert_eq!(enrolled.certificate, polled.certificate);
    assert_eq!(world.store.issued(), 1);
}

#[tokio::test]
async fn queries_are_signed_by_rsa_keys() {
    let world = World::new();
    let key = ec();
    let certificate = enrolled(&world, &key).await;
    let number = [&[2, certificate.serial().len() as u8], certificate.serial()].concat();
    let about = [world.root.subject().to_der(), &number].concat();
    let about = [&[0x30, about.len() as u8], &about[..]].concat();
    for kind in [MessageType::GetCert, MessageType::GetCrl] {
        let raw = request(&world, key.clone(), None).with(|raw| {
            raw.message_type = kind;
            raw.content.clone_from(&about);
        });
        world.refused(&raw, FailInfo::BadAlg).await;
    }
    let requester = Requester::new(certificate.clone(), key);
    assert!(matches!(requester, Err(Error::Configuration(_))));
    // Somebody with an RSA key may ask about it.
    let asks = self_signed(&rsa_key(DEVICE_KEY), "somebody");
    let asks = Requester::new(asks, rsa_key(DEVICE_KEY)).unwrap();
    let found = world
        .client()
        .certificate(&asks, certificate.serial())
        .await;
    assert_eq!(found.unwrap(), certificate);
    assert!(certificate.not_before() < start());
}
