//! [`EscrowStore`] on PostgreSQL.

use std::borrow::Cow;

use async_trait::async_trait;
use mdm_core::Secret;
use mdm_service::{
    EnrollmentId, EscrowEntry, EscrowKind, StoreError, queue::Sequence, store::EscrowStore,
};
use tokio_postgres::Row;

use super::rows::{self, get, number, optional_text, text};
use crate::postgres::PostgresStore;

const KEEP: &str = "SELECT mdm_keep($1, $2, $3, $4, $5)";

const OF: &str = "SELECT seq, holder, kind, at, source, value FROM mdm_escrow
     WHERE holder = $1 ORDER BY seq DESC LIMIT $2";

const OF_KIND: &str = "SELECT seq, holder, kind, at, source, value FROM mdm_escrow
     WHERE holder = $1 AND kind = $3 ORDER BY seq DESC LIMIT $2";

const PAGE: &str = "SELECT seq, holder, kind, at, source, value FROM mdm_escrow
     WHERE seq > $1 ORDER BY seq LIMIT $2";

#[async_trait]
impl EscrowStore for PostgresStore {
    async fn escrow(&self, entries: Vec<EscrowEntry>) -> Result<(), StoreError> {
        let columns = Entries::new(&entries);
        self.engine
            .rows(
                KEEP,
                &[
                    &columns.holders,
                    &columns.kinds,
                    &columns.ats,
                    &columns.sources,
                    &columns.values,
                ],
            )
            .await
            .map(drop)
    }

    async fn escrowed(
        &self,
        id: &EnrollmentId,
        kind: Option<&EscrowKind>,
        limit: usize,
    ) -> Result<Vec<EscrowEntry>, StoreError> {
        let (holder, limit) = (id.to_string(), number(limit));
        let found = match kind {
            None => self.engine.rows(OF, &[&holder, &limit]).await?,
            Some(kind) => {
                let kind = text(kind.as_str());
                self.engine.rows(OF_KIND, &[&holder, &limit, &kind]).await?
            }
        };
        found.iter().map(entry).collect()
    }

    async fn escrow_page(
        &self,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<(Sequence, EscrowEntry)>, StoreError> {
        let (after, limit) = (number(after.number()), number(limit));
        let found = self.engine.rows(PAGE, &[&after, &limit]).await?;
        let numbered = |row: &Row| Ok((rows::sequence(row, 0)?, entry(row)?));
        found.iter().map(numbered).collect()
    }
}

fn entry(row: &Row) -> Result<EscrowEntry, StoreError> {
    let kind = EscrowKind::from(get::<&str>(row, 2)?);
    let value = Secret::new(get(row, 5)?);
    let mut entry = EscrowEntry::new(rows::id(row, 1)?, kind, value, rows::time(row, 3)?);
    entry.source = get(row, 4)?;
    Ok(entry)
}

/// Entries as columns.
#[derive(Default)]
pub(super) struct Entries<'a> {
    pub(super) holders: Vec<String>,
    pub(super) kinds: Vec<Cow<'a, str>>,
    pub(super) ats: Vec<i64>,
    pub(super) sources: Vec<Option<Cow<'a, str>>>,
    pub(super) values: Vec<&'a [u8]>,
}

impl<'a> Entries<'a> {
    pub(super) fn new(entries: &'a [EscrowEntry]) -> Self {
        let mut columns = Self::default();
        for entry in entries {
            columns.holders.push(entry.device.to_string());
            columns.kinds.push(text(entry.kind.as_str()));
            columns.ats.push(entry.at.timestamp_micros());
            columns.sources.push(optional_text(entry.source.as_deref()));
            columns.values.push(entry.value.expose());
        }
        columns
    }
}
