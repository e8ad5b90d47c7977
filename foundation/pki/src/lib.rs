//! Certificates, keys, CSRs and CMS for Apple MDM, on OpenSSL.
//!
//! OpenSSL does all arithmetic; the structures around it are read and written here, leniently where devices and old
//! authorities need it, and byte for byte as they were given. The time is always an argument. No type of OpenSSL or of
//! another library appears in a signature.
//!
//! | Module | What lives there |
//! |---|---|
//! | [`key`] | [`PrivateKey`], [`PublicKey`]: RSA and ECDSA, from and to PEM and DER |
//! | [`signer`] | [`Signer`], [`Decrypter`]: keys that live elsewhere; the algorithms |
//! | [`certificate`] | [`Certificate`], [`CertificateBuilder`]: read and issued |
//! | [`name`], [`oid`] | [`Name`], [`Oid`]: whom a certificate speaks of |
//! | [`request`] | [`CertificateRequest`], [`CertificateRequestBuilder`]: PKCS #10 with attributes |
//! | [`identity`] | [`Identity`]: a certificate with its chain and key, also PKCS #12 |
//! | [`chain`] | [`Anchors`](chain::Anchors): chains against roots or pinned authorities |
//! | [`crl`] | [`RevocationList`], [`RevocationListBuilder`]: revocation lists |
//! | [`ocsp`] | the status of single certificates: requests and responses |
//! | [`cms`] | signed and enveloped data, built, read, verified in layers; BER made DER under bounds |
//! | [`signature`] | [`SignatureVerifier`]: the fast path for `Mdm-Signature` |
//! | [`seal`] | what must not be read in a stolen database |
//! | `attestation` | Managed Device Attestation, verified; under the feature of that name |
//! | [`digest`](mod@digest), [`pem`] | digests, HMAC, PBKDF2, randomness; PEM and base64 |
//!
//! Issuing a certificate, signing a document with it, and verifying that in layers:
//!
//! ```
//! use chrono::{DateTime, TimeDelta, Utc};
//! use mdm_pki::{
//!     CertificateBuilder, CertificateRequestBuilder, DigestAlgorithm, KeySpec, KeyUsage, Name, PrivateKey,
//!     cms::{Limits, SignedData, SignedDataBuilder, Verify},
//! };
//!
//! let now: DateTime<Utc> = "2026-01-02T03:04:05Z".parse()?;
//! let ca_key = PrivateKey::generate(KeySpec::P256)?;
//! let ca = CertificateBuilder::new(Name::from_common_name("Acme CA"), ca_key.public_key())
//!     .validity(now, now + TimeDelta::days(3650))
//!     .ca(Some(0))
//!     .key_usage(KeyUsage::KEY_CERT_SIGN)
//!     .self_signed(&ca_key)?;
//!
//! // The other side makes a key and asks for a certificate; we see that it holds the key, and issue.
//! let key = PrivateKey::generate(KeySpec::Rsa2048)?;
//! let request = CertificateRequestBuilder::new(Name::from_common_name("profile signing"))
//!     .challenge_password("once")
//!     .sign(&key)?;
//! request.verify()?;
//! assert_eq!(request.challenge_password().unwrap().expose(), "once");
//! let certificate = CertificateBuilder::new(request.subject(), &request.public_key()?)
//!     .validity(now, now + TimeDelta::days(365))
//!     .key_usage(KeyUsage::DIGITAL_SIGNATURE)
//!     .sign(&ca, &ca_key)?;
//!
//! let signed = SignedDataBuilder::new(b"a profile")
//!     .signer(&certificate, DigestAlgorithm::Sha256)
//!     .signing_time(now)
//!     .sign(&key)?;
//!
//! let signed = SignedData::parse(&signed, &Limits::default())?;
//! let found = signed.verify_one(&Verify::new(&[ca], now + TimeDelta::days(400)))?;
//! assert!(found.signature.is_ok() && found.chain.is_ok());
//! assert!(found.validity.is_err(), "the certificate has expired by then");
//! assert_eq!(found.validity_does_not_matter()?, &certificate);
//! assert_eq!(signed.content(), Some(&b"a profile"[..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod asn1;
#[cfg(feature = "attestation")]
pub mod attestation;
pub mod certificate;
pub mod chain;
pub mod cms;
pub mod crl;
pub mod digest;
mod error;
pub mod identity;
pub mod key;
mod lazy;
pub mod name;
pub mod ocsp;
pub mod oid;
mod old;
pub mod pem;
pub mod request;
pub mod seal;
pub mod signature;
pub mod signer;

pub use certificate::{Certificate, CertificateBuilder, GeneralName, Issuer, KeyUsage};
pub use crl::{RevocationList, RevocationListBuilder, RevocationReason, RevokedCertificate};
pub use digest::{DigestAlgorithm, digest, hmac, pbkdf2, random, scrypt};
pub use error::Error;
pub use identity::Identity;
pub use key::{Curve, KeyAlgorithm, KeyComponents, KeySpec, PrivateKey, PublicKey};
pub use name::{Name, NameBuilder};
pub use oid::Oid;
pub use request::{CertificateRequest, CertificateRequestBuilder};
pub use signature::{SignatureError, SignatureVerifier};
pub use signer::{Decrypter, KeyError, KeyTransport, SignatureAlgorithm, Signer};
