//! Tells the observer what happens.

use super::{AdeService, Refusal, WorkReport, warnings};
use crate::{Error, progress::Progress, record::AccountId};

impl AdeService {
    pub(super) fn observe(&self, account: &AccountId, progress: &Progress) {
        if let Some(observer) = &self.inner.observer {
            observer.progress(account, progress);
        }
    }

    /// Tells what came of work on an account, and the warnings that are new since.
    pub(super) async fn tell(&self, account: &AccountId, work: &Result<WorkReport, Error>) {
        let Some(observer) = &self.inner.observer else {
            return;
        };
        let is_idle = match work {
            Ok(report) => report.is_idle(),
            Err(error) => matches!(error, Error::Refused(Refusal::UnderWay { .. })),
        };
        if !is_idle {
            observer.done(account, work);
        }
        match self.warnings_since(account, is_idle).await {
            Ok(warnings) => {
                for warning in &warnings {
                    tracing::warn!(%account, %warning, "an account needs a person");
                    observer.warning(account, warning);
                }
            }
            Err(error) => tracing::debug!(%account, %error, "warnings could not be told"),
        }
    }

    /// Devices are counted only after something was done: there may be many.
    async fn warnings_since(
        &self,
        account: &AccountId,
        is_idle: bool,
    ) -> Result<Vec<warnings::Warning>, Error> {
        if is_idle {
            let record = self.account(account).await?;
            if !warnings::is_new(&record, self.policy(), self.inner.clock.now()) {
                return Ok(Vec::new());
            }
        }
        self.new_warnings(account).await
    }
}
