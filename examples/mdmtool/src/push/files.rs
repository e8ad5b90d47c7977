//! Push certificates out of files.

use std::path::Path;

use mdm_apns::certificate::{CertificateError, TopicCertificate};
use mdm_core::Secret;
use mdmtool::one_line;

use crate::{
    failure::Failure,
    files::{any_certificates, no_certificate},
};

/// The push certificate in a file, with its key or without: PEM, DER or PKCS #12.
pub(super) fn topic_certificate(
    file: &Path,
    passphrase: Option<&Secret<String>>,
) -> Result<TopicCertificate, Failure> {
    let mut first_error = None;
    for certificate in any_certificates(file, passphrase)? {
        match TopicCertificate::new(certificate) {
            Ok(found) => return Ok(found),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    match first_error {
        Some(error) => Err(no_push_certificate(file, &error)),
        None => Err(no_certificate(file)),
    }
}

/// That what is in the file is no push certificate.
pub(super) fn no_push_certificate(file: &Path, error: &CertificateError) -> Failure {
    Failure::input(
        format!("{}: {}", file.display(), one_line(error)),
        "give the certificate that Apple's push certificates portal made",
    )
}
