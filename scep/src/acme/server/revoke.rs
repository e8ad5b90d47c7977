//! The end of certificates before their time (RFC 8555 section 7.6), and when to replace them (RFC 9773).

use chrono::{DateTime, TimeDelta, Utc};
use http::StatusCode;
use mdm_pki::{Certificate, GeneralName, RevocationReason};

use super::{
    AcmeEvent, Server,
    reply::{Reply, Stop},
    request::{Signed, Signer},
};
use crate::{
    acme::{
        ari::{CertId, RenewalInfo, SuggestedWindow},
        attest::general_name,
        identifier::IdentifierType,
        problem::ErrorType,
        resource::RevokeCert,
        store::AccountId,
    },
    store::Revocation,
};

/// How many orders are read at once in search of proof.
const PAGE: usize = 100;

impl Server {
    pub(super) async fn revoke_cert(&self, signed: &Signed) -> Result<Reply, Stop> {
        let asked: RevokeCert = signed.read()?;
        let reason = asked.reason().filter(|reason| is_for_clients(*reason));
        let Some(reason) = reason else {
            let detail = "the reason is none of 0, 1, 3, 4, 5 and 9";
            return Err(Stop::new(ErrorType::BadRevocationReason, detail));
        };
        let certificate = Certificate::from_der(&asked.certificate)
            .map_err(|_| Stop::malformed("the certificate cannot be read"))?;
        // What is not the authority's, what was forged with one of its serial numbers, and what is somebody else's, is
        // refused in the same words.
        let refused = || {
            let detail = "the certificate is not the signer's to revoke";
            Stop::new(ErrorType::Unauthorized, detail)
        };
        let record = self.authority.find(certificate.serial()).await?;
        let record = record
            .filter(|record| record.certificate == certificate)
            .ok_or_else(refused)?;
        let (allowed, account) = match &signed.signer {
            Signer::Key(key) => (certificate.public_key()?.same_key(key.key()), None),
            Signer::Account(caller) => {
                let id = &caller.id;
                (self.may_revoke(id, &certificate).await?, Some(id))
            }
        };
        if !allowed {
            return Err(refused());
        }
        let already = || {
            let detail = "the certificate is revoked already";
            Err(Stop::new(ErrorType::AlreadyRevoked, detail))
        };
        if record.revoked.is_some() {
            return already();
        }
        let revocation = Revocation::new(self.clock.now(), reason);
        match self
            .authority
            .revoke(certificate.serial(), revocation)
            .await?
        {
            Some(counts) if counts == revocation => {
                self.observe(&AcmeEvent::Revoked {
                    certificate: &certificate,
                    account,
                    reason,
                });
                Ok(Reply::empty(StatusCode::OK))
            }
            Some(_) => already(),
            None => Err(refused()),
        }
    }

    /// Whether it was issued to this account, or the account has proven all of its names.
    async fn may_revoke(&self, id: &AccountId, certificate: &Certificate) -> Result<bool, Stop> {
        let order = self
            .store
            .order_of_certificate(certificate.serial())
            .await?;
        if let Some(order) = order {
            let order = self.store.order(&order).await?;
            if order.is_some_and(|order| order.record.account == *id) {
                return Ok(true);
            }
        }
        let now = self.clock.now();
        let mut unproven = certificate.subject_alt_names();
        if unproven.is_empty() {
            return Ok(false);
        }
        let mut before = None;
        let mut searched = 0;
        while searched < self.limits.searched_orders {
            let orders = self.store.orders(id, before.as_ref(), PAGE).await?;
            for (_, order) in &orders {
                let authorizations = order.authorizations.iter();
                for authorization in authorizations.filter(|it| it.proof(now).is_some()) {
                    let ordered = authorization.ordered();
                    let name = match ordered.kind {
                        IdentifierType::Dns => Some(GeneralName::Dns(ordered.value)),
                        _ => general_name(&ordered),
                    };
                    unproven.retain(|unproven| Some(unproven) != name.as_ref());
                }
            }
            if unproven.is_empty() {
                return Ok(true);
            }
            match orders.last() {
                Some((last, _)) if orders.len() == PAGE => before = Some(*last),
                _ => return Ok(false),
            }
            searched += orders.len();
        }
        Ok(false)
    }

    pub(super) async fn renewal_info(&self, name: &str) -> Result<Reply, Stop> {
        let unknown = || {
            let stop = Stop::malformed("there is no certificate of this name");
            stop.status(StatusCode::NOT_FOUND)
        };
        let name: CertId = name
            .parse()
            .map_err(|_| Stop::malformed("the certificate's name is malformed"))?;
        if !self.is_ours(&name) {
            return Err(unknown());
        }
        let record = self.authority.find(name.serial()).await?;
        let record = record.ok_or_else(unknown)?;
        let certificate = &record.certificate;
        let revoked_at = record.revoked.map(|revocation| revocation.at);
        let window = window(certificate, revoked_at).ok_or_else(unknown)?;
        let reply = Reply::json(StatusCode::OK, &RenewalInfo::new(window))?;
        Ok(reply.retry_after(Some(self.policy.renewal_info_interval)))
    }
}

/// RFC 5280 section 5.3.1: what a subject can know. A hold would have to be lifted again, and an authority's key is the
/// authority's to judge.
fn is_for_clients(reason: RevocationReason) -> bool {
    matches!(
        reason,
        RevocationReason::Unspecified
            | RevocationReason::KeyCompromise
            | RevocationReason::AffiliationChanged
            | RevocationReason::Superseded
            | RevocationReason::CessationOfOperation
            | RevocationReason::PrivilegeWithdrawn
    )
}

/// From the last third of its time to the last sixth; one that is revoked should have been replaced when it was.
fn window(certificate: &Certificate, revoked_at: Option<DateTime<Utc>>) -> Option<SuggestedWindow> {
    if let Some(at) = revoked_at {
        return SuggestedWindow::new(at, at.checked_add_signed(TimeDelta::seconds(1))?);
    }
    let end = certificate.not_after();
    let lifetime = end - certificate.not_before();
    SuggestedWindow::new(end - lifetime / 3, end - lifetime / 6)
}
