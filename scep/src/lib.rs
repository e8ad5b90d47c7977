//! SCEP (RFC 8894) client and server for Apple MDM enrolment.

pub mod attributes;
pub mod authorize;
pub mod ca;
pub mod capability;
pub mod challenge;
pub mod client;
pub mod error;
pub mod event;
pub mod http;
pub mod message;
pub mod policy;
pub mod server;
pub mod store;

pub use attributes::{FailInfo, MessageType, Nonce, PkiStatus, TransactionId};
pub use authorize::{Authorized, EnrolmentRequest};
pub use ca::{CertificateAuthority, CertificateProfile, EmbeddedCa};
pub use capability::{Capabilities, Capability};
pub use challenge::{Bound, ChallengeVerifier, OneTime};
pub use client::{CaTrust, Client, Enrolled, Enrolment, ScepUrl};
pub use error::Error;
pub use event::{Event, Observer, Refusal};
pub use message::PkiMessage;
pub use policy::Policy;
pub use server::{Responder, Server};
pub use store::{MemoryStore, Store};
