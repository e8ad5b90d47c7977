//! One challenge for all devices: what older set-ups have, and the weakest thing that still is a challenge.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use mdm_core::Secret;
use mdm_pki::digest::constant_time_eq;

use super::{ChallengeRefusal, ChallengeVerifier, Verdict, permit::Permits};
use crate::{
    authorize::EnrolmentRequest,
    error::Error,
    store::{ChallengeId, Store, StoreError, sha256},
};

/// A challenge that is the same for every device and does not wear out.
///
/// Whoever has seen one profile can get any number of certificates of any subject: prefer [`OneTime`](super::OneTime). The
/// very same request gets the same certificate for a day, so that a message sent again is no second
/// certificate; it is then refused until the store forgets it.
#[derive(Debug, Clone)]
pub struct Static {
    hash: Secret<[u8; 32]>,
    permits: Permits,
}

impl Static {
    /// The shortest challenge taken, in bytes.
    pub const MIN_LENGTH: usize = 16;

    /// Accepts this challenge from everybody. `store` has to be the store of the authority too.
    ///
    /// # Errors
    /// [`Error::Configuration`] for a challenge of fewer than [`MIN_LENGTH`](Self::MIN_LENGTH) bytes, which can be
    /// guessed from outside; [`Error::Pki`] where OpenSSL fails.
    pub fn shared_by_all_devices(
        store: Arc<dyn Store>,
        challenge: &Secret<String>,
    ) -> Result<Self, Error> {
        if challenge.expose().len() < Self::MIN_LENGTH {
            return Err(Error::Configuration(
                "a challenge for all devices has 16 bytes at least",
            ));
        }
        Ok(Self {
            hash: Secret::new(sha256(challenge.expose().as_bytes())?),
            permits: Permits::new(store),
        })
    }

    /// Changes how long the very same request gets the same certificate.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.permits = self.permits.lifetime(lifetime);
        self
    }
}

#[async_trait]
impl ChallengeVerifier for Static {
    async fn verify(&self, request: &EnrolmentRequest) -> Result<Verdict, StoreError> {
        let Some(challenge) = request.challenge() else {
            return Ok(Verdict::Refused(ChallengeRefusal::Missing));
        };
        // Hashes of one length are compared, so that time tells neither the text nor how long it is.
        let hash = Secret::new(sha256(challenge.expose().as_bytes())?);
        if !constant_time_eq(hash.expose(), self.hash.expose()) {
            return Ok(Verdict::Refused(ChallengeRefusal::Unknown));
        }
        if let Some(verdict) = self.permits.spent(request).await? {
            return Ok(verdict);
        }
        let label = format!("all devices, {}", request.transaction_id());
        self.permits.grant(request, label).await
    }

    fn turn(&self, request: &EnrolmentRequest) -> Result<Option<ChallengeId>, StoreError> {
        Permits::id(request).map(Some)
    }
}
