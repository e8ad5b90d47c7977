//! Accounts: made once for a key, changed, bound to others, given up, with another key.

use std::sync::Arc;

use async_trait::async_trait;
use mdm_core::Secret;
use mdm_pki::{DigestAlgorithm, KeySpec, PrivateKey, SignatureAlgorithm, hmac};
use mdm_scep::{
    acme::{ExternalAccountRule, ExternalAccounts, Policy, jws::ExternalAccountKey},
    store::StoreError,
};
use serde_json::{Value, json};

use super::{
    raw::{Raw, b64, jwk, jws},
    world::{World, device_identifiers, ec},
};

#[tokio::test]
async fn a_key_has_one_account_which_is_found_again() {
    let world = World::new();
    let mut client = Raw::new(&world.server).await;
    let missing = json!({"onlyReturnExisting": true});
    client
        .register(missing.clone())
        .await
        .problem(400, "accountDoesNotExist");
    let contact = json!({"contact": ["mailto:ada@example.com"], "termsOfServiceAgreed": true});
    let made = client.register(contact.clone()).await.ok(201);
    let account = made.json();
    assert_eq!(account["status"], "valid");
    assert_eq!(account["contact"], contact["contact"]);
    assert_eq!(account["termsOfServiceAgreed"], true);
    assert_eq!(
        account["orders"],
        format!("{}/orders", made.header("location"))
    );

    client.kid = None;
    for again in [missing, json!({})] {
        let found = client.post(&client.url("newAccount"), again).await.ok(200);
        assert_eq!(found.header("location"), made.header("location"));
        assert_eq!(found.json(), account);
    }
}

#[tokio::test]
async fn fifty_parallel_requests_make_one_account() {
    let world = World::new();
    let client = Raw::new(&world.server).await;
    let all = (0..50).map(|_| {
        let client = client.clone();
        tokio::spawn(async move {
            let answer = client.post(&client.url("newAccount"), json!({})).await;
            assert!(answer.status.is_success(), "{answer:?}");
            (answer.status.as_u16(), answer.header("location").to_owned())
        })
    });
    let answers: Vec<_> = futures_util::future::join_all(all)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(
        answers.iter().filter(|(status, _)| *status == 201).count(),
        1
    );
    assert!(answers.iter().all(|(_, url)| *url == answers[0].1));
}

#[tokio::test]
async fn an_account_is_read_changed_and_given_up() {
    let world = World::new();
    let mut client = world.client().await;
    let url = client.kid.clone().unwrap();
    assert_eq!(client.fetch(&url).await.ok(200).json()["status"], "valid");
    let contact = json!({"contact": ["mailto:bob@example.com"]});
    client.post(&url, contact.clone()).await.ok(200);
    let account = client.fetch(&url).await.ok(200).json();
    assert_eq!(account["contact"], contact["contact"]);
    client
        .post(&url, json!({"status": "revoked"}))
        .await
        .problem(400, "malformed");

    let gone = client.post(&url, json!({"status": "deactivated"})).await;
    assert_eq!(gone.ok(200).json()["status"], "deactivated");
    client.fetch(&url).await.problem(401, "unauthorized");
    client
        .order(device_identifiers())
        .await
        .problem(401, "unauthorized");
    client.kid = None;
    client
        .register(json!({}))
        .await
        .problem(401, "unauthorized");
    assert_eq!(world.heard.count("AccountDeactivated"), 1);
}

#[tokio::test]
async fn an_account_is_nobody_elses() {
    let world = World::new();
    let (ada, bob) = (world.client().await, world.client().await);
    let url = bob.kid.clone().unwrap();
    ada.fetch(&url).await.problem(403, "unauthorized");
    ada.fetch(&format!("{url}/orders"))
        .await
        .problem(403, "unauthorized");
    ada.post(&url, json!({"status": "deactivated"}))
        .await
        .problem(403, "unauthorized");
    bob.fetch(&url).await.ok(200);
}

#[tokio::test]
async fn contacts_are_addresses_of_mail() {
    let world = World::new();
    let mut client = Raw::new(&world.server).await;
    for (contact, problem) in [
        ("tel:+123", "unsupportedContact"),
        ("ada@example.com", "invalidContact"),
        ("mailto:ada", "invalidContact"),
        ("mailto:a@b.example,c@d.example", "invalidContact"),
        ("mailto:a@b.example?subject=x", "invalidContact"),
        ("mailto:a\r\n@b.example", "invalidContact"),
        ("mailto:@b.example", "invalidContact"),
    ] {
        let account = json!({"contact": [contact]});
        client.register(account).await.problem(400, problem);
    }
    let many = vec!["mailto:a@b.example"; 6];
    client
        .register(json!({"contact": many}))
        .await
        .problem(400, "invalidContact");
    client
        .register(json!({"contact": ["MAILTO:a@b.example"]}))
        .await
        .ok(201);
}

#[tokio::test]
async fn terms_of_service_are_agreed_to_first() {
    let terms = "https://ca.example.com/terms";
    let world = World::with(|builder| {
        builder.policy(Policy::default().with(|policy| {
            policy.terms_of_service = Some(terms.to_owned());
        }))
    });
    let mut client = Raw::new(&world.server).await;
    assert_eq!(client.directory["meta"]["termsOfService"], terms);
    let refused = client.register(json!({})).await;
    let refused = refused.problem(403, "userActionRequired");
    let links: Vec<_> = refused.headers.get_all("link").iter().collect();
    let expected = format!("<{terms}>;rel=\"terms-of-service\"");
    assert!(links.iter().any(|link| *link == &expected), "{links:?}");
    client
        .register(json!({"termsOfServiceAgreed": true}))
        .await
        .ok(201);
}

#[derive(Debug)]
struct Externals;

const MAC_KEY: [u8; 32] = [42; 32];

#[async_trait]
impl ExternalAccounts for Externals {
    async fn key(&self, kid: &str) -> Result<Option<ExternalAccountKey>, StoreError> {
        let key = Secret::new(MAC_KEY.to_vec());
        let key = ExternalAccountKey::new(kid, key).unwrap();
        Ok(kid.starts_with("kid").then_some(key))
    }
}

/// A binding, made by hand.
fn binding(header: &Value, payload: &Value, key: &[u8]) -> Value {
    let protected = b64(serde_json::to_vec(header).unwrap());
    let payload = b64(serde_json::to_vec(payload).unwrap());
    let text = format!("{protected}.{payload}");
    let mac = hmac(DigestAlgorithm::Sha256, key, text.as_bytes()).unwrap();
    json!({"protected": protected, "payload": payload, "signature": b64(mac)})
}

fn required() -> World {
    World::with(|builder| {
        builder.external_accounts(ExternalAccountRule::Required(Arc::new(Externals)))
    })
}

#[tokio::test]
async fn an_external_account_is_bound_once_by_its_key() {
    let world = required();
    let mut client = Raw::new(&world.server).await;
    assert_eq!(client.directory["meta"]["externalAccountRequired"], true);
    client
        .register(json!({}))
        .await
        .problem(403, "externalAccountRequired");
    let url = client.url("newAccount");
    let good = json!({"alg": "HS256", "kid": "kid 1", "url": url});
    let changed = |member: &str, value: Value| {
        let mut header = good.clone();
        header[member] = value;
        header
    };
    let own = jwk(&client.key);
    for (binding, status, problem) in [
        (binding(&good, &own, &[1; 32]), 403, "unauthorized"),
        (
            binding(&changed("kid", json!("other")), &own, &MAC_KEY),
            403,
            "unauthorized",
        ),
        (
            binding(&changed("url", json!("https://x.example/")), &own, &MAC_KEY),
            400,
            "malformed",
        ),
        (
            binding(&changed("alg", json!("none")), &own, &MAC_KEY),
            400,
            "badSignatureAlgorithm",
        ),
        (binding(&good, &jwk(&ec()), &MAC_KEY), 400, "malformed"),
    ] {
        client
            .register(json!({"externalAccountBinding": binding}))
            .await
            .problem(status, problem);
    }
    let right = binding(&good, &own, &MAC_KEY);
    // RFC 8555 section 7.3.4: the account has the field as it was asked for, then and later.
    let made = client
        .register(json!({"externalAccountBinding": right}))
        .await
        .ok(201);
    let found = client.fetch(made.header("location")).await.ok(200);
    for account in [made, found] {
        assert_eq!(account.json()["externalAccountBinding"], right);
    }
    client.order(device_identifiers()).await.ok(201);

    let mut other = Raw::new(&world.server).await;
    let again = binding(&good, &jwk(&other.key), &MAC_KEY);
    other
        .register(json!({"externalAccountBinding": again}))
        .await
        .problem(403, "unauthorized");
}

#[tokio::test]
async fn devices_need_no_external_account_below_a_secret_segment() {
    let world = required();
    let segment = Secret::new("s3cret".to_owned());
    let directory = world.server.directory_url_below(&segment);
    let mut client = Raw::at(&world.server, &directory).await;
    let meta = &client.directory["meta"];
    assert_eq!(meta.get("externalAccountRequired"), None);
    client.register(json!({})).await.ok(201);
    world
        .expected
        .add(super::world::CLIENT, Some("s3cret"), super::world::mac());
    client.order(device_identifiers()).await.ok(201);
}

#[tokio::test]
async fn a_binding_that_nobody_asks_for_is_refused() {
    let world = World::new();
    let mut client = Raw::new(&world.server).await;
    let header = json!({"alg": "HS256", "kid": "kid 1", "url": client.url("newAccount")});
    let binding = binding(&header, &jwk(&client.key), &MAC_KEY);
    client
        .register(json!({"externalAccountBinding": binding}))
        .await
        .problem(400, "malformed");
}

/// The inner request of a key change.
fn inner(
    client: &Raw,
    change: impl FnOnce(&mut Value, &mut Value),
) -> (mdm_pki::PrivateKey, Value) {
    let key = ec();
    let mut header = json!({"alg": "ES256", "jwk": jwk(&key), "url": client.url("keyChange")});
    let mut payload = json!({"account": client.kid.clone().unwrap(), "oldKey": jwk(&client.key)});
    change(&mut header, &mut payload);
    let payload = serde_json::to_vec(&payload).unwrap();
    let jws = jws(&header, &payload, &key);
    (key, jws)
}

#[tokio::test]
async fn an_account_gets_another_key_and_loses_the_old_one() {
    let world = World::new();
    let mut client = world.client().await;
    let old = client.clone();
    let (key, inner) = inner(&client, |_, _| {});
    let url = client.url("keyChange");
    let answer = client.post(&url, inner).await.ok(200);
    assert_eq!(Some(answer.header("location")), client.kid.as_deref());
    old.fetch(&client.kid.clone().unwrap())
        .await
        .problem(400, "malformed");
    client.key = key;
    client.fetch(&client.kid.clone().unwrap()).await.ok(200);
    // The old key may begin anew.
    let mut old = old;
    old.kid = None;
    assert_ne!(
        old.register(json!({})).await.ok(201).header("location"),
        client.kid.unwrap()
    );
}

#[tokio::test]
async fn a_key_change_that_does_not_fit_together_changes_nothing() {
    let world = World::new();
    let (client, other) = (world.client().await, world.client().await);
    let url = client.url("keyChange");
    let other_kid = other.kid.clone().unwrap();
    let other_key = jwk(&other.key);
    type Change<'a> = Box<dyn FnOnce(&mut Value, &mut Value) + 'a>;
    let changes: Vec<Change<'_>> = vec![
        Box::new(|header, _| header["url"] = json!("https://ca.example.com/acme/new-order")),
        Box::new(|header, _| header["nonce"] = json!("AAAA")),
        Box::new(|header, _| header["alg"] = json!("HS256")),
        Box::new(|header, _| header["kid"] = json!("x")),
        Box::new(|header, _| header["jwk"] = other_key.clone()),
        Box::new(|_, payload| payload["account"] = json!(other_kid)),
        Box::new(|_, payload| payload["oldKey"] = jwk(&other.key)),
        Box::new(|_, payload| *payload = json!({})),
    ];
    for change in changes {
        let (_, inner) = inner(&client, change);
        let answer = client.post(&url, inner).await;
        assert_eq!(answer.status, 400, "{answer:?}");
    }
    let mut swapped = inner(&client, |_, _| {}).1;
    swapped["signature"] = inner(&client, |_, _| {}).1["signature"].clone();
    client.post(&url, swapped).await.problem(400, "malformed");
    client.fetch(&client.kid.clone().unwrap()).await.ok(200);

    // A key that has an account: a conflict, and whose it is.
    let header = json!({"alg": "ES256", "jwk": jwk(&other.key), "url": url});
    let payload = json!({"account": client.kid.clone().unwrap(), "oldKey": jwk(&client.key)});
    let taken = jws(&header, &serde_json::to_vec(&payload).unwrap(), &other.key);
    let answer = client.post(&url, taken).await.problem(409, "malformed");
    assert_eq!(Some(answer.header("location")), other.kid.as_deref());
}

#[tokio::test]
async fn an_ed25519_key_makes_an_account_and_signs_for_it_alone() {
    let world = World::new();
    let mut client = Raw::new(&world.server).await;
    let key = PrivateKey::generate(KeySpec::Ed25519).unwrap();
    let spki = key.public_key().to_spki_der();
    let x = b64(&spki[spki.len() - 32..]);
    let jwk = json!({"crv": "Ed25519", "kty": "OKP", "x": x});
    let send = async |client: &Raw, url: &str, header: Value, payload: &[u8], key: &PrivateKey| {
        let (protected, payload) = (b64(serde_json::to_vec(&header).unwrap()), b64(payload));
        let text = format!("{protected}.{payload}");
        let signature = key.sign_message(SignatureAlgorithm::Ed25519, text.as_bytes());
        let jws = json!({"protected": protected, "payload": payload, "signature": b64(signature.unwrap())});
        client
            .post_body(url, serde_json::to_vec(&jws).unwrap())
            .await
    };
    let url = client.url("newAccount");
    let header =
        |alg: &str, nonce: String, url: &str| json!({"alg": alg, "nonce": nonce, "url": url});
    for (alg, status) in [("ES256", 400), ("Ed25519", 400), ("EdDSA", 201)] {
        let mut header = header(alg, client.nonce().await, &url);
        header["jwk"] = jwk.clone();
        let answer = send(&client, &url, header, b"{}", &key).await;
        match status {
            201 => client.kid = Some(answer.ok(201).header("location").to_owned()),
            _ => drop(answer.problem(400, "badSignatureAlgorithm")),
        }
    }
    let kid = client.kid.clone().unwrap();
    for (signer, status) in [
        (key, 200),
        (PrivateKey::generate(KeySpec::Ed25519).unwrap(), 400),
    ] {
        let mut header = header("EdDSA", client.nonce().await, &kid);
        header["kid"] = json!(kid);
        let answer = send(&client, &kid, header, b"", &signer).await;
        match status {
            200 => drop(answer.ok(200)),
            _ => drop(answer.problem(400, "malformed")),
        }
    }
}
