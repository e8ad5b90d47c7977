//! A PKCSReq that another key than the CSR's has signed: refused, unless the policy lets it in.

use std::sync::Arc;

use mdm_core::Secret;
use mdm_pki::{KeySpec, PrivateKey};
use mdm_scep::{FailInfo, MessageType, Policy, TransactionId, challenge::Verdict, store::Grant};

use crate::world::{
    CA_KEY, DEVICE_KEY, Fixed, OTHER_KEY, Raw, Setup, World, csr, rsa_key, self_signed,
};

fn tolerant() -> World {
    World::with(Setup {
        policy: Policy::default().with(|policy| policy.throwaway_signer = true),
        ..Setup::default()
    })
}

/// The usual request, signed by a key that was made for it alone.
fn by_another_key(world: &World, challenge: &Secret<String>) -> Raw {
    world.request(challenge).with(|raw| {
        raw.key = rsa_key(OTHER_KEY);
        raw.signer = self_signed(&raw.key, "SCEP SIGNER");
    })
}

#[tokio::test]
async fn it_is_refused_by_default_and_costs_no_challenge() {
    let world = World::new();
    let challenge = world.challenge().await;
    let raw = by_another_key(&world, &challenge);
    world.refused(&raw, FailInfo::BadMessageCheck).await;
    let own = world.request(&challenge);
    world.ask(own.build()).await.certificates(&own.key);
}

#[tokio::test]
async fn the_policy_lets_it_in_and_the_answer_is_for_the_signer_of_the_message() {
    let world = tolerant();
    let challenge = world.challenge().await;
    let raw = by_another_key(&world, &challenge);
    let reply = world.ask(raw.build()).await;
    let issued = reply.certificates(&rsa_key(OTHER_KEY));
    let device = rsa_key(DEVICE_KEY);
    assert!(
        issued[0]
            .public_key()
            .unwrap()
            .same_key(device.public_key())
    );
    let envelope = reply.message.open_envelope().unwrap();
    assert_eq!(envelope.recipients().len(), 1);
    assert!(envelope.recipients()[0].is(&raw.signer));

    // The same request under another throw-away key is a retry; another request finds the challenge spent.
    let again = raw.clone().with(|raw| {
        raw.key = PrivateKey::generate(KeySpec::Rsa2048).unwrap();
        raw.signer = self_signed(&raw.key, "SCEP SIGNER");
    });
    let repeated = world.ask(again.build()).await.certificates(&again.key);
    assert_eq!(repeated, issued);
    let other = raw.with(|raw| raw.transaction_id = TransactionId::new("another").unwrap());
    world.refused(&other, FailInfo::BadRequest).await;
}

#[tokio::test]
async fn it_still_needs_a_challenge_that_holds() {
    let world = tolerant();
    let raw = by_another_key(&world, &Secret::new("guessed".to_owned()));
    world.refused(&raw, FailInfo::BadRequest).await;
}

#[tokio::test]
async fn the_key_in_the_csr_is_judged_as_that_of_the_signer_is() {
    let world = tolerant();
    let challenge = world.challenge().await;
    let about = |key: &PrivateKey| {
        by_another_key(&world, &challenge).with(|raw| {
            let csr = csr(key, "device 7", Some(challenge.expose()));
            raw.content = csr.to_der().to_vec();
        })
    };
    let small = PrivateKey::generate(KeySpec::Rsa1024).unwrap();
    world.refused(&about(&small), FailInfo::BadRequest).await;
    world
        .refused(&about(&rsa_key(CA_KEY)), FailInfo::BadRequest)
        .await;
    assert!(world.events.last().contains("own"));
}

#[tokio::test]
async fn it_renews_nothing() {
    let world = tolerant();
    let challenge = world.challenge().await;
    let raw = by_another_key(&world, &challenge).with(|raw| {
        raw.message_type = MessageType::RenewalReq;
    });
    let issued = world.store.issued();
    world.refused(&raw, FailInfo::BadMessageCheck).await;
    assert_eq!(world.store.issued(), issued);
}

#[tokio::test]
async fn no_changed_byte_of_its_csr_yields_a_certificate() {
    let world = World::with(Setup {
        policy: Policy::default().with(|policy| policy.throwaway_signer = true),
        verifier: Some(Arc::new(Fixed(Ok(Verdict::Granted(Grant::elsewhere("x")))))),
        ..Setup::default()
    });
    let good = by_another_key(&world, &Secret::new("c".to_owned()));
    for place in 0..good.content.len() {
        let raw = good
            .clone()
            .with(|raw| raw.content[place] ^= 1 << (place % 8));
        world.refused(&raw, FailInfo::BadMessageCheck).await;
    }
    world.ask(good.build()).await.certificates(&good.key);
}
