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
//! | [`validate`] | [`HttpValidation`], [`TxtLookup`]: how host names are proven |
//! | [`store`] | [`AcmeStore`]: accounts, orders, nonces; [`MemoryAcmeStore`] |

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
    validate::{HttpValidation, TxtLookup},
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
