//! An answer is made while its certificate is being stored, and leaves only once it is.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures_util::{FutureExt as _, pin_mut};
use mdm_pki::{
    Certificate, KeyError, PrivateKey, PublicKey, RevocationList, SignatureAlgorithm, Signer,
};
use mdm_scep::{
    Authorized, CertificateAuthority, EmbeddedCa, FailInfo, Responder, Server,
    ca::{IssueError, Issued, Signed},
    store::{CertificateRecord, Revocation, StoreError},
};

use tokio::sync::oneshot;

use crate::world::{CA_KEY, DEVICE_KEY, World, rsa_key};

/// How storing ends, once it may.
type End = Result<(), IssueError>;

/// An authority whose store waits to be told how it ends.
#[derive(Debug)]
struct Waiting {
    inner: Arc<EmbeddedCa>,
    end: Mutex<Option<oneshot::Receiver<End>>>,
}

#[async_trait]
impl CertificateAuthority for Waiting {
    fn chain(&self) -> &[Certificate] {
        self.inner.chain()
    }

    async fn sign(&self, authorized: Authorized) -> Result<Signed, IssueError> {
        self.inner.sign(authorized).await
    }

    async fn store(&self, signed: &Signed) -> Result<Issued, IssueError> {
        let end = self.end.lock().unwrap().take();
        if let Some(end) = end {
            end.await.unwrap()?;
        }
        self.inner.store(signed).await
    }

    async fn find(&self, serial: &[u8]) -> Result<Option<CertificateRecord>, StoreError> {
        self.inner.find(serial).await
    }

    async fn revoke(
        &self,
        serial: &[u8],
        revocation: Revocation,
    ) -> Result<Option<Revocation>, StoreError> {
        self.inner.revoke(serial, revocation).await
    }

    async fn crl(&self, now: DateTime<Utc>) -> Result<RevocationList, IssueError> {
        self.inner.crl(now).await
    }
}

/// A responder's key that counts what it signs.
#[derive(Debug)]
struct Counted {
    key: PrivateKey,
    signed: AtomicUsize,
}

#[async_trait]
impl Signer for Counted {
    fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }

    fn algorithms(&self) -> &[SignatureAlgorithm] {
        self.key.algorithms()
    }

    async fn sign(
        &self,
        algorithm: SignatureAlgorithm,
        digest: &[u8],
    ) -> Result<Vec<u8>, KeyError> {
        self.signed.fetch_add(1, Ordering::Relaxed);
        self.key.sign(algorithm, digest).await
    }
}

/// A world whose authority waits, its responder's key, and the end of the waiting.
fn waiting() -> (World, Arc<Counted>, oneshot::Sender<End>) {
    let mut world = World::new();
    let (end, ended) = oneshot::channel();
    let authority = Waiting {
        inner: world.ca.clone(),
        end: Mutex::new(Some(ended)),
    };
    let key = rsa_key(CA_KEY);
    let signer = Arc::new(Counted {
        key: key.clone(),
        signed: AtomicUsize::new(0),
    });
    let responder = Responder::new(world.responder.clone(), signer.clone(), Arc::new(key));
    let challenges = Arc::new(world.challenges.clone());
    let server = Server::builder(
        Arc::new(authority),
        responder.unwrap(),
        challenges,
        world.clock.clone(),
    );
    let server = server.observer(world.events.clone()).build();
    world.server = Arc::new(server.unwrap());
    (world, signer, end)
}

#[tokio::test]
async fn an_answer_is_made_while_its_certificate_is_stored_and_leaves_after_it() {
    let (world, responder, end) = waiting();
    let request = world.request(&world.challenge().await);
    {
        let answer = world.ask(request.build());
        pin_mut!(answer);
        assert!(answer.as_mut().now_or_never().is_none());
        assert_eq!(responder.signed.load(Ordering::Relaxed), 1);
        assert_eq!((world.store.issued(), world.events.lines().len()), (0, 0));
        end.send(Ok(())).unwrap();
        let certificates = answer.await.certificates(&rsa_key(DEVICE_KEY));
        assert_eq!(certificates.len(), 1);
    }
    assert_eq!(responder.signed.load(Ordering::Relaxed), 1);
    assert_eq!(world.events.lines(), ["issued: device 7"]);
}

#[tokio::test]
async fn an_answer_that_was_made_is_thrown_away_where_its_certificate_is_not_stored() {
    let (world, responder, end) = waiting();
    let request = world.request(&world.challenge().await);
    let failure =
        StoreError::unavailable(mdm_core::StoreError::new(mdm_core::StoreErrorKind::Full));
    end.send(Err(failure.into())).unwrap();
    let answer = world.post(request.build()).await;
    assert_eq!(answer.status(), 503);
    assert_eq!(responder.signed.load(Ordering::Relaxed), 1);
    assert!(world.events.last().starts_with("unavailable: "));
    // The device asks again, and gets one.
    let reply = world.ask(request.build()).await;
    assert_eq!(reply.certificates(&rsa_key(DEVICE_KEY)).len(), 1);
    assert_eq!(world.store.issued(), 1);
}

#[tokio::test]
async fn whoever_is_overtaken_while_storing_is_refused() {
    let (world, _, end) = waiting();
    let request = world.request(&world.challenge().await);
    end.send(Err(IssueError::Conflict)).unwrap();
    world.refused(&request, FailInfo::BadRequest).await;
    assert_eq!(world.store.issued(), 0);
}
