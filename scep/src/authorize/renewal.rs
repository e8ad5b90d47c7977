//! A certificate that renews itself: RenewalReq, signed by the old key (RFC 8894 section 2.3).

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use mdm_pki::{Certificate, CertificateRequest, GeneralName, RevocationReason};

use super::{Authorized, EnrolmentRequest, HARDWARE_MODULE_NAME, PERMANENT_IDENTIFIER};
use crate::{
    attributes::TransactionId,
    ca::CertificateAuthority,
    message::is_issued_by,
    policy::Policy,
    store::{Grant, GrantKind, RequestId, StoreError},
};

/// Why a certificate did not renew itself. For the operator: the client learns only that it did not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RenewalRefusal {
    /// The authority has not issued it: it is self-signed, say, or a registration authority's.
    #[error("the certificate that signed is none of the authority's")]
    Stranger,
    /// It is no longer or not yet valid.
    #[error("the certificate {serial} is valid from {not_before} to {not_after}")]
    NotValid {
        /// Its serial number, in hexadecimal.
        serial: String,
        /// The first moment at which it is valid.
        not_before: DateTime<Utc>,
        /// The last one.
        not_after: DateTime<Utc>,
    },
    /// It has been revoked.
    #[error("the certificate {serial} was revoked at {at}: {reason:?}")]
    Revoked {
        /// Its serial number, in hexadecimal.
        serial: String,
        /// Since when.
        at: DateTime<Utc>,
        /// Why.
        reason: RevocationReason,
    },
    /// Its end is further away than the policy's window.
    #[error("the certificate {serial} renews itself from {from} on")]
    TooEarly {
        /// Its serial number, in hexadecimal.
        serial: String,
        /// When the window opens.
        from: DateTime<Utc>,
    },
    /// It names a device as orders of ACME do: which key such a device may use, an attestation says each time.
    #[error("the certificate {serial} names a device that has to attest each key")]
    Attested {
        /// Its serial number, in hexadecimal.
        serial: String,
    },
    /// An order of ACME granted it, or it may have: what its names are, is proven for each certificate anew.
    #[error("the certificate {serial} was ordered by ACME, which proves its names each time")]
    Ordered {
        /// Its serial number, in hexadecimal.
        serial: String,
    },
    /// The request is for another subject. One certificate never leads to another identity.
    #[error("the certificate {serial} is for another subject than the request")]
    Subject {
        /// Its serial number, in hexadecimal.
        serial: String,
    },
    /// It was revoked while its renewal was on the way.
    #[error("the certificate {serial} was revoked meanwhile")]
    Overtaken {
        /// Its serial number, in hexadecimal.
        serial: String,
    },
}

/// A certificate that may renew itself: issued by the authority, kept by it, valid, not revoked.
#[derive(Debug)]
pub(crate) struct Renewable {
    certificate: Certificate,
    now: DateTime<Utc>,
}

impl Renewable {
    /// Looks at the signer of a message whose signature holds.
    pub(crate) async fn check(
        authority: &dyn CertificateAuthority,
        signer: &Certificate,
        policy: &Policy,
        now: DateTime<Utc>,
    ) -> Result<Result<Self, RenewalRefusal>, StoreError> {
        let issued = authority
            .chain()
            .first()
            .is_some_and(|issuer| is_issued_by(signer, issuer));
        if !issued {
            return Ok(Err(RenewalRefusal::Stranger));
        }
        let record = authority.find(signer.serial()).await?;
        let Some(record) = record.filter(|record| record.certificate == *signer) else {
            return Ok(Err(RenewalRefusal::Stranger));
        };
        let serial = hex::encode(signer.serial());
        if names_attested_device(signer) {
            return Ok(Err(RenewalRefusal::Attested { serial }));
        }
        let ordered = match record.granted {
            Some(kind) => kind == GrantKind::Order,
            // From before that was kept: SCEP proves no host names, orders do.
            None => names_host(signer),
        };
        if ordered {
            return Ok(Err(RenewalRefusal::Ordered { serial }));
        }
        if let Some(revocation) = record.revoked {
            return Ok(Err(RenewalRefusal::Revoked {
                serial,
                at: revocation.at,
                reason: revocation.reason,
            }));
        }
        if !signer.is_valid_at(now) {
            return Ok(Err(RenewalRefusal::NotValid {
                serial,
                not_before: signer.not_before(),
                not_after: signer.not_after(),
            }));
        }
        if let Some(from) = opens(signer, policy.renewal_window).filter(|from| now < *from) {
            return Ok(Err(RenewalRefusal::TooEarly { serial, from }));
        }
        Ok(Ok(Self {
            certificate: record.certificate,
            now,
        }))
    }

    /// Permission for this proven request.
    pub(crate) fn authorize(
        self,
        transaction_id: TransactionId,
        csr: CertificateRequest,
    ) -> Result<Result<Authorized, RenewalRefusal>, mdm_pki::Error> {
        let serial = hex::encode(self.certificate.serial());
        if csr.subject() != self.certificate.subject() {
            return Ok(Err(RenewalRefusal::Subject { serial }));
        }
        let id = RequestId::of_renewal(&transaction_id, csr.to_der(), &self.certificate)?;
        let label = format!("the renewal of {serial}");
        Ok(Ok(Authorized {
            request: EnrolmentRequest {
                id,
                transaction_id,
                // Whoever may renew needs none, and one of somebody else is not to be spent here.
                challenge: None,
                csr,
                now: self.now,
            },
            grant: Grant::renewal(self.certificate.serial(), label),
            renewed: Some(self.certificate),
            names: None,
        }))
    }
}

fn names_attested_device(certificate: &Certificate) -> bool {
    let names = certificate.subject_alt_names();
    names.iter().any(|name| match name {
        GeneralName::OtherName { kind, .. } => {
            [PERMANENT_IDENTIFIER, HARDWARE_MODULE_NAME].contains(kind)
        }
        _ => false,
    })
}

fn names_host(certificate: &Certificate) -> bool {
    let names = certificate.subject_alt_names();
    names.iter().any(|name| matches!(name, GeneralName::Dns(_)))
}

fn opens(certificate: &Certificate, window: Option<Duration>) -> Option<DateTime<Utc>> {
    let window = TimeDelta::from_std(window?).ok()?;
    certificate.not_after().checked_sub_signed(window)
}
