//! An order of ACME whose identifiers are all proven, and the CSR that may finalize it (RFC 8555 section 7.4).
//!
//! The names in the certificate come from what was proven, never from the CSR: that has to name the same.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use mdm_pki::{
    CertificateRequest, GeneralName, KeyAlgorithm, Name, PublicKey,
    oid::{COMMON_NAME, SUBJECT_ALT_NAME},
};

use super::{Authorized, EnrolmentRequest, has_whole_subject};
use crate::{
    acme::{
        attest::general_name,
        identifier::{Identifier, IdentifierType},
        store::{AuthorizationRecord, OrderId, OrderRecord},
    },
    attributes::TransactionId,
    error::Error,
    store::{Grant, RequestId},
};

/// Which keys and CSRs an order may be finalized with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CsrRules<'a> {
    /// The bounds of RSA keys, in bits.
    pub(crate) rsa_bits: (usize, usize),
    /// Keys that stand for something else already: the account's, the authority's.
    pub(crate) taken: &'a [PublicKey],
}

/// Why a CSR does not finalize an order. Told to the client in these words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CsrRefusal {
    /// It is no CSR.
    #[error("the CSR cannot be read")]
    Malformed,
    /// Nobody shows that the key is theirs.
    #[error("the CSR's signature does not hold")]
    Signature,
    /// The key is of a kind or size that gets no certificate.
    #[error("the CSR's key is of a kind or size that is not certified")]
    Key,
    /// The key is that of the account, or of the authority.
    #[error("the CSR's key is used for something else")]
    KeyTaken,
    /// It is another key than the attested one.
    #[error("the CSR's key is not the attested one")]
    NotAttested,
    /// The names are not those of the order.
    #[error("the CSR's names are not the order's identifiers")]
    Names,
    /// The subject says more than the order.
    #[error("the CSR's subject is not allowed for the order")]
    Subject,
    /// Not all identifiers are proven.
    #[error("the order is not ready")]
    NotReady,
}

/// A CSR that an order may be finalized with.
#[derive(Debug)]
pub(crate) struct Finalizable {
    csr: CertificateRequest,
    names: Vec<GeneralName>,
}

impl Finalizable {
    /// Holds a CSR against an order whose identifiers have to be proven at that time.
    pub(crate) fn check(
        order: &OrderRecord,
        csr: &[u8],
        at: DateTime<Utc>,
        rules: &CsrRules<'_>,
    ) -> Result<Self, CsrRefusal> {
        if order.authorizations.is_empty() {
            return Err(CsrRefusal::NotReady);
        }
        let csr = CertificateRequest::from_der(csr).map_err(|_| CsrRefusal::Malformed)?;
        let key = csr.public_key().map_err(|_| CsrRefusal::Malformed)?;
        csr.verify().map_err(|_| CsrRefusal::Signature)?;
        if !has_whole_subject(&csr) {
            return Err(CsrRefusal::Subject);
        }
        check_key(&key, rules)?;
        for authorization in &order.authorizations {
            let proof = authorization.proof(at).ok_or(CsrRefusal::NotReady)?;
            if let Some(attested) = &proof.attested {
                let attested = PublicKey::from_spki_der(&attested.key);
                if !attested.is_ok_and(|attested| attested.same_key(&key)) {
                    return Err(CsrRefusal::NotAttested);
                }
            }
        }
        let names = match order.authorizations.as_slice() {
            [alone] if alone.device.is_some() => device_names(alone, &csr)?,
            all => host_names(all, &csr)?,
        };
        Ok(Self { csr, names })
    }

    pub(crate) fn public_key(&self) -> Result<PublicKey, mdm_pki::Error> {
        self.csr.public_key()
    }

    /// Permission for the order's one certificate, which spends the order's permit.
    pub(crate) fn authorize(
        self,
        id: &OrderId,
        order: &OrderRecord,
        now: DateTime<Utc>,
    ) -> Result<Authorized, Error> {
        Ok(Authorized {
            request: EnrolmentRequest {
                id: request_id(id, self.csr.to_der())?,
                transaction_id: transaction_id(id)?,
                csr: self.csr,
                // A challenge of SCEP has no place in an order, and is not to be spent here.
                challenge: None,
                now,
            },
            grant: Grant::order(order.permit, order.label()),
            renewed: None,
            names: Some(self.names),
        })
    }
}

/// The request's name: the same CSR for the same order is the same request.
pub(crate) fn request_id(order: &OrderId, csr: &[u8]) -> Result<RequestId, Error> {
    Ok(RequestId::of(&transaction_id(order)?, csr)?)
}

fn transaction_id(order: &OrderId) -> Result<TransactionId, Error> {
    TransactionId::new(format!("acme-{order}"))
}

fn check_key(key: &PublicKey, rules: &CsrRules<'_>) -> Result<(), CsrRefusal> {
    match key.algorithm() {
        KeyAlgorithm::Ec(_) => {}
        KeyAlgorithm::Rsa { bits } if (rules.rsa_bits.0..=rules.rsa_bits.1).contains(&bits) => {}
        _ => return Err(CsrRefusal::Key),
    }
    match rules.taken.iter().any(|taken| taken.same_key(key)) {
        true => Err(CsrRefusal::KeyTaken),
        false => Ok(()),
    }
}

/// The one common name, if the subject is that alone; nothing for an empty subject.
fn only_common_name(subject: &Name) -> Result<Option<String>, CsrRefusal> {
    if subject.is_empty() {
        return Ok(None);
    }
    let mut attributes = subject.attributes();
    match (attributes.next(), attributes.next()) {
        (Some((COMMON_NAME, name)), None) => Ok(Some(name)),
        _ => Err(CsrRefusal::Subject),
    }
}

/// The alternative names asked for. An extension that cannot be read is no empty one.
fn asked(csr: &CertificateRequest) -> Result<Vec<GeneralName>, CsrRefusal> {
    match csr.extension(SUBJECT_ALT_NAME) {
        None => Ok(Vec::new()),
        Some(der) => GeneralName::list_from_der(der).map_err(|_| CsrRefusal::Names),
    }
}

/// Exactly the host names of the order, of which one may be the common name.
fn host_names(
    authorizations: &[AuthorizationRecord],
    csr: &CertificateRequest,
) -> Result<Vec<GeneralName>, CsrRefusal> {
    let mut proven = BTreeSet::new();
    for authorization in authorizations {
        let Identifier { kind, value, .. } = authorization.ordered();
        if kind != IdentifierType::Dns || authorization.device.is_some() {
            return Err(CsrRefusal::Names);
        }
        proven.insert(value);
    }
    let mut named = BTreeSet::new();
    for name in asked(csr)? {
        match name {
            GeneralName::Dns(name) => named.insert(name.to_ascii_lowercase()),
            _ => return Err(CsrRefusal::Names),
        };
    }
    let common_name = only_common_name(&csr.subject())?;
    named.extend(common_name.map(|name| name.to_ascii_lowercase()));
    match named == proven {
        true => Ok(proven.into_iter().map(GeneralName::Dns).collect()),
        false => Err(CsrRefusal::Names),
    }
}

/// The device's identifier and what else the authorizer lets it be called.
fn device_names(
    authorization: &AuthorizationRecord,
    csr: &CertificateRequest,
) -> Result<Vec<GeneralName>, CsrRefusal> {
    let device = authorization.device.as_ref().ok_or(CsrRefusal::NotReady)?;
    let identifier = &authorization.identifier;
    let mut names = vec![general_name(identifier).ok_or(CsrRefusal::Names)?];
    for name in &device.names {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    if !asked(csr)?.iter().all(|name| names.contains(name)) {
        return Err(CsrRefusal::Names);
    }
    let subject = csr.subject();
    let allowed = match &device.subject {
        Some(expected) => subject == *expected,
        None => only_common_name(&subject)?.is_none_or(|name| name == identifier.value),
    };
    match allowed {
        true => Ok(names),
        false => Err(CsrRefusal::Subject),
    }
}
