//! Chains of certificates, checked by OpenSSL (RFC 5280, section 6) against anchors of the caller's choosing.

use chrono::{DateTime, Utc};
use openssl::{
    stack::Stack,
    x509::{
        X509, X509PurposeId, X509StoreContext, X509VerifyResult,
        store::{X509Store, X509StoreBuilder},
        verify::{X509VerifyFlags, X509VerifyParam},
    },
};

use crate::{
    certificate::Certificate,
    cms::VerifyError,
    error::{Crypto, Error},
};

/// The certificates that are trusted outright: roots, or pinned authorities below them.
///
/// Every chain ends at the first of them that it reaches: an authority that is pinned need not lead to a root. All
/// issuers must be authorities (`CA:true`); of an anchor OpenSSL also takes version 1 with a signature of its own, and a
/// key usage that allows to sign certificates without basic constraints. Revocation is not looked at. Key sizes and digests are not judged, so that old device chains (Q2) can be
/// verified where their authority is pinned.
#[derive(Debug, Clone)]
pub struct Anchors {
    x509s: Vec<X509>,
}

/// What a chain check found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Chain {
    /// Whether the certificate leads to an anchor, whatever the time: itself first, the anchor last.
    pub trusted: Result<Vec<Certificate>, VerifyError>,
    /// Whether every certificate of that chain is valid at the time asked for; where there is no chain, whether the
    /// certificate itself is.
    pub validity: Result<(), VerifyError>,
}

impl Anchors {
    /// Trusts these certificates and no others.
    ///
    /// # Errors
    /// [`Error::Malformed`] for one that OpenSSL does not read.
    pub fn new(certificates: &[Certificate]) -> Result<Self, Error> {
        let x509s = certificates
            .iter()
            .map(Certificate::openssl)
            .collect::<Result<_, _>>()?;
        Ok(Self { x509s })
    }

    /// Leads a certificate to an anchor, through `intermediates` as far as needed, for any purpose.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a certificate that OpenSSL does not read, [`Error::Crypto`] when OpenSSL fails; what
    /// speaks against the certificate is in the [`Chain`].
    pub fn verify(
        &self,
        certificate: &Certificate,
        intermediates: &[Certificate],
        at: DateTime<Utc>,
    ) -> Result<Chain, Error> {
        self.verify_through(certificate, &Untrusted::new(intermediates)?, at)
    }

    /// As [`Self::verify`], for several certificates with the same intermediates.
    pub(crate) fn verify_through(
        &self,
        certificate: &Certificate,
        Untrusted(untrusted): &Untrusted,
        at: DateTime<Utc>,
    ) -> Result<Chain, Error> {
        let leaf = certificate.openssl()?;
        let outcome = self.run(&leaf, untrusted, Some(at))?;
        let validity = match &outcome {
            Ok(_) => Ok(()),
            Err(VerifyError::Expired { .. } | VerifyError::NotYetValid { .. }) => {
                return self.verify_without_time(certificate, &leaf, untrusted, at);
            }
            Err(_) => validity(std::slice::from_ref(certificate), at),
        };
        Ok(Chain {
            trusted: outcome,
            validity,
        })
    }

    fn verify_without_time(
        &self,
        certificate: &Certificate,
        leaf: &X509,
        untrusted: &Stack<X509>,
        at: DateTime<Utc>,
    ) -> Result<Chain, Error> {
        let trusted = self.run(leaf, untrusted, None)?;
        let validity = match &trusted {
            Ok(chain) => validity(chain, at),
            Err(_) => validity(std::slice::from_ref(certificate), at),
        };
        Ok(Chain { trusted, validity })
    }

    fn run(
        &self,
        leaf: &X509,
        untrusted: &Stack<X509>,
        at: Option<DateTime<Utc>>,
    ) -> Result<Result<Vec<Certificate>, VerifyError>, Error> {
        let store = self.store(at)?;
        let mut context = X509StoreContext::new().crypto()?;
        context
            .init(&store, leaf, untrusted, |context| {
                if context.verify_cert()? {
                    let chain = context
                        .chain()
                        .into_iter()
                        .flatten()
                        .map(|x509| x509.to_der())
                        .collect::<Result<Vec<_>, _>>()?;
                    return Ok(Ok(chain));
                }
                let failed = context.current_cert().map(|x509| x509.to_der());
                Ok(Err(reason(context.error(), failed.transpose()?)))
            })
            .map_err(Error::openssl)
            .and_then(|outcome| match outcome {
                Ok(chain) => chain
                    .iter()
                    .map(|der| Certificate::from_der(der))
                    .collect::<Result<_, _>>()
                    .map(Ok),
                Err(reason) => {
                    // What OpenSSL noted about the failed chain must not surface in a later call.
                    let _ = openssl::error::ErrorStack::get();
                    Ok(Err(reason))
                }
            })
    }

    fn store(&self, at: Option<DateTime<Utc>>) -> Result<X509Store, Error> {
        let mut parameters = X509VerifyParam::new().crypto()?;
        let mut flags = X509VerifyFlags::PARTIAL_CHAIN;
        match at {
            Some(at) => parameters.set_time(at.timestamp()),
            None => flags |= X509VerifyFlags::NO_CHECK_TIME,
        }
        parameters.set_flags(flags).crypto()?;
        // A device's certificate often allows clientAuth alone, which OpenSSL's default for CMS refuses.
        parameters.set_purpose(X509PurposeId::ANY).crypto()?;
        parameters.set_auth_level(0);
        let mut builder = X509StoreBuilder::new().crypto()?;
        for x509 in &self.x509s {
            builder.add_cert(x509.clone()).crypto()?;
        }
        builder.set_param(&parameters).crypto()?;
        Ok(builder.build())
    }
}

/// Certificates that may stand between, as OpenSSL reads them.
pub(crate) struct Untrusted(Stack<X509>);

impl Untrusted {
    pub(crate) fn new(certificates: &[Certificate]) -> Result<Self, Error> {
        let mut stack = Stack::new().crypto()?;
        for certificate in certificates {
            // One that does not read cannot be part of a chain.
            if let Ok(x509) = certificate.openssl() {
                stack.push(x509).crypto()?;
            }
        }
        Ok(Self(stack))
    }
}

fn reason(result: X509VerifyResult, failed: Option<Vec<u8>>) -> VerifyError {
    // X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED.
    const NOT_YET_VALID: i32 = 9;
    const EXPIRED: i32 = 10;
    let failed = failed.and_then(|der| Certificate::from_der(&der).ok());
    match (result.as_raw(), failed) {
        (NOT_YET_VALID, Some(failed)) => VerifyError::NotYetValid {
            since: failed.not_before(),
        },
        (EXPIRED, Some(failed)) => VerifyError::Expired {
            since: failed.not_after(),
        },
        _ => VerifyError::Untrusted {
            reason: result.error_string().to_owned(),
        },
    }
}

pub(crate) fn validity(chain: &[Certificate], at: DateTime<Utc>) -> Result<(), VerifyError> {
    for certificate in chain {
        if at < certificate.not_before() {
            return Err(VerifyError::NotYetValid {
                since: certificate.not_before(),
            });
        }
        if at > certificate.not_after() {
            return Err(VerifyError::Expired {
                since: certificate.not_after(),
            });
        }
    }
    Ok(())
}
