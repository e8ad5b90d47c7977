//! A server while it runs: it answers, tells what happens, and now and then tidies up.

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use chrono::Utc;
use mdm_core::{Clock, SystemClock};
use mdm_scep::{Approval, OneTime, acme::AcmeStore, store::StoreError};
use mdm_storage::sqlite::SqliteStore;
use serde_json::Value;
use tokio::sync::mpsc::Receiver;

use super::events;
use crate::{
    console::Console,
    failure::Done,
    web::{Site, Web},
};

/// How often what nobody needs any more is forgotten.
const TIDY: Duration = Duration::from_secs(60 * 60);

/// A server about to run.
pub(crate) struct Running<'a> {
    pub(crate) web: Web,
    pub(crate) site: Arc<dyn Site>,
    pub(crate) events: Receiver<Value>,
    pub(crate) store: &'a SqliteStore,
}

impl Running<'_> {
    /// Runs until it is to stop; what was begun then is answered first.
    pub(crate) async fn until(
        mut self,
        stop: impl Future<Output = ()>,
        listening: &Value,
        console: &mut Console,
    ) -> Done {
        tell(listening, console)?;
        let mut serving = pin!(self.web.serve(self.site, stop));
        let mut tidy = SystemClock.sleep(Duration::ZERO);
        loop {
            tokio::select! {
                Some(event) = self.events.recv() => tell(&event, console)?,
                () = &mut tidy => {
                    // It is tried again later, and stops nobody meanwhile.
                    if let Err(error) = forget(self.store).await {
                        tell(&events::trouble(&error), console)?;
                    }
                    tidy = SystemClock.sleep(TIDY);
                }
                () = &mut serving => break,
            }
        }
        while let Ok(event) = self.events.try_recv() {
            tell(&event, console)?;
        }
        Ok(())
    }
}

/// Tells an event at once, for those who follow.
fn tell(event: &Value, console: &mut Console) -> Done {
    let line = match console.is_json() {
        true => event.to_string(),
        false => events::line(event),
    };
    console.line(&line)?;
    console.flush()
}

/// Forgets challenges, requests and orders whose time was over long ago.
async fn forget(store: &SqliteStore) -> Result<(), StoreError> {
    let (now, store) = (Utc::now(), Arc::new(store.clone()));
    OneTime::new(store.clone()).forget_expired(now).await?;
    Approval::new(store.clone(), store.clone())
        .forget_old(now)
        .await?;
    AcmeStore::forget(&*store, now).await?;
    Ok(())
}
