//! [`ResealStore`] on PostgreSQL. Rows that somebody else has locked are left for another pass, so that nobody waits
//! for whom they keep waiting.

use async_trait::async_trait;
use mdm_service::{
    StoreError,
    store::{ResealStore, SealedKind, SealedRow, SealedValue},
};
use tokio_postgres::Row;

use super::rows::{self, get, number, unsigned};
use crate::postgres::{PostgresStore, engine::Parameters};

const UNLOCK_TOKENS: &str =
    "SELECT contact, 0::bigint, id, ''::text, unlock_token FROM mdm_enrollment
     WHERE contact > $1 AND unlock_token IS NOT NULL ORDER BY contact LIMIT $2";

const BOOTSTRAP_TOKENS: &str = "SELECT contact, 0::bigint, id, ''::text, bootstrap_token
     FROM mdm_enrollment
     WHERE contact > $1 AND bootstrap_token IS NOT NULL ORDER BY contact LIMIT $2";

const ESCROW: &str = "SELECT seq, 0::bigint, holder, kind, value FROM mdm_escrow
     WHERE seq > $1 ORDER BY seq LIMIT $2";

const COMMANDS: &str = "SELECT c.enrollment, c.seq, m.id, c.uuid, c.body
     FROM mdm_command c JOIN mdm_contact m ON m.key = c.enrollment
     WHERE (c.enrollment, c.seq) > ($1, $3) ORDER BY c.enrollment, c.seq LIMIT $2";

const RESULTS: &str = "SELECT r.enrollment, r.seq, m.id, c.uuid, r.body
     FROM mdm_result r JOIN mdm_command c ON c.enrollment = r.enrollment AND c.seq = r.seq
     JOIN mdm_contact m ON m.key = r.enrollment
     WHERE (r.enrollment, r.seq) > ($1, $3) AND r.body IS NOT NULL
     ORDER BY r.enrollment, r.seq LIMIT $2";

/// Whatever is done to an enrolment is done under the lock on its contact.
const REPLACE_UNLOCK_TOKENS: &str = "WITH mine AS (
         SELECT m.key, n.former, n.sealed
         FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bytea[]) n (key, seq, former, sealed)
         JOIN mdm_contact m ON m.key = n.key ORDER BY m.key FOR UPDATE OF m SKIP LOCKED)
     UPDATE mdm_enrollment e SET unlock_token = mine.sealed FROM mine
     WHERE e.contact = mine.key AND e.unlock_token = mine.former RETURNING e.contact";

const REPLACE_BOOTSTRAP_TOKENS: &str = "WITH mine AS (
         SELECT m.key, n.former, n.sealed
         FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bytea[]) n (key, seq, former, sealed)
         JOIN mdm_contact m ON m.key = n.key ORDER BY m.key FOR UPDATE OF m SKIP LOCKED)
     UPDATE mdm_enrollment e SET bootstrap_token = mine.sealed FROM mine
     WHERE e.contact = mine.key AND e.bootstrap_token = mine.former RETURNING e.contact";

const REPLACE_ESCROW: &str = "WITH mine AS (
         SELECT t.seq, n.former, n.sealed
         FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bytea[]) n (key, seq, former, sealed)
         JOIN mdm_escrow t ON t.seq = n.key ORDER BY t.seq FOR UPDATE OF t SKIP LOCKED)
     UPDATE mdm_escrow t SET value = mine.sealed FROM mine
     WHERE t.seq = mine.seq AND t.value = mine.former RETURNING t.seq";

const REPLACE_COMMANDS: &str = "WITH mine AS (
         SELECT t.enrollment, t.seq, n.former, n.sealed
         FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bytea[]) n (key, seq, former, sealed)
         JOIN mdm_command t ON t.enrollment = n.key AND t.seq = n.seq
         ORDER BY t.enrollment, t.seq FOR UPDATE OF t SKIP LOCKED)
     UPDATE mdm_command t SET body = mine.sealed FROM mine
     WHERE t.enrollment = mine.enrollment AND t.seq = mine.seq AND t.body = mine.former
     RETURNING t.seq";

const REPLACE_RESULTS: &str = "WITH mine AS (
         SELECT t.enrollment, t.seq, n.former, n.sealed
         FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bytea[]) n (key, seq, former, sealed)
         JOIN mdm_result t ON t.enrollment = n.key AND t.seq = n.seq
         ORDER BY t.enrollment, t.seq FOR UPDATE OF t SKIP LOCKED)
     UPDATE mdm_result t SET body = mine.sealed FROM mine
     WHERE t.enrollment = mine.enrollment AND t.seq = mine.seq AND t.body = mine.former
     RETURNING t.seq";

#[async_trait]
impl ResealStore for PostgresStore {
    async fn sealed_values(
        &self,
        kind: SealedKind,
        after: SealedRow,
        limit: usize,
    ) -> Result<Vec<SealedValue>, StoreError> {
        let (first, second) = after.key();
        let (first, second, limit) = (number(first), number(second), number(limit));
        let one: Parameters<'_> = &[&first, &limit];
        let two: Parameters<'_> = &[&first, &limit, &second];
        let (page, after) = match kind {
            SealedKind::UnlockToken => (UNLOCK_TOKENS, one),
            SealedKind::BootstrapToken => (BOOTSTRAP_TOKENS, one),
            SealedKind::Escrow => (ESCROW, one),
            SealedKind::Command => (COMMANDS, two),
            SealedKind::CommandResult => (RESULTS, two),
        };
        let found = self.engine.rows(page, after).await?;
        found.iter().map(value).collect()
    }

    async fn replace_sealed(
        &self,
        kind: SealedKind,
        changes: Vec<(SealedValue, Vec<u8>)>,
    ) -> Result<usize, StoreError> {
        let replace = match kind {
            SealedKind::UnlockToken => REPLACE_UNLOCK_TOKENS,
            SealedKind::BootstrapToken => REPLACE_BOOTSTRAP_TOKENS,
            SealedKind::Escrow => REPLACE_ESCROW,
            SealedKind::Command => REPLACE_COMMANDS,
            SealedKind::CommandResult => REPLACE_RESULTS,
        };
        let mut columns = Columns::default();
        for (former, sealed) in &changes {
            columns.push(former, sealed);
        }
        let Columns {
            keys,
            sequences,
            former,
            sealed,
        } = &columns;
        let replaced = self
            .engine
            .rows(replace, &[keys, sequences, former, sealed])
            .await?;
        Ok(replaced.len())
    }
}

#[derive(Default)]
struct Columns<'a> {
    keys: Vec<i64>,
    sequences: Vec<i64>,
    former: Vec<&'a [u8]>,
    sealed: Vec<&'a [u8]>,
}

impl<'a> Columns<'a> {
    fn push(&mut self, former: &'a SealedValue, sealed: &'a [u8]) {
        let (first, second) = former.row.key();
        self.keys.push(number(first));
        self.sequences.push(number(second));
        self.former.push(&former.sealed);
        self.sealed.push(sealed);
    }
}

fn value(row: &Row) -> Result<SealedValue, StoreError> {
    let at = SealedRow::new(unsigned(row, 0)?, unsigned(row, 1)?);
    let (holder, name) = (rows::id(row, 2)?, get::<&str>(row, 3)?);
    Ok(SealedValue::new(at, holder, name, get::<&[u8]>(row, 4)?))
}
