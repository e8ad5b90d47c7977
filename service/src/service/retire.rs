//! Enrolments that the vendor takes back.

use mdm_core::{StoreError, StoreErrorKind};
use mdm_protocol::EnrollmentId;

use super::{ATTEMPTS, Service};
use crate::{Fingerprint, enrollment::decide, store::CommitError};

impl Service {
    /// Takes an enrolment back that may never say goodbye (Q14), as
    /// [`decide::retire`](crate::enrollment::decide::retire) decides: what is queued is cancelled, its places are
    /// free, subscribers hear [`Retired`](crate::EventKind::Retired). The device is neither wiped nor told, and what
    /// is in escrow stays. A device takes its users along.
    ///
    /// Whether there was an enrolment to take back; if not, nothing changes.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed, or the enrolment kept changing: then it is as it was.
    pub async fn retire(&self, id: &EnrollmentId) -> Result<bool, StoreError> {
        let store = &self.0.store;
        // No certificate is concerned.
        let nobody = Fingerprint::new([0; 32]);
        for _ in 0..ATTEMPTS {
            let loaded = store.load(id, &nobody).await?;
            let step = decide::retire(&loaded, id, self.0.clock.now());
            if step.is_empty() {
                return Ok(false);
            }
            match store.commit(id, loaded.version, step).await {
                Ok(()) => {
                    tracing::info!(enrollment = %id, "retired");
                    return Ok(true);
                }
                Err(CommitError::Store(error)) => return Err(error),
                Err(_) => {}
            }
        }
        Err(StoreError::new(StoreErrorKind::Locked))
    }
}
