#![allow(
    clippy::cloned_ref_to_slice_refs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    missing_docs
)]

mod agreement;
#[cfg(feature = "attestation")]
mod attestation;
mod ber;
mod certificate;
mod crl;
mod enveloped;
mod key;
mod legacy;
mod mutation;
mod ocsp;
mod odd;
mod passwords;
mod request;
mod signature;
mod signed;
mod support;
