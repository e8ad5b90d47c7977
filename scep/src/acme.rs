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

pub mod ari;
mod base64url;
pub mod identifier;
mod json;
pub mod jwk;
pub mod jws;
pub mod problem;
pub mod resource;

use http::HeaderValue;

/// Content type of a signed request (RFC 8555 section 6.2).
pub const JOSE_JSON: HeaderValue = HeaderValue::from_static("application/jose+json");
/// Content type of an answer that holds an object.
pub const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Content type of a [`Problem`](problem::Problem) (RFC 7807 section 6.1).
pub const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");
/// Content type of a certificate with its chain (RFC 8555 section 9.1).
pub const PEM_CERTIFICATE_CHAIN: HeaderValue =
    HeaderValue::from_static("application/pem-certificate-chain");
