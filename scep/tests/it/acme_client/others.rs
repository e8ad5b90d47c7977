//! What a server hands out in place of what was asked for.

use mdm_scep::acme::{
    client::{Error, MAX_ALTERNATES},
    identifier::Identifier,
    resource::NewOrder,
};
use serde_json::json;

use super::{
    fake::{Answer, BASE, Fake},
    orders::{Device, ORDER, complete, idle, order},
};

#[tokio::test]
async fn a_certificate_of_another_key_is_none() {
    let (fake, device) = (Fake::new(), Device::new());
    fake.on("/order/1", [order("valid")]);
    fake.on("/certificate/1", [Device::new().chain()]);
    let error = complete(&fake, &device, &idle()).await.unwrap_err();
    assert!(matches!(error, Error::Certificate(_)));
    fake.on(
        "/certificate/1",
        [Answer::new(200, "text/plain", "-----BEGIN")],
    );
    let error = complete(&fake, &device, &idle()).await.unwrap_err();
    assert!(matches!(error, Error::Content { .. }));
}

#[tokio::test]
async fn another_chain_is_of_the_same_certificate() {
    let (fake, device) = (Fake::new(), Device::new());
    fake.on("/order/1", [order("valid")]);
    fake.on("/certificate/1", [device.chain()]);
    let chain = complete(&fake, &device, &idle()).await.unwrap();
    let session = fake.session().await;
    // The key is the same, the certificate is not.
    fake.on("/certificate/1/2", [device.chain()]);
    let error = session.alternate(&chain, |_| true).await.unwrap_err();
    assert!(matches!(error, Error::Certificate(_)), "{error}");
    let same = Answer::new(200, "application/pem-certificate-chain", chain.to_pem());
    fake.on("/certificate/1/2", [same]);
    assert!(session.alternate(&chain, |_| true).await.unwrap().is_some());
    // A server that names chains without end is not followed.
    let mut endless = chain.clone();
    endless.alternates = vec![format!("{BASE}/certificate/1/2"); 99];
    fake.forget();
    assert!(
        session
            .alternate(&endless, |_| false)
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(fake.posts().len(), MAX_ALTERNATES);
}

#[tokio::test]
async fn an_authorization_for_something_else_than_was_asked_for_is_none() {
    let fake = Fake::new();
    fake.directory.lock().unwrap()["newAuthz"] = json!(format!("{BASE}/new-authz"));
    let session = fake.session().await;
    let made = |name: &str| {
        let identifier = json!({"type": "dns", "value": name});
        let made = json!({"identifier": identifier, "status": "pending", "challenges": []});
        Answer::json(made).status(201)
    };
    let host = Identifier::dns("a.example.com");
    let at = format!("{BASE}/authz/7");
    fake.on(
        "/new-authz",
        [made("a.example.com").header("location", &at)],
    );
    let authorization = session.new_authorization(&host).await.unwrap();
    assert_eq!(authorization.url, at);
    let sent = &fake.posts().pop().unwrap().payload;
    assert_eq!(
        *sent,
        json!({"identifier": {"type": "dns", "value": "a.example.com"}})
    );
    fake.on(
        "/new-authz",
        [made("b.example.com").header("location", &at)],
    );
    let error = session.new_authorization(&host).await.unwrap_err();
    assert!(matches!(error, Error::Identifiers { .. }), "{error}");
    fake.on("/new-authz", [made("a.example.com")]);
    let error = session.new_authorization(&host).await.unwrap_err();
    assert!(matches!(error, Error::Missing("Location")), "{error}");
}

#[tokio::test]
async fn an_order_for_something_else_than_was_asked_for_is_none() {
    let fake = Fake::new();
    let session = fake.session().await;
    let placed = |names: &[(&str, &str)]| {
        let names = names.iter();
        let names = names.map(|(kind, value)| json!({"type": kind, "value": value}));
        let order = json!({
            "status": "pending", "identifiers": names.collect::<Vec<_>>(),
            "authorizations": [format!("{BASE}/authz/1")], "finalize": format!("{BASE}/finalize/1"),
        });
        Answer::json(order).status(201).header("location", ORDER)
    };
    let asked = NewOrder::new(vec![
        Identifier::dns("a.example.com"),
        Identifier::dns("B.example.com"),
    ]);
    // In any order, and whatever the case.
    fake.on(
        "/new-order",
        [placed(&[
            ("dns", "b.example.com"),
            ("dns", "a.example.com"),
        ])],
    );
    session.new_order(&asked).await.unwrap();
    for other in [
        &[("dns", "a.example.com")][..],
        &[("dns", "a.example.com"), ("dns", "c.example.com")],
        &[
            ("dns", "a.example.com"),
            ("dns", "b.example.com"),
            ("dns", "c.example.com"),
        ],
        &[("dns", "a.example.com"), ("ip", "b.example.com")],
        &[],
    ] {
        fake.on("/new-order", [placed(other)]);
        let error = session.new_order(&asked).await.unwrap_err();
        assert!(
            matches!(&error, Error::Identifiers { found } if found.len() == other.len()),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn an_order_without_a_url_cannot_be_followed() {
    let fake = Fake::new();
    let session = fake.session().await;
    let body = json!({"status": "pending", "identifiers": [], "finalize": "x"});
    fake.on("/new-order", [Answer::json(body).status(201)]);
    let request = NewOrder::new([Identifier::permanent_identifier("x")])
        .with(|order| order.replaces = "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE".parse().ok());
    let outcome = session.new_order(&request).await;
    assert!(matches!(outcome, Err(Error::Missing("Location"))));
    let sent = &fake.posts()[0].payload;
    assert_eq!(sent["replaces"], "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE");
}
