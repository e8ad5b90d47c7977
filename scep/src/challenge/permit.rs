//! What makes a request end in one certificate where no challenge of its own does: a challenge that nobody knows,
//! found by the request's name.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};

use super::{ChallengeRefusal, Verdict};
use crate::{
    authorize::EnrolmentRequest,
    store::{ChallengeId, ChallengeRecord, Grant, Store, StoreError, sha256},
};

/// One permit for each request, in the store of the authority.
#[derive(Debug, Clone)]
pub(crate) struct Permits {
    store: Arc<dyn Store>,
    lifetime: Duration,
}

impl Permits {
    /// How long the very same request gets the same certificate unless told otherwise.
    pub(crate) const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            lifetime: Self::LIFETIME,
        }
    }

    pub(crate) fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// The permit of this request. No challenge's text has its id: the first byte is in no text.
    pub(crate) fn id(request: &EnrolmentRequest) -> Result<ChallengeId, StoreError> {
        let name = [&[0xff][..], b"permit", request.id().as_bytes()].concat();
        Ok(ChallengeId::from_bytes(sha256(&name)?))
    }

    /// What has been decided on this very request before; nothing, if it has no certificate yet.
    pub(crate) async fn spent(
        &self,
        request: &EnrolmentRequest,
    ) -> Result<Option<Verdict>, StoreError> {
        let Some(record) = self.store.challenge(&Self::id(request)?).await? else {
            return Ok(None);
        };
        let Some(spent) = record.spent else {
            return Ok(None);
        };
        let label = record.label;
        if request.now() >= record.expires_at {
            let age = request.now() - record.issued_at;
            let age = age.to_std().unwrap_or_default();
            return Ok(Some(Verdict::Refused(ChallengeRefusal::Expired {
                label,
                age,
            })));
        }
        Ok(Some(Verdict::repeated(spent.certificate, label)))
    }

    /// Allows the request once.
    pub(crate) async fn grant(
        &self,
        request: &EnrolmentRequest,
        label: String,
    ) -> Result<Verdict, StoreError> {
        let (id, now) = (Self::id(request)?, request.now());
        let lifetime = TimeDelta::from_std(self.lifetime).unwrap_or(TimeDelta::MAX);
        let expires_at = now
            .checked_add_signed(lifetime)
            .unwrap_or(DateTime::<Utc>::MAX_UTC);
        let record = ChallengeRecord::new(label.clone(), now, expires_at);
        match self.store.insert_challenge(id, record.clone()).await {
            // Allowed before, and not served: the store was away, or the request came twice at once.
            Ok(()) | Err(StoreError::Exists) => {}
            Err(StoreError::Full { .. }) => {
                self.store.forget_challenges(now).await?;
                self.store.insert_challenge(id, record).await?;
            }
            Err(error) => return Err(error),
        }
        Ok(Verdict::Granted(Grant::challenge(id, label)))
    }
}
