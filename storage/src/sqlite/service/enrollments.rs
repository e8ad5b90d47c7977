//! [`EnrollmentStore`] on SQLite.

use async_trait::async_trait;
use mdm_service::{
    Enrollment, EnrollmentId, Fingerprint, PushTarget, StoreError,
    enrollment::decide::{Loaded, Step, Version},
    store::{CommitError, EnrollmentFilter, EnrollmentStore},
};
use rusqlite::{Connection, OptionalExtension, params, params_from_iter, types::Value};

use super::{
    places,
    rows::{self, ENROLLED, enrollment_columns},
};
use crate::sqlite::{SqliteStore, values};

mod commit;

pub(super) use commit::*;

pub(super) const FIND: &str = concat!(
    "SELECT ",
    enrollment_columns!(),
    " FROM enrollments LEFT JOIN contact ON contact.enrollment = enrollments.key WHERE id = ?1"
);

pub(super) const OWNER: &str =
    "SELECT e.id FROM certificates c JOIN enrollments e ON e.key = c.device
     WHERE c.sha256 = ?1";

pub(super) const PUSH_TARGET: &str = "SELECT topic, push_token, push_magic
     FROM enrollments LEFT JOIN contact ON contact.enrollment = enrollments.key
     WHERE id = ?1 AND status = ?2 AND push_dead_at IS NULL";

#[async_trait]
impl EnrollmentStore for SqliteStore {
    async fn load(
        &self,
        id: &EnrollmentId,
        certificate: &Fingerprint,
    ) -> Result<Loaded, StoreError> {
        let (id, certificate) = (id.clone(), *certificate);
        self.engine
            .read(move |connection| {
                let device = id.of_device();
                let found = find(connection, &device)?;
                let user = if id == device {
                    None
                } else {
                    find(connection, &id)?.map(|(user, _)| user)
                };
                let owner = connection
                    .prepare_cached(OWNER)?
                    .query_row([certificate.as_bytes()], |row| rows::id(row, 0))
                    .optional()?;
                Ok(Loaded::new().with(|loaded| {
                    loaded.version = found.as_ref().map_or(Version::UNSEEN, |found| found.1);
                    loaded.device = found.map(|found| found.0);
                    loaded.user = user;
                    loaded.certificate_owner = owner;
                }))
            })
            .await
    }

    async fn commit(
        &self,
        id: &EnrollmentId,
        version: Version,
        step: Step,
    ) -> Result<(), CommitError> {
        let id = id.clone();
        self.engine
            .write(move |connection| commit(connection, &id, version, &step))
            .await?
    }

    async fn enrollment(&self, id: &EnrollmentId) -> Result<Option<Enrollment>, StoreError> {
        let id = id.clone();
        self.engine
            .read(move |connection| Ok(find(connection, &id)?.map(|(found, _)| found)))
            .await
    }

    async fn enrollments(
        &self,
        filter: &EnrollmentFilter,
        after: Option<&EnrollmentId>,
        limit: usize,
    ) -> Result<Vec<Enrollment>, StoreError> {
        let (sql, values) = listing(filter, after, limit);
        self.engine
            .read(move |connection| {
                connection
                    .prepare_cached(&sql)?
                    .query_map(params_from_iter(values), |row| Ok(rows::enrollment(row)?.0))?
                    .collect()
            })
            .await
    }

    async fn places_taken(&self, pool: &str) -> Result<u64, StoreError> {
        let pool = pool.to_owned();
        self.engine
            .read(move |connection| places::taken(connection, &pool))
            .await
    }

    async fn push_targets(
        &self,
        ids: &[EnrollmentId],
    ) -> Result<Vec<Option<PushTarget>>, StoreError> {
        let ids = ids.to_vec();
        self.engine
            .read(move |connection| {
                let mut statement = connection.prepare_cached(PUSH_TARGET)?;
                ids.into_iter()
                    .map(|id| {
                        let push = statement
                            .query_row(params![id.to_string(), ENROLLED], |row| rows::push(row, 0))
                            .optional()?
                            .flatten();
                        Ok(
                            push.map(|push| {
                                PushTarget::new(id, push.topic, push.token, push.magic)
                            }),
                        )
                    })
                    .collect()
            })
            .await
    }
}

fn find(
    connection: &Connection,
    id: &EnrollmentId,
) -> rusqlite::Result<Option<(Enrollment, Version)>> {
    connection
        .prepare_cached(FIND)?
        .query_row([id.to_string()], rows::enrollment)
        .optional()
}

/// A page of those that the filter takes, and the values that it is asked with. Whichever condition
/// narrows the most has an index in the order of ids.
pub(super) fn listing(
    filter: &EnrollmentFilter,
    after: Option<&EnrollmentId>,
    limit: usize,
) -> (String, Vec<Value>) {
    let mut values = vec![
        Value::from(after.map(ToString::to_string).unwrap_or_default()),
        Value::from(values::limit(limit)),
    ];
    let mut conditions = String::new();
    let mut condition = |sql: &str, value: Value| {
        values.push(value);
        conditions.push_str(" AND ");
        conditions.push_str(&sql.replace("?", &format!("?{}", values.len())));
    };
    if let Some(status) = filter.status {
        condition("status = ?", Value::from(rows::status_number(status)));
    }
    if let Some(device) = &filter.device {
        let id = device.of_device().to_string();
        condition(
            "device = (SELECT key FROM enrollments WHERE id = ?)",
            Value::from(id),
        );
    }
    if let Some(serial) = &filter.serial_number {
        condition("serial_number = ?", Value::from(serial.as_str().to_owned()));
    }
    if let Some(owner) = &filter.owner {
        condition("owner = ?", Value::from(owner.clone()));
    }
    let (from, order) = match &filter.licence {
        Some(pool) => {
            condition("pool = ?", Value::from(pool.clone()));
            (
                "places CROSS JOIN enrollments ON enrollments.id = places.holder",
                "places.holder",
            )
        }
        None => ("enrollments", "id"),
    };
    let devices_only = if filter.devices_only {
        " AND key = device"
    } else {
        ""
    };
    let columns = enrollment_columns!();
    let sql = format!(
        "SELECT {columns} FROM {from} LEFT JOIN contact ON contact.enrollment = enrollments.key
         WHERE {order} > ?1{conditions}{devices_only} ORDER BY {order} LIMIT ?2"
    );
    (sql, values)
}
