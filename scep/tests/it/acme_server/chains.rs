//! One certificate with several chains (RFC 8555 section 7.4.2).

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use mdm_pki::{Certificate, CertificateBuilder, KeySpec, Name, PrivateKey};
use mdm_scep::{
    EmbeddedCa, MemoryStore,
    ca::{RootUse, root},
};
use serde_json::Value;

use super::{
    raw::Raw,
    world::{World, csr, ec, finalize, start},
};

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

fn new_root(name: &str, key: &PrivateKey, now: DateTime<Utc>) -> Certificate {
    let name = Name::from_common_name(name);
    root(name, key, RootUse::BehindRa, 10 * YEAR, now).unwrap()
}

/// The authority's name and key in a certificate that another one signed, good for so many days.
pub(super) fn crossed(
    own: &Certificate,
    name: &str,
    now: DateTime<Utc>,
    days: i64,
) -> Vec<Certificate> {
    let key = ec();
    let above = new_root(name, &key, now);
    let cross = CertificateBuilder::new(own.subject(), &own.public_key().unwrap())
        .validity(now, now + TimeDelta::days(days))
        .ca(Some(0))
        .sign(&above, &key)
        .unwrap();
    vec![cross, above]
}

fn authority(store: &Arc<MemoryStore>) -> (EmbeddedCa, Certificate) {
    let key = ec();
    let own = new_root("New Root", &key, start());
    let ca = EmbeddedCa::new(vec![own.clone()], Arc::new(key), store.clone());
    (ca.unwrap(), own)
}

fn world() -> World {
    let store = Arc::new(MemoryStore::new());
    let (ca, own) = authority(&store);
    let ca = ca
        .alternate_chain(crossed(&own, "Old Root", start(), 365))
        .unwrap();
    let ca = ca
        .alternate_chain(crossed(&own, "Older Root", start(), 10))
        .unwrap();
    World::over(
        |_| store,
        |store| store,
        |_| Arc::new(ca),
        |builder| builder,
    )
}

/// The URLs of the other chains, and the subjects above the certificate.
async fn chain(client: &Raw, url: &str) -> (Vec<String>, Vec<String>) {
    let answer = client.fetch(url).await.ok(200);
    let links = answer.headers.get_all("link").iter();
    let links = links.filter_map(|link| {
        let (url, relation) = link.to_str().unwrap().split_once(';').unwrap();
        let url = url.trim_matches(['<', '>']).to_owned();
        (relation == "rel=\"alternate\"").then_some(url)
    });
    let pem = Certificate::stack_from_pem(&answer.body).unwrap();
    for pair in pem.windows(2) {
        pair[0]
            .verify_signed_by(&pair[1].public_key().unwrap())
            .unwrap();
    }
    let names = pem[1..]
        .iter()
        .map(|it| it.subject().common_name().unwrap());
    (links.collect(), names.collect())
}

async fn issued(world: &World) -> (Raw, String) {
    let key = ec();
    let (client, order) = world.ready(&key).await;
    let done = finalize(&client, &order, csr(&key, Name::default())).await;
    let done: Value = done.ok(200).json();
    (client, done["certificate"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn each_chain_names_the_others() {
    let world = world();
    let (client, url) = issued(&world).await;
    let (first, second) = (format!("{url}/1"), format!("{url}/2"));
    for (at, others, names) in [
        (&url, [&first, &second], &["New Root"][..]),
        (&first, [&url, &second], &["New Root", "Old Root"]),
        (&second, [&url, &first], &["New Root", "Older Root"]),
    ] {
        let (links, found) = chain(&client, at).await;
        assert_eq!(links.iter().collect::<Vec<_>>(), others);
        assert_eq!(found, names);
    }
    for wrong in ["/3", "/99"] {
        let wrong = client.fetch(&format!("{url}{wrong}")).await;
        wrong.problem(403, "unauthorized");
    }
    let stranger = world.client().await;
    stranger.fetch(&first).await.problem(403, "unauthorized");
}

#[tokio::test]
async fn a_chain_that_has_ended_is_offered_no_longer() {
    let world = world();
    let (client, url) = issued(&world).await;
    world.pass(11 * 24 * 3600);
    let (links, _) = chain(&client, &url).await;
    assert_eq!(links, [format!("{url}/1")]);
    let gone = client.fetch(&format!("{url}/2")).await;
    gone.problem(403, "unauthorized");
}

#[tokio::test]
async fn one_chain_has_no_others() {
    let world = World::new();
    let (client, url) = issued(&world).await;
    assert_eq!(chain(&client, &url).await.0, Vec::<String>::new());
    client
        .fetch(&format!("{url}/1"))
        .await
        .problem(403, "unauthorized");
}

#[test]
fn a_chain_of_another_authority_is_none_of_this_one() {
    let store = Arc::new(MemoryStore::new());
    let (ca, own) = authority(&store);
    let good = crossed(&own, "Old Root", start(), 365);
    let (other_key, stranger) = (ec(), ec());
    let of = |name: Name, key: &PrivateKey, ca: bool| {
        let builder = CertificateBuilder::new(name, key.public_key())
            .validity(start(), start() + TimeDelta::days(9));
        let builder = if ca { builder.ca(Some(0)) } else { builder };
        let above = new_root("Old Root", &stranger, start());
        vec![builder.sign(&above, &stranger).unwrap(), above]
    };
    for wrong in [
        Vec::new(),
        vec![good[1].clone()],
        vec![good[0].clone(), own.clone()],
        of(own.subject(), &other_key, true),
        of(Name::from_common_name("New Rood"), &other_key, true),
        crossed(
            &new_root("New Root", &ec(), start()),
            "Old Root",
            start(),
            9,
        ),
    ] {
        assert!(ca.clone().alternate_chain(wrong).is_err());
    }
    assert!(ca.clone().alternate_chain(good.clone()).is_ok());
    assert!(ca.alternate_chain(vec![good[0].clone()]).is_ok());
    let none = EmbeddedCa::new(
        vec![own],
        Arc::new(PrivateKey::generate(KeySpec::Ed25519).unwrap()),
        store,
    );
    assert!(none.is_err());
}
