//! An authority inside the process: an issuing certificate, a signer, a store.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::lock::Mutex;
use mdm_pki::{
    Certificate, CertificateBuilder, GeneralName, KeyUsage, PublicKey, RevocationList,
    RevocationListBuilder, RevokedCertificate, SignatureAlgorithm, Signer,
};

use super::{CertificateAuthority, CertificateProfile, CrlProfile, IssueError, Issued, Signed};
use crate::{
    authorize::Authorized,
    error::Error,
    store::{CertificateRecord, Committed, Revocation, Store, StoreError},
};

/// An authority that signs with a key of its own, RSA or EC, in memory or behind a [`Signer`].
#[derive(Debug, Clone)]
pub struct EmbeddedCa {
    chain: Vec<Certificate>,
    alternates: Vec<Vec<Certificate>>,
    issuer_key: PublicKey,
    signer: Arc<dyn Signer>,
    /// Set by the first certificate that was verified.
    is_whole: Arc<OnceLock<()>>,
    algorithm: SignatureAlgorithm,
    store: Arc<dyn Store>,
    profile: CertificateProfile,
    crl_profile: CrlProfile,
    last_crl: Arc<Mutex<Option<LastCrl>>>,
}

/// What came of the last attempt to sign a revocation list.
#[derive(Debug)]
enum LastCrl {
    Signed(RevocationList),
    /// Too many are revoked, as was found at this time.
    TooLong(DateTime<Utc>),
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
            .find(|it| it.takes_digest() && it.digest().output_len() >= 32)
            .ok_or(Error::Configuration("the signer offers SHA-1 at best"))?;
        Ok(Self {
            chain,
            alternates: Vec::new(),
            issuer_key,
            signer,
            is_whole: Arc::default(),
            algorithm,
            store,
            profile: CertificateProfile::default(),
            crl_profile: CrlProfile::default(),
            last_crl: Arc::default(),
        })
    }

    /// Adds another chain for the same certificates: a cross-signed certificate of the issuer in front, then those above it.
    ///
    /// # Errors
    /// [`Error::Configuration`] for a chain whose first certificate is not a CA's of the issuer's name, key and key identifier, or
    /// in which one is not signed by the next.
    pub fn alternate_chain(mut self, chain: Vec<Certificate>) -> Result<Self, Error> {
        let wrong = Error::Configuration("the other chain is none of this authority's");
        let (Some(other), Some(issuer)) = (chain.first(), self.chain.first()) else {
            return Err(wrong);
        };
        // Names of issuers and their key identifiers stand in what was issued.
        let same = other.is_ca()
            && other.subject() == issuer.subject()
            && other.subject_key_id() == issuer.subject_key_id()
            && other.public_key()?.same_key(&self.issuer_key);
        let linked = chain.windows(2).all(|pair| match pair {
            [below, above] => above
                .public_key()
                .is_ok_and(|key| above.is_ca() && below.verify_signed_by(&key).is_ok()),
            _ => false,
        });
        if !same || !linked {
            return Err(wrong);
        }
        self.alternates.push(chain);
        Ok(self)
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

    /// The alternative names to be written: those that were proven, or what the profile makes of those
    /// in the request.
    fn names(&self, authorized: &Authorized) -> Result<Vec<GeneralName>, IssueError> {
        if let Some(proven) = authorized.names() {
            return Ok(proven.to_vec());
        }
        let asked = authorized.csr().subject_alt_names();
        let asked = self.profile.subject_alt_names.apply(asked);
        // A renewal is granted by what the old certificate says, and says no more.
        let old = authorized.renewed().map(Certificate::subject_alt_names);
        if old.is_some_and(|old| asked.iter().any(|name| !old.contains(name))) {
            let reason = "the certificate to be renewed lacks an alternative name";
            return Err(IssueError::Refused(reason.to_owned()));
        }
        Ok(asked)
    }

    async fn certificate(&self, authorized: &Authorized) -> Result<Certificate, IssueError> {
        let (csr, now) = (authorized.csr(), authorized.at());
        let Some(issuer) = self.chain.first() else {
            return Err(IssueError::Expired);
        };
        if !self.chain.iter().all(|above| above.is_valid_at(now)) {
            return Err(IssueError::Expired);
        }
        let names = self.names(authorized)?;
        // RFC 5280 section 4.1.2.6: a certificate has a subject or a critical extension of names. Names
        // that were merely asked for are none to stand alone.
        if csr.subject().is_empty() && authorized.names().is_none_or(<[_]>::is_empty) {
            return Err(IssueError::Refused("the subject is empty".to_owned()));
        }
        // A certificate of an authority's own name passes for one that the authority signed itself.
        if self
            .chain
            .iter()
            .any(|certificate| certificate.subject().matches(&csr.subject()))
        {
            return Err(IssueError::Refused(
                "the subject is the authority's own".to_owned(),
            ));
        }
        let key = csr.public_key()?;
        let Some(usage) = self.profile.usage_of(key.algorithm()) else {
            let reason = "the profile has no use for a key of this kind";
            return Err(IssueError::Refused(reason.to_owned()));
        };
        let (not_before, not_after) = self.profile.window(now, &self.chain);
        let mut builder = CertificateBuilder::new(csr.subject(), &key)
            .validity(not_before, not_after)
            .key_usage(usage)
            .extended_key_usage(&self.profile.extended_key_usages)
            .signature_algorithm(self.algorithm);
        for name in names {
            builder = builder.san(name);
        }
        for (kind, value) in self.profile.places() {
            builder = builder.extension(kind, false, &value);
        }
        let certificate = builder.sign_with(issuer, &*self.signer).await?;
        // A signer that fails in silence must not have its work stored. One that verifies what it signs has shown with the
        // first certificate that its key's halves belong together.
        if !self.signer.verifies() || self.is_whole.get().is_none() {
            certificate.verify_signed_by(&self.issuer_key)?;
            let _ = self.is_whole.set(());
        }
        Ok(certificate)
    }
}

#[async_trait]
impl CertificateAuthority for EmbeddedCa {
    fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    fn alternate_chains(&self) -> &[Vec<Certificate>] {
        &self.alternates
    }

    async fn sign(&self, authorized: Authorized) -> Result<Signed, IssueError> {
        let certificate = self.certificate(&authorized).await?;
        Ok(Signed::new(certificate, authorized))
    }

    async fn store(&self, signed: &Signed) -> Result<Issued, IssueError> {
        match self.store.commit(signed.issuance()).await? {
            Committed::Stored => Ok(Issued::New(signed.certificate().clone())),
            Committed::Repeated(earlier) => Ok(Issued::Earlier(earlier)),
            Committed::Conflict => Err(IssueError::Conflict),
        }
    }

    async fn find(&self, serial: &[u8]) -> Result<Option<CertificateRecord>, StoreError> {
        self.store.certificate(serial).await
    }

    async fn revoke(
        &self,
        serial: &[u8],
        revocation: Revocation,
    ) -> Result<Option<Revocation>, StoreError> {
        let revoked = self.store.revoke(serial, revocation).await?;
        let mut last = self.last_crl.lock().await;
        // With one more revoked, a list that was too long is no shorter.
        if matches!(*last, Some(LastCrl::Signed(_))) {
            *last = None;
        }
        Ok(revoked)
    }

    async fn crl(&self, now: DateTime<Utc>) -> Result<RevocationList, IssueError> {
        // Whoever asks while a list is signed waits for that one.
        let mut last = self.last_crl.lock().await;
        let reuse = TimeDelta::from_std(self.crl_profile.reuse).unwrap_or(TimeDelta::MAX);
        let fresh = |since: DateTime<Utc>| since <= now && now - since < reuse;
        match &*last {
            Some(LastCrl::Signed(list)) if list.is_current_at(now) && fresh(list.this_update()) => {
                return Ok(list.clone());
            }
            // Whoever may ask for a list shall not have thousands of certificates read each time.
            Some(LastCrl::TooLong(at)) if fresh(*at) => {
                let limit = self.crl_profile.entries;
                return Err(IssueError::CrlTooLong { limit });
            }
            _ => {}
        }
        let signed = self.sign_crl(now).await;
        match &signed {
            Ok(list) => *last = Some(LastCrl::Signed(list.clone())),
            Err(IssueError::CrlTooLong { .. }) => *last = Some(LastCrl::TooLong(now)),
            Err(_) => {}
        }
        signed
    }
}

#[cfg(test)]
mod tests;
