//! ACME (RFC 8555) with `device-attest-01`, the way that Apple's devices get a certificate for a key which Apple
//! vouches for.
//!
//! | Module | What lives there |
//! |---|---|
//! | [`jws`] | [`Jws`](jws::Jws): signed requests, read, verified, made |
//! | [`jwk`] | [`Jwk`](jwk::Jwk): account keys and their thumbprints |
//! | [`resource`] | directory, account, order, authorization, challenge |
//! | [`identifier`] | [`Identifier`](identifier::Identifier): what a certificate is asked for |
//! | [`problem`] | [`Problem`](problem::Problem): what a server says when it refuses |
//! | [`ari`] | [`CertId`](ari::CertId) and the time to renew (RFC 9773) |
//! | [`client`] | [`Client`], [`Session`](client::Session), [`Solver`](client::Solver): an order from its beginning to the certificate |
//! | [`server`] | [`Server`]: one request in, one response out |
//! | [`attest`] | [`DeviceAuthorizer`]: which device stands behind an identifier; what is asked of its state |
//! | [`validate`] | [`HttpValidation`], [`TxtLookup`]: how host names are proven, and which addresses are connected to for it |
//! | [`store`] | [`AcmeStore`]: accounts, orders, nonces; [`MemoryAcmeStore`] |
//!
//! # Example
//!
//! A server that expects one Mac, and that Mac, which has a key of its Secure Enclave attested and gets a certificate for it:
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//!
//! use async_trait::async_trait;
//! use mdm_core::{Clock, SerialNumber, SystemClock};
//! use mdm_fake_apple::attestation::AttestationAuthority;
//! use mdm_pki::{
//!     Certificate, CertificateRequestBuilder, KeySpec, Name, PrivateKey, attestation::Verifier,
//! };
//! use mdm_scep::{
//!     EmbeddedCa, MemoryStore,
//!     acme::{
//!         AcmeUrl, Client, DeviceAuthorizer, DeviceIdentity, DeviceQuery, ExpectedDevice,
//!         MemoryAcmeStore, Registration, Server,
//!         client::{ChallengeResponse, Offer, solver_fn},
//!         identifier::Identifier,
//!         resource::{ChallengeType, NewOrder},
//!     },
//!     ca::{RootUse, root},
//!     store::StoreError,
//! };
//! use mdm_transport::transport_fn;
//!
//! /// Knows which device the `ClientIdentifier` of a profile was made for.
//! #[derive(Debug)]
//! struct Inventory;
//!
//! #[async_trait]
//! impl DeviceAuthorizer for Inventory {
//!     async fn expect(&self, query: &DeviceQuery<'_>) -> Result<Option<ExpectedDevice>, StoreError> {
//!         let serial = SerialNumber::new("C02XK0AAJGH5").ok();
//!         let serial = serial.filter(|_| query.identifier.value == "7b9c1f0e");
//!         Ok(serial.map(|it| ExpectedDevice::new("Ada's Mac", DeviceIdentity::SerialNumber(it))))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let clock = Arc::new(SystemClock);
//! let store = Arc::new(MemoryStore::new());
//! let key = PrivateKey::generate(KeySpec::P256)?;
//! let ten_years = Duration::from_secs(10 * 365 * 24 * 3600);
//! let name = Name::from_common_name("Example CA");
//! let ca = root(name, &key, RootUse::BehindRa, ten_years, clock.now())?;
//! let authority = EmbeddedCa::new(vec![ca.clone()], Arc::new(key), store.clone())?;
//!
//! // Once: Apple's Enterprise Attestation Root CA, and here one made for tests.
//! let apple = Arc::new(AttestationAuthority::new(clock.now())?);
//! let verifier = Verifier::new(&[Certificate::from_der(apple.root())?])?;
//! let server = Arc::new(
//!     Server::builder(
//!         Arc::new(authority),
//!         store,
//!         Arc::new(MemoryAcmeStore::new()),
//!         clock.clone(),
//!         "https://mdm.example.com/acme".parse()?,
//!     )
//!     .devices(Arc::new(Inventory), verifier)
//!     .build()?,
//! );
//! let directory: AcmeUrl = server.directory_url().parse()?;
//!
//! // The device. Here the server itself is the transport.
//! let transport = transport_fn(move |request| {
//!     let server = server.clone();
//!     async move { Ok(server.handle(request).await) }
//! });
//! let client = Client::new(transport, directory, clock);
//! let account = Arc::new(PrivateKey::generate(KeySpec::P256)?);
//! let session = client.register(account, &Registration::new()).await?.session;
//!
//! let key = PrivateKey::generate(KeySpec::P384)?;
//! let attested = key.public_key().clone();
//! let solver = solver_fn(move |offer: Offer| {
//!     // Apple is asked to vouch for the key; what makes the challenge fresh goes into the leaf.
//!     let leaf = apple.leaf(&attested).serial("C02XK0AAJGH5").nonce(offer.freshness());
//!     let att_obj = leaf.cbor();
//!     async move {
//!         let attests = offer.kind == ChallengeType::DeviceAttest01;
//!         Ok(attests.then_some(ChallengeResponse::Attestation(att_obj?)))
//!     }
//! });
//! let order = NewOrder::new([Identifier::permanent_identifier("7b9c1f0e")]);
//! let order = session.new_order(&order).await?;
//!
//! // Whoever keeps the order's URL with key and CSR can begin again from here.
//! let csr = CertificateRequestBuilder::new(Name::from_common_name("7b9c1f0e")).sign(&key)?;
//! let chain = session.complete(&order.url, &csr, &solver).await?;
//! assert_eq!(chain.leaf.public_key()?, *key.public_key());
//! chain.leaf.verify_signed_by(&ca.public_key()?)?;
//! # Ok(())
//! # }
//! ```

pub mod ari;
pub mod attest;
pub(crate) mod base64url;
pub mod client;
pub mod identifier;
mod json;
pub mod jwk;
pub mod jws;
pub mod problem;
pub mod resource;
pub mod server;
pub mod store;
pub mod validate;

use http::HeaderValue;

pub use self::{
    attest::{DeviceAuthorizer, DeviceIdentity, DeviceQuery, ExpectedDevice, PosturePolicy},
    client::{AcmeUrl, Client, Registration},
    server::{AcmeEvent, ExternalAccountRule, ExternalAccounts, Limits, Policy, Server},
    store::{AccountId, AcmeStore, MemoryAcmeStore, OrderId},
    validate::{AddressLookup, HttpValidation, Network, PinnedTransport, TxtLookup},
};

/// Content type of a signed request (RFC 8555 section 6.2).
pub const JOSE_JSON: HeaderValue = HeaderValue::from_static("application/jose+json");
/// Content type of an answer that holds an object.
pub const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Content type of a [`Problem`](problem::Problem) (RFC 7807 section 6.1).
pub const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");
/// Content type of a certificate with its chain (RFC 8555 section 9.1).
pub const PEM_CERTIFICATE_CHAIN: HeaderValue =
    HeaderValue::from_static("application/pem-certificate-chain");
