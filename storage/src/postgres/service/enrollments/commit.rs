//! A step of a check-in, as one call.

use std::borrow::Cow;

use mdm_core::{Secret, SerialNumber, StoreError};
use mdm_service::{
    Enrollment, EnrollmentId, Fingerprint,
    enrollment::decide::{Cascade, Step, Version},
    store::CommitError,
};

use crate::postgres::{
    engine::Engine,
    service::{
        escrow::Entries,
        rows::{self, Events, get, micros, number, optional_text, text},
    },
};

macro_rules! commit {
    () => {
        "SELECT outcome, full_pool FROM mdm_commit(
             $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
             $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36,
             $37, $38, $39, $40, $41, $42, $43, $44, $45, $46, $47)"
    };
}

const COMMIT: &str = commit!();

/// The same, and the device's erasures are cancelled that wait as the statement begins. Their deletion needs the outcome, so
/// the device's row is locked by then.
const COMMIT_AND_CANCEL_ERASURES: &str = concat!(
    "WITH done AS MATERIALIZED (",
    commit!(),
    "), gone AS (
         DELETE FROM mdm_queue q USING done, mdm_contact d, mdm_command c
         WHERE done.outcome = 'committed' AND d.id = $1 AND q.enrollment = d.key
             AND c.enrollment = q.enrollment AND c.seq = q.seq
             AND c.request_type = 'EraseDevice'
         RETURNING q.enrollment, q.seq
     ), cancelled AS (
         INSERT INTO mdm_result (enrollment, seq, at, expired)
         SELECT enrollment, seq, $4, false FROM gone
     )
     SELECT outcome, full_pool FROM done"
);

pub(super) async fn commit(
    engine: &Engine,
    id: &EnrollmentId,
    version: Version,
    step: &Step,
) -> Result<(), CommitError> {
    let mut states = States::default();
    for state in step.device.iter().chain(&step.user) {
        states.push(state)?;
    }
    let (statement, cascade): (_, i16) = match step.cascade {
        Cascade::None => (COMMIT, 0),
        Cascade::User => (COMMIT, 1),
        Cascade::Device => (COMMIT, 2),
        Cascade::Erasures => (COMMIT_AND_CANCEL_ERASURES, 0),
        other => return Err(rows::unknown(other).into()),
    };
    let claims = step.claims.iter().filter(|_| step.device.is_some());
    let (claims, limits): (Vec<_>, Vec<_>) = claims
        .map(|claim| (text(&claim.pool), number(claim.limit)))
        .unzip();
    let spend = step.invitation.as_ref();
    let secrets = Entries::new(&step.escrow);
    let events = Events::new(&step.events)?;
    let row = engine
        .one(
            statement,
            &[
                &id.of_device().to_string(),
                &id.to_string(),
                &number(version.number()),
                &step.at.timestamp_micros(),
                &cascade,
                &step.wakes,
                &step.device.is_some(),
                &states.ids,
                &states.statuses,
                &states.certificates,
                &states.pushables,
                &states.topics,
                &states.tokens,
                &states.magics,
                &states.tallies,
                &states.awaiting,
                &states.serial_numbers,
                &states.short_names,
                &states.owners,
                &states.licences,
                &states.reports,
                &states.invitations,
                &states.decisions,
                &states.authenticates,
                &states.authenticated_ats,
                &states.enrolled_ats,
                &states.disabled_ats,
                &states.seen_ats,
                &states.dead_ats,
                &states.unlock_tokens,
                &states.bootstrap_tokens,
                &states.bootstrap_certificates,
                &states.bootstrap_former,
                &states.holders,
                &states.pools,
                &claims,
                &limits,
                &spend.map(|spend| text(&spend.id)),
                &spend.map(|spend| spend.at.timestamp_micros()),
                &secrets.holders,
                &secrets.kinds,
                &secrets.ats,
                &secrets.sources,
                &secrets.values,
                &events.enrollments,
                &events.ats,
                &events.events,
            ],
        )
        .await?;
    match get(&row, 0)? {
        "committed" => Ok(()),
        "conflict" => Err(CommitError::Conflict),
        "invitation_spent" => Err(CommitError::InvitationSpent),
        "pool_full" => Err(CommitError::pool_full(get::<String>(&row, 1)?)),
        other => Err(rows::unknown(other).into()),
    }
}

/// Enrolments as columns, and the places that they have.
#[derive(Default)]
struct States<'a> {
    ids: Vec<String>,
    statuses: Vec<i16>,
    certificates: Vec<Option<&'a [u8]>>,
    pushables: Vec<bool>,
    topics: Vec<Option<&'a str>>,
    tokens: Vec<Option<&'a [u8]>>,
    magics: Vec<Option<&'a [u8]>>,
    tallies: Vec<i64>,
    awaiting: Vec<Option<bool>>,
    serial_numbers: Vec<Option<&'a str>>,
    short_names: Vec<Option<Cow<'a, str>>>,
    owners: Vec<Option<Cow<'a, str>>>,
    licences: Vec<String>,
    reports: Vec<Option<String>>,
    invitations: Vec<Option<Cow<'a, str>>>,
    decisions: Vec<Option<String>>,
    authenticates: Vec<Option<&'a [u8]>>,
    authenticated_ats: Vec<Option<i64>>,
    enrolled_ats: Vec<Option<i64>>,
    disabled_ats: Vec<Option<i64>>,
    seen_ats: Vec<Option<i64>>,
    dead_ats: Vec<Option<i64>>,
    unlock_tokens: Vec<Option<&'a [u8]>>,
    bootstrap_tokens: Vec<Option<&'a [u8]>>,
    bootstrap_certificates: Vec<Option<&'a [u8]>>,
    bootstrap_former: Vec<Option<bool>>,
    holders: Vec<String>,
    pools: Vec<Cow<'a, str>>,
}

impl<'a> States<'a> {
    fn push(&mut self, state: &'a Enrollment) -> Result<(), StoreError> {
        let id = state.id.to_string();
        for pool in &state.licences {
            self.holders.push(id.clone());
            self.pools.push(text(pool));
        }
        let licences: Vec<_> = state.licences.iter().map(|pool| text(pool)).collect();
        let digest = |certificate: &'a Fingerprint| certificate.as_bytes().as_slice();
        let push = state.push.as_ref();
        let bootstrap = state.bootstrap_token.as_ref();
        let authenticate = state.authenticate.as_ref();
        let serial_number = state.serial_number.as_ref();
        let unlock_token = state.unlock_token.as_ref().map(Secret::expose);
        self.ids.push(id);
        self.statuses.push(rows::status_number(state.status)?);
        self.certificates
            .push(state.certificate.as_ref().map(digest));
        self.pushables.push(state.is_pushable());
        self.topics.push(push.map(|push| push.topic.as_str()));
        self.tokens.push(push.map(|push| push.token.expose()));
        self.magics
            .push(push.map(|push| push.magic.expose().as_bytes()));
        self.tallies.push(number(state.token_update_tally));
        self.awaiting.push(state.awaiting_configuration);
        self.serial_numbers
            .push(serial_number.map(SerialNumber::as_str));
        self.short_names
            .push(optional_text(state.user_short_name.as_deref()));
        self.owners.push(optional_text(state.owner.as_deref()));
        self.licences.push(rows::json(&licences)?);
        self.reports
            .push(state.reported.as_ref().map(rows::jsonb).transpose()?);
        self.invitations
            .push(optional_text(state.invitation.as_deref()));
        self.decisions
            .push(state.decision.as_ref().map(rows::json).transpose()?);
        self.authenticates.push(authenticate.map(AsRef::as_ref));
        self.authenticated_ats.push(micros(state.authenticated_at));
        self.enrolled_ats.push(micros(state.enrolled_at));
        self.disabled_ats.push(micros(state.disabled_at));
        self.seen_ats.push(micros(state.last_seen_at));
        self.dead_ats.push(micros(state.push_dead_at));
        self.unlock_tokens.push(unlock_token.map(Vec::as_slice));
        self.bootstrap_tokens
            .push(bootstrap.map(|it| it.token.expose().as_slice()));
        self.bootstrap_certificates
            .push(bootstrap.map(|it| digest(&it.certificate)));
        self.bootstrap_former.push(bootstrap.map(|it| it.is_former));
        Ok(())
    }
}
