//! An authority inside the process: an issuing certificate, a signer, a store.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use mdm_pki::{
    Certificate, CertificateBuilder, KeyUsage, PublicKey, SignatureAlgorithm, Signer, oid,
};

use super::{CertificateAuthority, IssueError, Issued};
use crate::{
    authorize::Authorized,
    error::Error,
    store::{CertificateRecord, Committed, Issuance, Revocation, Store, StoreError},
};

/// What the issued certificates are like.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateProfile {
    /// From now to NotAfter: 365 days unless changed, and never past the issuer's.
    pub validity: Duration,
    /// From NotBefore to now: ten minutes unless changed, because devices with a slow clock throw a
    /// certificate from the future away and have spent their challenge.
    pub backdate: Duration,
    /// What becomes of the alternative names in the request.
    pub subject_alt_names: SanRule,
}

impl CertificateProfile {
    /// The profile with changes.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn window(&self, now: DateTime<Utc>, issuer: &Certificate) -> (DateTime<Utc>, DateTime<Utc>) {
        let delta = |duration| TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX);
        let not_before = now.checked_sub_signed(delta(self.backdate)).unwrap_or(now);
        let not_after = now
            .checked_add_signed(delta(self.validity))
            .unwrap_or(issuer.not_after());
        (not_before, not_after.min(issuer.not_after()))
    }
}

impl Default for CertificateProfile {
    fn default() -> Self {
        Self {
            validity: Duration::from_secs(365 * 24 * 60 * 60),
            backdate: Duration::from_secs(10 * 60),
            subject_alt_names: SanRule::default(),
        }
    }
}

/// What becomes of the alternative names in a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SanRule {
    /// They are left out. A device chooses them freely, and elsewhere a principal name logs in.
    #[default]
    Omit,
    /// They are taken over as they are.
    Copy,
}

/// An authority that signs with a key of its own, RSA or EC, in memory or behind a [`Signer`].
#[derive(Debug, Clone)]
pub struct EmbeddedCa {
    chain: Vec<Certificate>,
    issuer_key: PublicKey,
    signer: Arc<dyn Signer>,
    algorithm: SignatureAlgorithm,
    store: Arc<dyn Store>,
    profile: CertificateProfile,
}

impl EmbeddedCa {
    /// An authority of this chain, the issuing certificate first, whose certificates go to `store`.
    ///
    /// # Errors
    /// [`Error::Configuration`] if the chain is empty, its first certificate is no CA or not of the
    /// signer's key, or the signer offers no algorithm better than SHA-1.
    pub fn new(
        chain: Vec<Certificate>,
        signer: Arc<dyn Signer>,
        store: Arc<dyn Store>,
    ) -> Result<Self, Error> {
        let Some(issuer) = chain.first() else {
            return Err(Error::Configuration("the authority has no certificate"));
        };
        let may_sign = issuer
            .key_usage()
            .is_none_or(|usage| usage.contains(KeyUsage::KEY_CERT_SIGN));
        if !issuer.is_ca() || !may_sign {
            return Err(Error::Configuration("the issuing certificate is no CA"));
        }
        let issuer_key = issuer.public_key()?;
        if !issuer_key.same_key(signer.public_key()) {
            return Err(Error::Configuration(
                "the issuing certificate is of another key",
            ));
        }
        let algorithm = signer
            .algorithms()
            .iter()
            .copied()
            .find(|algorithm| algorithm.digest().output_len() >= 32)
            .ok_or(Error::Configuration("the signer offers SHA-1 at best"))?;
        Ok(Self {
            chain,
            issuer_key,
            signer,
            algorithm,
            store,
            profile: CertificateProfile::default(),
        })
    }

    /// Changes what the certificates are like.
    #[must_use]
    pub fn profile(mut self, profile: CertificateProfile) -> Self {
        self.profile = profile;
        self
    }

    /// Revokes the certificate of this serial number (the content of its DER INTEGER) and returns the
    /// revocation that counts: of several the first. `None` if there is no such certificate.
    ///
    /// # Errors
    /// Where the store cannot answer.
    pub async fn revoke(
        &self,
        serial: &[u8],
        revocation: Revocation,
    ) -> Result<Option<Revocation>, StoreError> {
        self.store.revoke(serial, revocation).await
    }

    async fn sign(&self, authorized: &Authorized) -> Result<Certificate, IssueError> {
        let (csr, now) = (authorized.csr(), authorized.at());
        let Some(issuer) = self.chain.first() else {
            return Err(IssueError::Expired);
        };
        if !issuer.is_valid_at(now) {
            return Err(IssueError::Expired);
        }
        // RFC 5280 section 4.1.2.6: without a subject the alternative names would have to be there,
        // and critical. No MDM identity is like that.
        if csr.subject().is_empty() {
            return Err(IssueError::Refused("the subject is empty".to_owned()));
        }
        // A certificate of an authority's own name passes for one that the authority signed itself.
        if self
            .chain
            .iter()
            .any(|certificate| certificate.subject() == csr.subject())
        {
            return Err(IssueError::Refused(
                "the subject is the authority's own".to_owned(),
            ));
        }
        let (not_before, not_after) = self.profile.window(now, issuer);
        let mut builder = CertificateBuilder::new(csr.subject(), &csr.public_key()?)
            .validity(not_before, not_after)
            .key_usage(KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_ENCIPHERMENT)
            .extended_key_usage(&[oid::CLIENT_AUTH])
            .signature_algorithm(self.algorithm);
        if self.profile.subject_alt_names == SanRule::Copy {
            // A renewal is granted by what the old certificate says, and says no more.
            let old = authorized.renewed().map(Certificate::subject_alt_names);
            for name in csr.subject_alt_names() {
                if old.as_ref().is_some_and(|old| !old.contains(&name)) {
                    let reason = "the certificate to be renewed lacks an alternative name";
                    return Err(IssueError::Refused(reason.to_owned()));
                }
                builder = builder.san(name);
            }
        }
        let certificate = builder.sign_with(issuer, &*self.signer).await?;
        // A signer that fails in silence must not have its work stored.
        certificate.verify_signed_by(&self.issuer_key)?;
        Ok(certificate)
    }
}

#[async_trait]
impl CertificateAuthority for EmbeddedCa {
    fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    async fn issue(&self, authorized: Authorized) -> Result<Issued, IssueError> {
        let certificate = self.sign(&authorized).await?;
        let issuance = Issuance::new(
            certificate.clone(),
            authorized.grant().clone(),
            authorized.request_id(),
            authorized.at(),
        );
        match self.store.commit(issuance).await? {
            Committed::Stored => Ok(Issued::New(certificate)),
            Committed::Repeated(earlier) => Ok(Issued::Earlier(earlier)),
            Committed::Conflict => Err(IssueError::Conflict),
        }
    }

    async fn find(&self, serial: &[u8]) -> Result<Option<CertificateRecord>, StoreError> {
        self.store.certificate(serial).await
    }
}
