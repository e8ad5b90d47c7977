//! An authority inside the process: an issuing certificate, a signer, a store.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::lock::Mutex;
use mdm_pki::{
    Certificate, CertificateBuilder, KeyUsage, PublicKey, RevocationList, RevocationListBuilder,
    RevokedCertificate, SignatureAlgorithm, Signer, oid,
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

/// What the revocation lists are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CrlProfile {
    /// From thisUpdate to nextUpdate: seven days unless changed, and never past the issuer's NotAfter.
    pub lifetime: Duration,
    /// How long a list is handed out before another is signed, if nothing was revoked through this
    /// authority: five minutes unless changed. What other nodes revoke is listed that much later.
    pub reuse: Duration,
    /// The most certificates on a list: 10,000 unless changed, about half a megabyte. Where more are
    /// revoked there is no list, since one that leaves some out would be a lie.
    pub entries: usize,
}

impl CrlProfile {
    /// The profile with changes.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

impl Default for CrlProfile {
    fn default() -> Self {
        Self {
            lifetime: Duration::from_secs(7 * 24 * 60 * 60),
            reuse: Duration::from_secs(5 * 60),
            entries: 10_000,
        }
    }
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
    crl_profile: CrlProfile,
    last_crl: Arc<Mutex<Option<RevocationList>>>,
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
            crl_profile: CrlProfile::default(),
            last_crl: Arc::default(),
        })
    }

    /// Changes what the certificates are like.
    #[must_use]
    pub fn profile(mut self, profile: CertificateProfile) -> Self {
        self.profile = profile;
        self
    }

    /// Changes what the revocation lists are like.
    #[must_use]
    pub fn crl_profile(mut self, profile: CrlProfile) -> Self {
        self.crl_profile = profile;
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
        let revoked = self.store.revoke(serial, revocation).await?;
        *self.last_crl.lock().await = None;
        Ok(revoked)
    }

    async fn sign_crl(&self, now: DateTime<Utc>) -> Result<RevocationList, IssueError> {
        let Some(issuer) = self.chain.first().filter(|issuer| issuer.is_valid_at(now)) else {
            return Err(IssueError::Expired);
        };
        let may_sign = issuer
            .key_usage()
            .is_none_or(|usage| usage.contains(KeyUsage::CRL_SIGN));
        if !may_sign {
            let reason = "the issuing certificate does not sign revocation lists";
            return Err(IssueError::Refused(reason.to_owned()));
        }
        let CrlProfile {
            lifetime, entries, ..
        } = self.crl_profile;
        let lifetime = TimeDelta::from_std(lifetime).unwrap_or(TimeDelta::MAX);
        // RFC 5280 section 3.3: a certificate stays on the list until one after its end.
        let since = now.checked_sub_signed(lifetime).unwrap_or(now);
        let until = now
            .checked_add_signed(lifetime)
            .unwrap_or(issuer.not_after())
            .min(issuer.not_after());
        // The number first: of two lists made at once, the one with the larger number knows no less.
        let number = self.store.next_crl_number().await?;
        let revoked = self.store.revoked(since, entries.saturating_add(1)).await?;
        if revoked.len() > entries {
            return Err(IssueError::CrlTooLong { limit: entries });
        }
        let list = revoked
            .into_iter()
            .filter_map(|record| {
                let revoked = record.revoked?;
                let serial = record.certificate.serial();
                Some(RevokedCertificate::new(serial, revoked.at, revoked.reason))
            })
            .fold(
                RevocationListBuilder::new(number, now, until),
                RevocationListBuilder::revoke,
            )
            .sign_with(issuer, &*self.signer, self.algorithm)
            .await?;
        list.verify_signed_by(issuer)?;
        Ok(list)
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

    async fn crl(&self, now: DateTime<Utc>) -> Result<RevocationList, IssueError> {
        // Whoever asks while a list is signed waits for that one.
        let mut last = self.last_crl.lock().await;
        let reuse = TimeDelta::from_std(self.crl_profile.reuse).unwrap_or(TimeDelta::MAX);
        if let Some(list) = &*last {
            let age = now - list.this_update();
            if list.is_current_at(now) && age < reuse {
                return Ok(list.clone());
            }
        }
        let list = self.sign_crl(now).await?;
        Ok(last.insert(list).clone())
    }
}
