//! `renew-check`: whether a certificate may take the place of the one in use.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::{
    console::Console,
    failure::{Done, Failure},
    files::{self, Passphrase},
    kind::Kind,
    push::files::topic_certificate,
    text::{self, written},
};

#[derive(Debug, Args)]
pub(crate) struct RenewCheck {
    /// The certificate in use: PEM, DER or PKCS #12.
    old: PathBuf,
    /// The one that should take its place.
    new: PathBuf,
    #[command(flatten)]
    passphrase: Passphrase,
}

impl RenewCheck {
    pub(super) fn run(self, console: &mut Console) -> Done {
        let files = [&*self.old, &*self.new].map(Some);
        files::take_stdin_once(files.into_iter().chain([self.passphrase.file()]).flatten())?;
        let passphrase = self.passphrase.read()?;
        let old = topic_certificate(&self.old, passphrase.as_ref())?;
        let new = topic_certificate(&self.new, passphrase.as_ref())?;
        let verdict = new.renews(&old);
        let document = json!({
            "renews": verdict.is_ok(),
            "old_topic": old.topic(),
            "new_topic": new.topic(),
            "old_not_after": written(old.not_after()),
            "new_not_after": written(new.not_after()),
        });
        console.answer(&document, || text::fields(&document, &[]))?;
        verdict.map_err(|error| Failure::told(Kind::Certificate, error.to_string(), ""))
    }
}
