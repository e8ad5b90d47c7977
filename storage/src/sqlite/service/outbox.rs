//! [`Outbox`] on SQLite.

use async_trait::async_trait;
use mdm_service::{Event, StoreError, queue::Sequence, store::Outbox};
use rusqlite::{Connection, params, types::Type};

use super::rows;
use crate::sqlite::{SqliteStore, values};

pub(super) const AFTER: &str =
    "SELECT seq, enrollment, at, event FROM outbox WHERE seq > ?1 ORDER BY seq LIMIT ?2";

const WRITE: &str = "INSERT INTO outbox (enrollment, at, event) VALUES (?1, ?2, ?3)";

pub(super) const ACKNOWLEDGE: &str = "DELETE FROM outbox WHERE seq <= ?1";

#[async_trait]
impl Outbox for SqliteStore {
    async fn events(
        &self,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<(Sequence, Event)>, StoreError> {
        self.engine
            .read(move |connection| {
                connection
                    .prepare_cached(AFTER)?
                    .query_map(
                        params![values::number(after.number()), values::limit(limit)],
                        |row| {
                            let kind = serde_json::from_str(row.get_ref(3)?.as_str()?)
                                .map_err(|error| values::unreadable(3, Type::Text, error))?;
                            let event = Event::new(rows::id(row, 1)?, rows::time(row, 2)?, kind);
                            Ok((rows::sequence(row, 0)?, event))
                        },
                    )?
                    .collect()
            })
            .await
    }

    async fn acknowledge_events(&self, through: Sequence) -> Result<(), StoreError> {
        self.engine
            .write(move |connection| {
                connection
                    .prepare_cached(ACKNOWLEDGE)?
                    .execute([values::number(through.number())])?;
                Ok(())
            })
            .await
    }
}

/// Puts an event into the outbox, in the transaction of what it tells.
pub(super) fn write(connection: &Connection, event: &Event) -> rusqlite::Result<()> {
    let kind = serde_json::to_string(&event.kind)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    connection.prepare_cached(WRITE)?.execute(params![
        event.enrollment.to_string(),
        event.at.timestamp_micros(),
        kind
    ])?;
    Ok(())
}
