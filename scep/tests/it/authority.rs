//! What an authority refuses to be, and to do.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use mdm_core::{Clock as _, ManualClock};
use mdm_pki::{
    CertificateRequestBuilder, GeneralName, KeyError, KeySpec, Name, PrivateKey, PublicKey,
    SignatureAlgorithm, Signer,
};
use mdm_scep::{
    CertificateProfile, EmbeddedCa, Error, FailInfo, MemoryStore, OneTime, Responder, Server,
    ca::{RootUse, SanRule, registration_authority, root},
};

use crate::world::{
    CA_KEY, DEVICE_KEY, OTHER_KEY, RA_KEY, Setup, World, YEAR, rsa_key, self_signed, start,
};

#[tokio::test]
async fn an_expired_authority_issues_nothing() {
    let world = World::with(Setup {
        root_validity: Duration::from_secs(60),
        ..Setup::default()
    });
    world.clock.advance(Duration::from_secs(61));
    let challenge = world.challenge().await;
    let response = world.post(world.request(&challenge).build()).await;
    assert_eq!(response.status(), 503);
    assert!(world.events.last().contains("not valid now"));
    assert_eq!(world.store.issued(), 0);
}

#[tokio::test]
async fn serial_numbers_are_long_and_all_different() {
    let world = World::new();
    let mut serials = BTreeSet::new();
    for _ in 0..50 {
        let challenge = world.challenge().await;
        let reply = world.ask(world.request(&challenge).build()).await;
        let certificate = reply.certificates(&rsa_key(DEVICE_KEY)).remove(0);
        assert!(
            certificate.serial().len() >= 15,
            "{:?}",
            certificate.serial()
        );
        serials.insert(certificate.serial().to_vec());
    }
    assert_eq!(serials.len(), 50);
}

#[tokio::test]
async fn a_request_without_a_subject_or_with_the_authoritys_own_is_refused() {
    let world = World::new();
    let authority = world.root.subject();
    for (subject, reason) in [
        (Name::default(), "the subject is empty"),
        (authority, "the subject is the authority's own"),
    ] {
        let challenge = world.challenge().await;
        let key = rsa_key(DEVICE_KEY);
        let csr = CertificateRequestBuilder::new(subject)
            .challenge_password(challenge.expose())
            .sign(&key)
            .unwrap();
        let raw = world
            .request(&challenge)
            .with(|raw| raw.content = csr.to_der().to_vec());
        world.refused(&raw, FailInfo::BadRequest).await;
        assert!(
            world.events.last().contains(reason),
            "{}",
            world.events.last()
        );
    }
}

#[tokio::test]
async fn alternative_names_are_left_out_unless_the_profile_copies_them() {
    let principal = GeneralName::UserPrincipalName("admin@example.com".to_owned());
    for (rule, expected) in [
        (SanRule::Omit, vec![]),
        (SanRule::Copy, vec![principal.clone()]),
    ] {
        let world = World::with(Setup {
            profile: CertificateProfile::default().with(|profile| profile.subject_alt_names = rule),
            ..Setup::default()
        });
        let challenge = world.challenge().await;
        let key = rsa_key(DEVICE_KEY);
        let csr = CertificateRequestBuilder::new(Name::from_common_name("device 7"))
            .challenge_password(challenge.expose())
            .san(principal.clone())
            .sign(&key)
            .unwrap();
        let raw = world
            .request(&challenge)
            .with(|raw| raw.content = csr.to_der().to_vec());
        let issued = world.ask(raw.build()).await.certificates(&key).remove(0);
        assert_eq!(issued.subject_alt_names(), expected);
    }
}

#[test]
fn an_authority_needs_a_ca_certificate_of_its_signer() {
    let store = Arc::new(MemoryStore::new());
    let key = Arc::new(rsa_key(CA_KEY));
    let name = Name::from_common_name("CA");
    let ca = root(name, &key, RootUse::Alone, YEAR, start()).unwrap();
    assert!(EmbeddedCa::new(vec![ca.clone()], key.clone(), store.clone()).is_ok());
    for (chain, signer) in [
        (vec![], key.clone()),
        (vec![self_signed(&key, "no CA")], key.clone()),
        (vec![ca], Arc::new(rsa_key(OTHER_KEY))),
    ] {
        let error = EmbeddedCa::new(chain, signer, store.clone()).unwrap_err();
        assert!(matches!(error, Error::Configuration(_)), "{error}");
    }
}

#[test]
fn a_responder_needs_an_rsa_key_and_its_own_certificate() {
    let ec = PrivateKey::generate(KeySpec::P256).unwrap();
    let name = || Name::from_common_name("CA");
    assert!(matches!(
        root(name(), &ec, RootUse::Alone, YEAR, start()),
        Err(Error::Configuration(_))
    ));
    let ca = root(name(), &ec, RootUse::BehindRa, YEAR, start()).unwrap();
    assert!(matches!(
        registration_authority(name(), ec.public_key(), &ca, &ec, YEAR, start()),
        Err(Error::Configuration(_))
    ));
    assert!(matches!(
        Responder::local(ca.clone(), ec.clone()),
        Err(Error::Configuration(_))
    ));
    let ra_key = rsa_key(RA_KEY);
    let ra =
        registration_authority(name(), ra_key.public_key(), &ca, &ec, YEAR * 99, start()).unwrap();
    assert_eq!(ra.not_after(), ca.not_after());
    assert!(matches!(
        Responder::local(ra, rsa_key(OTHER_KEY)),
        Err(Error::Configuration(_))
    ));
}

#[test]
fn a_server_needs_a_responder_of_its_authority() {
    let store = Arc::new(MemoryStore::new());
    let key = Arc::new(rsa_key(CA_KEY));
    let ca = root(
        Name::from_common_name("CA"),
        &key,
        RootUse::Alone,
        YEAR,
        start(),
    )
    .unwrap();
    let authority = EmbeddedCa::new(vec![ca], key, store.clone()).unwrap();
    let stranger = rsa_key(OTHER_KEY);
    let responder = Responder::local(self_signed(&stranger, "stranger"), stranger).unwrap();
    let built = Server::builder(
        Arc::new(authority),
        responder,
        Arc::new(OneTime::new(store)),
        Arc::new(ManualClock::new(start())),
    )
    .build();
    assert!(matches!(built, Err(Error::Configuration(_))));
}

/// What a KMS does when it is asked to sign.
#[derive(Debug, Clone, Copy)]
enum Mood {
    Away,
    Wrong,
    Well,
}

/// A key in a KMS.
#[derive(Debug)]
struct Kms {
    key: PrivateKey,
    mood: Mutex<Mood>,
    verifies: bool,
}

#[async_trait]
impl Signer for Kms {
    fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }

    fn algorithms(&self) -> &[SignatureAlgorithm] {
        &[
            SignatureAlgorithm::RsaPkcs1Sha1,
            SignatureAlgorithm::RsaPkcs1Sha256,
        ]
    }

    async fn sign(
        &self,
        algorithm: SignatureAlgorithm,
        digest: &[u8],
    ) -> Result<Vec<u8>, KeyError> {
        let mood = *self.mood.lock().unwrap();
        let mut signature = Signer::sign(&self.key, algorithm, digest).await?;
        match mood {
            Mood::Away => return Err(KeyError::unavailable("the KMS is away")),
            Mood::Wrong => signature.rotate_left(1),
            Mood::Well => {}
        }
        Ok(signature)
    }

    fn verifies(&self) -> bool {
        self.verifies
    }
}

#[tokio::test]
async fn a_signer_that_is_away_or_wrong_costs_no_challenge() {
    for verifies in [false, true] {
        a_signer_is_away_wrong_and_well(verifies).await;
    }
}

async fn a_signer_is_away_wrong_and_well(verifies: bool) {
    let clock = Arc::new(ManualClock::new(start()));
    let store = Arc::new(MemoryStore::new());
    let key = rsa_key(CA_KEY);
    let ca = root(
        Name::from_common_name("Example CA"),
        &key,
        RootUse::Alone,
        YEAR,
        clock.now(),
    )
    .unwrap();
    let kms = Arc::new(Kms {
        key: key.clone(),
        mood: Mutex::new(Mood::Away),
        verifies,
    });
    let authority = EmbeddedCa::new(vec![ca.clone()], kms.clone(), store.clone()).unwrap();
    let world = World::new();
    let authority = Arc::new(authority);
    let server = Server::builder(
        authority.clone(),
        Responder::local(ca.clone(), key).unwrap(),
        Arc::new(OneTime::new(store.clone())),
        clock.clone(),
    )
    .build()
    .unwrap();
    let world = World {
        clock,
        challenges: OneTime::new(store.clone()),
        store,
        root: ca.clone(),
        responder: ca,
        ca: authority,
        server: Arc::new(server),
        events: world.events,
    };
    let challenge = world.challenge().await;
    let raw = world.request(&challenge);
    for mood in [Mood::Away, Mood::Wrong] {
        *kms.mood.lock().unwrap() = mood;
        assert_eq!(world.post(raw.build()).await.status(), 503, "{mood:?}");
        assert_eq!(world.store.issued(), 0, "{mood:?}");
    }
    *kms.mood.lock().unwrap() = Mood::Well;
    let issued = world.ask(raw.build()).await.certificates(&raw.key);
    issued[0]
        .verify_signed_by(&world.root.public_key().unwrap())
        .unwrap();
}
