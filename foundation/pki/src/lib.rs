//! Certificates, keys, CSRs and CMS for Apple MDM, on OpenSSL.

mod asn1;
pub mod certificate;
pub mod chain;
pub mod cms;
pub mod digest;
mod error;
pub mod identity;
pub mod key;
pub mod name;
pub mod oid;
pub mod pem;
pub mod request;
pub mod signature;
pub mod signer;

pub use certificate::{Certificate, CertificateBuilder, GeneralName, Issuer, KeyUsage};
pub use digest::{DigestAlgorithm, digest, hmac, random};
pub use error::Error;
pub use identity::Identity;
pub use key::{Curve, KeyAlgorithm, KeySpec, PrivateKey, PublicKey};
pub use name::{Name, NameBuilder};
pub use oid::Oid;
pub use request::{CertificateRequest, CertificateRequestBuilder};
pub use signature::{SignatureError, SignatureVerifier};
pub use signer::{Decrypter, KeyError, KeyTransport, SignatureAlgorithm, Signer};
