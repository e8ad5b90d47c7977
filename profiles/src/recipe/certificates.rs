//! Certificates to trust.

use mdm_pki::{Certificate, DigestAlgorithm};

use crate::{
    builder::{PayloadRef, ProfileBuilder},
    error::Error,
    payload::{CertificatePkcs1, CertificateRoot},
};

/// Adds roots to trust, each with an identifier from its own fingerprint.
///
/// # Errors
/// [`Error::Duplicate`] for the same root twice.
pub fn roots(
    profile: &mut ProfileBuilder,
    roots: &[Certificate],
) -> Result<Vec<PayloadRef>, Error> {
    let add = |root| add(profile, root, true);
    roots.iter().map(add).collect()
}

/// Adds a chain: what is signed by itself as a root to trust, the rest as certificates that help
/// to build chains.
///
/// # Errors
/// [`Error::Duplicate`] for the same certificate twice.
pub fn certificate_chain(
    profile: &mut ProfileBuilder,
    chain: &[Certificate],
) -> Result<Vec<PayloadRef>, Error> {
    let own = |certificate: &Certificate| certificate.issuer() == certificate.subject();
    let add = |certificate| add(profile, certificate, own(certificate));
    chain.iter().map(add).collect()
}

fn add(
    profile: &mut ProfileBuilder,
    certificate: &Certificate,
    root: bool,
) -> Result<PayloadRef, Error> {
    let print = certificate.fingerprint(DigestAlgorithm::Sha256)?;
    let name = print.iter().take(8).map(|byte| format!("{byte:02x}"));
    let name: String = name.collect();
    let (added, what) = if root {
        let payload = CertificateRoot::new(certificate.to_der());
        (
            profile.add(&format!("root.{name}"), &payload),
            "root certificate",
        )
    } else {
        let payload = CertificatePkcs1::new(certificate.to_der());
        (
            profile.add(&format!("certificate.{name}"), &payload),
            "certificate",
        )
    };
    added.map_err(|error| match error {
        Error::Duplicate(_) => Error::Duplicate(what),
        error => error,
    })
}
