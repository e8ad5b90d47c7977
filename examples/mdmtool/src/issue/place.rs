//! What every server of ours is started with, whatever it speaks: where it listens, its store, its authority, its certificates.

use chrono::Utc;
use clap::Args;
use mdm_storage::sqlite::SqliteStore;

use super::{
    authority::{Authority, AuthorityFiles},
    books::Books,
    profile::Profile,
};
use crate::{
    failure::Failure,
    files::Passphrase,
    web::{Listen, Web},
};

/// Where a server listens, what it remembers, and who it is.
#[derive(Debug, Args)]
pub(crate) struct Place {
    #[command(flatten)]
    listen: Listen,
    #[command(flatten)]
    books: Books,
    #[command(flatten)]
    authority: AuthorityFiles,
    #[command(flatten)]
    pub(crate) profile: Profile,
}

/// A place that is open: nobody is served yet.
pub(crate) struct Opened {
    pub(crate) web: Web,
    pub(crate) authority: Authority,
    pub(crate) store: SqliteStore,
}

impl Place {
    pub(crate) fn passphrase(&self) -> &Passphrase {
        self.authority.passphrase()
    }

    /// Binds the port, for requests whose bodies have at most so many bytes, then opens or makes authority and store: no
    /// authority is made for a server that cannot be.
    pub(crate) async fn open(&self, max_body: usize) -> Result<Opened, Failure> {
        let web = self.listen.bind(self.passphrase(), max_body).await?;
        Ok(Opened {
            web,
            authority: self.authority.open(Utc::now())?,
            store: self.books.open_or_make().await?,
        })
    }
}
