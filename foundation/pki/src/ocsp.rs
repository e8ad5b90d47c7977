//! The online certificate status protocol (RFC 6960), as much of it as RFC 5019 leaves: questions, answers, their bounds.
//!
//! | Type | What it does |
//! |---|---|
//! | [`CertId`] | names a certificate by its issuer and serial number |
//! | [`OcspRequest`] | asks about certificates; written and read |
//! | [`OcspResponseBuilder`] | answers; signed by the authority or by whom it delegates to |
//! | [`OcspResponse`] | an answer that was read, and whether to believe it |
//!
//! ```
//! use chrono::{TimeDelta, Utc};
//! use mdm_pki::{
//!     CertificateBuilder, KeySpec, Name, PrivateKey,
//!     ocsp::{CertId, CertStatus, OcspRequest, OcspResponse, OcspResponseBuilder, SingleResponse},
//! };
//!
//! let now = Utc::now();
//! let key = PrivateKey::generate(KeySpec::P256)?;
//! let ca = CertificateBuilder::new(Name::from_common_name("CA"), key.public_key())
//!     .validity(now, now + TimeDelta::days(1))
//!     .self_signed(&key)?;
//!
//! let asked = OcspRequest::new(vec![CertId::new(&ca, &[7])?]).with_nonce(&[1; 16]);
//! let asked = OcspRequest::from_der(&asked.to_der(), 4)?;
//! let response = asked.certificates.iter().fold(
//!     OcspResponseBuilder::new(now).nonce(asked.nonce.as_deref()),
//!     |response, id| response.answer(SingleResponse::new(id.clone(), CertStatus::Good, now)),
//! );
//! let response = response.sign(&ca, &ca, &key)?;
//!
//! let read = OcspResponse::from_der(&response, 4)?;
//! read.verify(&ca, now)?;
//! assert_eq!(read.find(&asked.certificates[0]).unwrap().status, CertStatus::Good);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod request;
mod response;

pub use self::{
    request::{CertId, MAX_NONCE, OcspRequest},
    response::{CertStatus, OcspError, OcspResponse, OcspResponseBuilder, SingleResponse, refusal},
};
use crate::oid::Oid;

/// Extended key usage: signs answers about the certificates of its issuer (RFC 6960, section 4.2.2.2).
pub const OCSP_SIGNING: Oid = Oid::constant("1.3.6.1.5.5.7.3.9");
/// Extension, its value NULL: nobody need ask about the responder's own certificate (section 4.2.2.2.1).
pub const OCSP_NO_CHECK: Oid = Oid::constant("1.3.6.1.5.5.7.48.1.5");

const BASIC: Oid = Oid::constant("1.3.6.1.5.5.7.48.1.1");
const NONCE: Oid = Oid::constant("1.3.6.1.5.5.7.48.1.2");
