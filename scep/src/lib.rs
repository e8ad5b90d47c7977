//! SCEP (RFC 8894) client and server: how an Apple device gets the identity that it speaks MDM with.
//!
//! Both sides are plain values in, plain values out. The [`Server`] turns an HTTP request into an HTTP
//! response and holds no socket; the [`Client`] works over any
//! [`HttpTransport`](mdm_transport::HttpTransport), and its requests can be sent without it. Of the
//! RFC this version speaks GetCACaps, GetCACert, GetNextCACert and PKIOperation with PKCSReq, RenewalReq, CertPoll,
//! GetCert and GetCRL. Apple's client renews by PKCSReq, with a fresh challenge.
//!
//! | Module | What lives there |
//! |---|---|
//! | [`server`] | [`Server`]: one request in, one response out; [`Responder`], who signs answers |
//! | [`challenge`] | [`ChallengeVerifier`] and [`OneTime`], the challenge for one certificate; a shared one, a webhook |
//! | [`authorize`] | [`Authorized`], without which nothing is signed |
//! | [`ca`] | [`CertificateAuthority`], [`EmbeddedCa`], and certificates to begin with |
//! | [`ocsp`] | [`ocsp::Responder`]: the status of single certificates |
//! | [`pending`] | [`Approval`]: requests that wait for a person |
//! | [`store`] | [`Store`]: challenges and certificates; [`MemoryStore`] |
//! | [`event`] | [`Event`], [`Refusal`] and [`Observer`]: what the operator hears |
//! | [`client`] | [`Client`], its sans-IO requests, [`CaTrust`] |
//! | [`message`] | [`PkiMessage`]: reading and writing the messages of both sides |
//! | [`attributes`] | types, statuses, transactions and nonces inside a message |
//! | [`capability`] | [`Capabilities`] of GetCACaps |
//! | [`policy`] | [`Policy`]: which algorithms and keys are taken |
//! | [`limit`] | [`RateLimit`](limit::RateLimit): how often somebody may ask, for servers of both protocols |
//! | [`http`] | operations and content types |
//! | [`error`] | [`Error`] |
//! | `acme` | ACME (RFC 8555) with device attestation, both sides; under the feature of that name |
//!
//! # What a server refuses, and how
//!
//! A certificate is issued only if all of this holds, in this order: the message is a PKCSReq; digest,
//! cipher and key are allowed by the [`Policy`]; the message is signed by a self-signed certificate;
//! what it encrypts is a CSR of the same key (but for [`Policy::throwaway_signer`]) with a valid signature; and the verifier
//! accepts the challenge. A RenewalReq, or a PKCSReq that is signed so, needs no challenge: it is signed by a certificate that
//! the authority has issued and kept, that is valid and not revoked, and its CSR, of any allowed key, is for the same subject. What ACME granted is not renewed here.
//! What answers an EC key is encrypted with the challenge in the CSR, which such a request has to have. Everything about
//! the envelope that fails is one refusal, so that the server does not help to decrypt what others sent. Which
//! challenge failed and why is told to the [`Observer`] and never to the client.
//!
//! # Example
//!
//! A server with a root of its own, and a device that enrols with the challenge from its profile:
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//!
//! use mdm_core::{Clock, SystemClock};
//! use mdm_pki::{DigestAlgorithm, KeySpec, Name, PrivateKey};
//! use mdm_scep::{
//!     Bound, CaTrust, Client, EmbeddedCa, Enrolment, MemoryStore, OneTime, Responder, Server,
//!     ca::{RootUse, root},
//! };
//! use mdm_transport::transport_fn;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let clock = Arc::new(SystemClock);
//! let store = Arc::new(MemoryStore::new());
//!
//! // One RSA key that issues, signs answers and opens requests.
//! let key = PrivateKey::generate(KeySpec::Rsa2048)?;
//! let ten_years = Duration::from_secs(10 * 365 * 24 * 3600);
//! let name = Name::from_common_name("Example CA");
//! let ca = root(name, &key, RootUse::Alone, ten_years, clock.now())?;
//! let fingerprint = ca.fingerprint(DigestAlgorithm::Sha256)?;
//!
//! let authority = EmbeddedCa::new(vec![ca.clone()], Arc::new(key.clone()), store.clone())?;
//! let challenges = OneTime::new(store);
//! let server = Arc::new(
//!     Server::builder(
//!         Arc::new(authority),
//!         Responder::local(ca, key)?,
//!         Arc::new(challenges.clone()),
//!         clock.clone(),
//!     )
//!     .build()?,
//! );
//!
//! // The challenge goes into the SCEP payload of one device's profile.
//! let bound = Bound::common_name("C02XK0AAJGH5");
//! let challenge = challenges.issue("Ada's Mac", bound, clock.now()).await?;
//!
//! // The device. Here the server itself is the transport.
//! let transport = transport_fn(move |request| {
//!     let server = server.clone();
//!     async move { Ok(server.handle(request).await) }
//! });
//! let url = "https://mdm.example.com/scep".parse()?;
//! let client = Client::new(transport, url, CaTrust::sha256(fingerprint), clock);
//! let device_key = PrivateKey::generate(KeySpec::Rsa2048)?;
//! let subject = Name::from_common_name("C02XK0AAJGH5");
//! let enrolment = Enrolment::new(device_key, subject.clone(), Some(challenge))?;
//! let enrolled = client.enrol(&enrolment).await?;
//! assert_eq!(enrolled.certificate.subject(), subject);
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "acme")]
pub mod acme;
pub mod attributes;
pub mod authorize;
pub mod ca;
pub mod capability;
pub mod challenge;
pub mod client;
mod der;
pub mod error;
pub mod event;
pub mod http;
pub mod limit;
pub mod message;
pub mod ocsp;
pub mod pending;
pub mod policy;
pub mod server;
pub mod store;
mod subject;

pub use attributes::{FailInfo, MessageType, Nonce, PkiStatus, TransactionId};
pub use authorize::{Authorized, EnrolmentRequest, RenewalRefusal};
pub use ca::{CertificateAuthority, CertificateProfile, EmbeddedCa};
pub use capability::{Capabilities, Capability};
pub use challenge::{Bound, ChallengeVerifier, OneTime};
pub use client::{CaTrust, Client, Enrolled, Enrolment, Polling, Requester, ScepUrl};
pub use error::Error;
pub use event::{Event, Observer, Refusal};
pub use message::PkiMessage;
pub use pending::Approval;
pub use policy::Policy;
pub use server::{Responder, Server};
pub use store::{MemoryStore, Store};
