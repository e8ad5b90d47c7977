//! The next authority, announced by the present one.

use bytes::Bytes;
use http::Request;
use mdm_pki::{Certificate, DigestAlgorithm, Name, cms, cms::SignedDataBuilder};
use mdm_scep::{
    Error,
    ca::{NextCa, RootUse, root},
};
use mdm_transport::{HttpTransport as _, transport_fn};

use crate::world::{CA_KEY, OTHER_KEY, RA_KEY, Setup, World, YEAR, rsa_key, self_signed, start};

fn next() -> Certificate {
    let name = Name::from_common_name("Example CA 2");
    root(name, &rsa_key(OTHER_KEY), RootUse::Alone, YEAR, start()).unwrap()
}

/// A world whose authority announces the next one.
async fn announcing() -> World {
    let root = World::new().root;
    let announcement = NextCa::sign(&[next()], &root, &rsa_key(CA_KEY)).await;
    World::with(Setup {
        root: Some(root),
        next_ca: Some(announcement.unwrap()),
        ..Setup::default()
    })
}

#[tokio::test]
async fn a_client_learns_the_next_authority_from_the_present_one() {
    let world = announcing().await;
    let client = world.client();
    let found = client.next_ca_cert().await.unwrap();
    assert_eq!(found.all()[0].subject(), next().subject());
    assert_eq!(found.recipient(), &found.all()[0]);
    assert!(found.issuer_of(&found.all()[0]).is_some());
    let request = Request::get("/scep?operation=GetNextCACert")
        .body(Bytes::new())
        .unwrap();
    let response = world.server.handle(request).await;
    assert_eq!(
        response.headers()["content-type"],
        "application/x-x509-next-ca-cert"
    );
    let capabilities = client.ca_caps().await.unwrap().to_text();
    assert!(capabilities.contains("GetNextCACert\n"));
}

#[tokio::test]
async fn a_server_without_a_next_authority_says_so() {
    let world = World::new();
    let error = world.client().next_ca_cert().await.unwrap_err();
    assert_eq!(error.to_string(), "the server does not offer GetNextCACert");
    let request = Request::get("/scep?operation=GetNextCACert")
        .body(Bytes::new())
        .unwrap();
    assert_eq!(world.server.handle(request).await.status(), 400);
    let request = Request::post("/scep?operation=GetNextCACert")
        .body(Bytes::new())
        .unwrap();
    assert_eq!(world.server.handle(request).await.status(), 405);
}

/// What a client makes of this answer to GetNextCACert.
async fn answered(world: &World, answer: Vec<u8>) -> Result<(), Error> {
    let server = std::sync::Arc::new(world.transport());
    let transport = transport_fn(move |request: Request<Bytes>| {
        let (server, answer) = (server.clone(), answer.clone());
        async move {
            let asked = request.uri().query().unwrap_or_default();
            if asked.contains("GetNextCACert") {
                return Ok(http::Response::new(answer.into()));
            }
            server.send(request).await
        }
    });
    let client = world.client_over(transport);
    client.next_ca_cert().await.map(drop)
}

#[tokio::test]
async fn only_the_present_authority_names_the_next() {
    let world = announcing().await;
    let content = cms::certs_only(&[next()]).unwrap();
    let signed = |by: &Certificate, key: usize, digest| {
        SignedDataBuilder::new(&content)
            .signer(by, digest)
            .sign(&rsa_key(key))
            .unwrap()
    };
    let sha256 = DigestAlgorithm::Sha256;
    let honest = signed(&world.root, CA_KEY, sha256);
    answered(&world, honest.clone()).await.unwrap();
    // The next authority for itself, a twin of the present one, and nobody.
    let twin = self_signed(&rsa_key(CA_KEY), "Example CA");
    for (by, key) in [(next(), OTHER_KEY), (twin, CA_KEY)] {
        let error = answered(&world, signed(&by, key, sha256)).await;
        assert!(matches!(error, Err(Error::Signer)));
    }
    let error = answered(&world, content.clone()).await;
    assert!(matches!(error, Err(Error::Missing("single signer"))));
    let error = answered(&world, signed(&world.root, CA_KEY, DigestAlgorithm::Sha1)).await;
    assert!(matches!(error, Err(Error::Algorithm(name)) if name == "Sha1"));
    let error = answered(&world, b"<html>".to_vec()).await;
    assert!(matches!(error, Err(Error::Content { .. })));
    let mut changed = honest;
    let name = changed.windows(12).position(|at| at == b"Example CA 2");
    changed[name.unwrap() + 11] = b'3';
    assert!(answered(&world, changed).await.is_err());
}

#[tokio::test]
async fn a_registration_authority_names_no_next_one() {
    let world = World::with(Setup {
        ra: true,
        ..Setup::default()
    });
    let refused = NextCa::sign(&[next()], &world.responder, &rsa_key(RA_KEY)).await;
    assert!(matches!(refused, Err(Error::Configuration(_))));
    let leaf = self_signed(&rsa_key(OTHER_KEY), "no CA");
    let refused = NextCa::sign(&[leaf], &world.root, &rsa_key(CA_KEY)).await;
    assert!(matches!(refused, Err(Error::Configuration(_))));
}
