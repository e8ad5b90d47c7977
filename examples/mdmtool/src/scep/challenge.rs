//! `challenge`: one certificate's worth of trust.

use std::sync::Arc;

use chrono::{TimeDelta, Utc};
use clap::Args;
use mdm_scep::{Bound, OneTime};
use serde_json::json;

use super::advice;
use crate::{
    console::Console,
    failure::Done,
    interval::Interval,
    issue::{
        books::Books,
        names::{AlternativeName, Subject},
    },
    text::written,
};

#[derive(Debug, Args)]
pub(super) struct Issue {
    #[command(flatten)]
    books: Books,
    /// Whose enrolment it is for, in your words; the server's messages name it.
    #[arg(long, value_name = "TEXT")]
    label: String,
    /// Good only for this common name.
    #[arg(long, value_name = "NAME")]
    bind_cn: Option<String>,
    /// Good only for this subject, to the byte.
    #[arg(long, value_name = "NAME")]
    bind_subject: Option<Subject>,
    /// Good only for this serialNumber in the subject.
    #[arg(long, value_name = "TEXT")]
    bind_serial: Option<String>,
    /// Good only for a subject that names this device, by its UDID for example.
    #[arg(long, value_name = "TEXT")]
    bind_device: Option<String>,
    /// Good only for this alternative name and the others given so: dns:, email:, uri:, ip: or upn: and the name.
    #[arg(long = "bind-san", value_name = "KIND:NAME")]
    bind_names: Vec<AlternativeName>,
    /// How long it is good.
    #[arg(long, value_name = "TIME", default_value_t = Interval(OneTime::LIFETIME))]
    lifetime: Interval,
}

impl Issue {
    pub(super) async fn run(self, console: &mut Console) -> Done {
        let store = self.books.open_or_make().await?;
        let now = Utc::now();
        let lifetime = self.lifetime.0;
        let names: Vec<_> = self.bind_names.into_iter().map(|name| name.0).collect();
        let bound = Bound::default().with(|bound| {
            bound.subject = self.bind_subject.map(|subject| subject.0);
            bound.common_name = self.bind_cn;
            bound.serial_number = self.bind_serial;
            bound.device = self.bind_device;
            bound.alt_names = Some(names).filter(|names| !names.is_empty());
        });
        let challenges = OneTime::new(Arc::new(store.clone())).lifetime(lifetime);
        let issued = challenges.issue(self.label.as_str(), bound, now).await;
        store.close().await;
        let challenge = issued.map_err(|error| advice::of_server(&error))?;
        let ends = TimeDelta::from_std(lifetime)
            .ok()
            .and_then(|lifetime| now.checked_add_signed(lifetime));
        // This once: the store has its hash alone.
        let document = json!({
            "challenge": challenge.expose(),
            "label": self.label,
            "expires_at": ends.map(written),
        });
        console.answer(&document, || challenge.expose().clone())
    }
}
