//! [`EnrollmentStore`] on PostgreSQL.

use async_trait::async_trait;
use mdm_service::{
    Enrollment, EnrollmentId, Fingerprint, PushTarget, StoreError,
    enrollment::decide::{Loaded, Step, Version},
    store::{CommitError, EnrollmentFilter, EnrollmentStore},
};
use tokio_postgres::types::ToSql;

use super::{
    pushes,
    rows::{self, enrollment_columns, get, number, text},
};
use crate::postgres::PostgresStore;

mod commit;

const FIND: &str = concat!(
    "SELECT ",
    enrollment_columns!(),
    " FROM mdm_contact c JOIN mdm_enrollment e ON e.contact = c.key WHERE c.id = $1"
);

/// The device, the user if there is one, and who has the certificate: all of one moment.
const LOAD: &str = concat!(
    "SELECT ",
    enrollment_columns!(),
    ", owner.id FROM (SELECT (
             SELECT o.id FROM mdm_certificate p JOIN mdm_contact o ON o.key = p.device
             WHERE p.sha256 = $2) AS id) owner
     LEFT JOIN (mdm_contact c JOIN mdm_enrollment e ON e.contact = c.key) ON c.id = ANY ($1)"
);

const PLACES: &str = "SELECT taken FROM mdm_pool WHERE name = $1";

const TARGETS: &str = "SELECT e.id, e.topic, e.push_token, e.push_magic
     FROM unnest($1::text[]) WITH ORDINALITY AS a (id, n)
     LEFT JOIN (mdm_contact c JOIN mdm_enrollment e ON e.contact = c.key AND c.pushable)
         ON c.id = a.id
     ORDER BY a.n";

#[async_trait]
impl EnrollmentStore for PostgresStore {
    async fn load(
        &self,
        id: &EnrollmentId,
        certificate: &Fingerprint,
    ) -> Result<Loaded, StoreError> {
        let device = id.of_device();
        let ids = [device.to_string(), id.to_string()];
        let certificate = certificate.as_bytes().as_slice();
        let found = self
            .engine
            .rows(LOAD, &[&ids.as_slice(), &certificate])
            .await?;
        let mut loaded = Loaded::new();
        for row in &found {
            let owner: Option<&str> = get(row, 26)?;
            loaded.certificate_owner = owner.map(|_| rows::id(row, 26)).transpose()?;
            if get::<Option<&str>>(row, 0)?.is_none() {
                continue;
            }
            let (enrollment, version) = rows::enrollment(row)?;
            if enrollment.id == device {
                loaded.version = version;
                loaded.device = Some(enrollment);
            } else {
                loaded.user = Some(enrollment);
            }
        }
        Ok(loaded)
    }

    async fn commit(
        &self,
        id: &EnrollmentId,
        version: Version,
        step: Step,
    ) -> Result<(), CommitError> {
        commit::commit(&self.engine, id, version, &step).await
    }

    async fn enrollment(&self, id: &EnrollmentId) -> Result<Option<Enrollment>, StoreError> {
        let found = self.engine.row(FIND, &[&id.to_string()]).await?;
        let found = found.as_ref().map(rows::enrollment).transpose()?;
        Ok(found.map(|(enrollment, _)| enrollment))
    }

    async fn enrollments(
        &self,
        filter: &EnrollmentFilter,
        after: Option<&EnrollmentId>,
        limit: usize,
    ) -> Result<Vec<Enrollment>, StoreError> {
        let (sql, values) = listing(filter, after, limit)?;
        let parameters: Vec<&(dyn ToSql + Sync)> =
            values.iter().map(|value| &**value as _).collect();
        let found = self.engine.rows(&sql, &parameters).await?;
        let enrollments = found.iter().map(rows::enrollment);
        enrollments.map(|found| Ok(found?.0)).collect()
    }

    async fn places_taken(&self, pool: &str) -> Result<u64, StoreError> {
        let found = self.engine.row(PLACES, &[&text(pool)]).await?;
        found.map_or(Ok(0), |row| rows::unsigned(&row, 0))
    }

    async fn push_targets(
        &self,
        ids: &[EnrollmentId],
    ) -> Result<Vec<Option<PushTarget>>, StoreError> {
        let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
        let found = self.engine.rows(TARGETS, &[&ids]).await?;
        found.iter().map(pushes::target).collect()
    }
}

/// A page of those that the filter takes, and the values that it is asked with. Whichever condition
/// narrows the most has an index in the order of ids.
fn listing(
    filter: &EnrollmentFilter,
    after: Option<&EnrollmentId>,
    limit: usize,
) -> Result<(String, Vec<Box<dyn ToSql + Send + Sync>>), StoreError> {
    let after = after.map(ToString::to_string).unwrap_or_default();
    let mut values: Vec<Box<dyn ToSql + Send + Sync>> =
        vec![Box::new(after), Box::new(number(limit))];
    let mut conditions = String::new();
    let mut condition = |sql: &str, value: Box<dyn ToSql + Send + Sync>| {
        values.push(value);
        conditions.push_str(" AND ");
        conditions.push_str(&sql.replace('?', &format!("${}", values.len())));
    };
    if let Some(status) = filter.status {
        condition("c.status = ?", Box::new(rows::status_number(status)?));
    }
    if let Some(device) = &filter.device {
        let of_device = "e.device = (SELECT key FROM mdm_contact WHERE id = ?)";
        condition(of_device, Box::new(device.of_device().to_string()));
    }
    if let Some(serial) = &filter.serial_number {
        condition("e.serial_number = ?", Box::new(serial.as_str().to_owned()));
    }
    if let Some(owner) = &filter.owner {
        condition("e.owner = ?", Box::new(text(owner).into_owned()));
    }
    let (from, order) = match &filter.licence {
        Some(pool) => {
            condition("p.pool = ?", Box::new(text(pool).into_owned()));
            (
                "mdm_place p JOIN mdm_contact c ON c.id = p.holder",
                "p.holder",
            )
        }
        None => ("mdm_contact c", "e.id"),
    };
    if filter.devices_only {
        conditions.push_str(" AND c.key = c.device");
    }
    let sql = format!(
        "SELECT {} FROM {from} JOIN mdm_enrollment e ON e.contact = c.key
         WHERE {order} > $1{conditions} ORDER BY {order} LIMIT $2",
        enrollment_columns!()
    );
    Ok((sql, values))
}
