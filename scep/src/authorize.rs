//! The one door to a signature: [`Authorized`] is made here and nowhere else, by asking the
//! challenge verifier or by a certificate that renews itself, and an authority signs nothing without it.
//!
//! Peers have issued certificates through paths that had forgotten to ask (CVE-2026-30836,
//! CVE-2025-44005). Here such a path would not compile.

#[cfg(feature = "acme")]
mod order;
mod renewal;

use chrono::{DateTime, Utc};
use mdm_core::Secret;
use mdm_pki::{Certificate, CertificateRequest, GeneralName, Name, Oid};

#[cfg(feature = "acme")]
pub use self::order::CsrRefusal;
#[cfg(feature = "acme")]
pub(crate) use self::order::{CsrRules, Finalizable, request_id};
pub(crate) use self::renewal::Renewable;
pub use self::renewal::RenewalRefusal;
use crate::{
    attributes::TransactionId,
    challenge::{ChallengeRefusal, ChallengeVerifier, Verdict},
    store::{Grant, RequestId, StoreError},
};

/// `id-on-permanentIdentifier` (RFC 4043 section 2).
pub(crate) const PERMANENT_IDENTIFIER: Oid = Oid::constant("1.3.6.1.5.5.7.8.3");
/// `id-on-hardwareModuleName` (RFC 4108 section 5).
pub(crate) const HARDWARE_MODULE_NAME: Oid = Oid::constant("1.3.6.1.5.5.7.8.4");

/// A proven request that asks for permission.
///
/// Its CSR's signature holds, and the message was signed by the CSR's own key, or by that of the
/// certificate to be renewed, or with [`Policy::throwaway_signer`](crate::Policy::throwaway_signer) by any.
#[derive(Debug)]
pub struct EnrolmentRequest {
    id: RequestId,
    transaction_id: TransactionId,
    csr: CertificateRequest,
    challenge: Option<Secret<String>>,
    now: DateTime<Utc>,
}

impl EnrolmentRequest {
    pub(crate) fn new(
        transaction_id: TransactionId,
        csr: CertificateRequest,
        now: DateTime<Utc>,
    ) -> Result<Self, mdm_pki::Error> {
        Ok(Self {
            id: RequestId::of(&transaction_id, csr.to_der())?,
            challenge: csr.challenge_password(),
            transaction_id,
            csr,
            now,
        })
    }

    /// The request's name, the same for a retry.
    pub fn id(&self) -> RequestId {
        self.id
    }

    /// The exchange's name, chosen by the client.
    pub fn transaction_id(&self) -> &TransactionId {
        &self.transaction_id
    }

    /// What is asked for.
    pub fn csr(&self) -> &CertificateRequest {
        &self.csr
    }

    /// The challenge, if the request has one.
    pub fn challenge(&self) -> Option<&Secret<String>> {
        self.challenge.as_ref()
    }

    /// When it came.
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }
}

/// Whether the subject can be read to its end. It goes into the certificate byte for byte, and others read more than strict
/// DER: a part that is passed over here would be a name that nobody has looked at.
pub(crate) fn has_whole_subject(csr: &CertificateRequest) -> bool {
    Name::from_der(csr.subject().to_der()).is_ok()
}

/// Permission for one certificate. It cannot be made, copied or kept by anybody else:
///
/// ```compile_fail,E0599
/// fn twice(authorized: mdm_scep::Authorized) -> [mdm_scep::Authorized; 2] {
///     [authorized.clone(), authorized]
/// }
/// ```
///
/// ```compile_fail,E0451
/// fn forge(request: mdm_scep::EnrolmentRequest) -> mdm_scep::Authorized {
///     let grant = mdm_scep::store::Grant::elsewhere("forged");
///     mdm_scep::Authorized { request, grant, renewed: None, names: None }
/// }
/// ```
#[derive(Debug)]
#[must_use = "an authorisation is spent by handing it to the authority"]
pub struct Authorized {
    request: EnrolmentRequest,
    grant: Grant,
    renewed: Option<Certificate>,
    names: Option<Vec<GeneralName>>,
}

impl Authorized {
    /// What was asked for.
    pub fn csr(&self) -> &CertificateRequest {
        &self.request.csr
    }

    /// The request's name, for an authority that must not serve one twice.
    pub fn request_id(&self) -> RequestId {
        self.request.id
    }

    /// What allows it.
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// The certificate that renews itself, where that is what allows it.
    pub fn renewed(&self) -> Option<&Certificate> {
        self.renewed.as_ref()
    }

    /// The alternative names that the certificate is to have, where they were proven one by one. Without
    /// this the names in the request are wishes.
    pub fn names(&self) -> Option<&[GeneralName]> {
        self.names.as_deref()
    }

    /// When it was allowed.
    pub fn at(&self) -> DateTime<Utc> {
        self.request.now
    }
}

pub(crate) enum Decision {
    Authorized(Box<Authorized>),
    Repeated {
        certificate: Certificate,
        label: String,
    },
    Pending {
        label: String,
    },
    Refused(ChallengeRefusal),
}

/// The authorisation step.
pub(crate) async fn authorize(
    verifier: &dyn ChallengeVerifier,
    request: EnrolmentRequest,
) -> Result<Decision, StoreError> {
    Ok(match verifier.verify(&request).await? {
        Verdict::Granted(grant) => Decision::Authorized(Box::new(Authorized {
            request,
            grant,
            renewed: None,
            names: None,
        })),
        Verdict::Repeated { certificate, label } => Decision::Repeated { certificate, label },
        Verdict::Pending { label } => Decision::Pending { label },
        Verdict::Refused(refusal) => Decision::Refused(refusal),
    })
}
