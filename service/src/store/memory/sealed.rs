//! The server's own secrets, and what lies sealed, in memory.

use async_trait::async_trait;
use mdm_core::Secret;
use mdm_protocol::EnrollmentId;

use super::{MemoryStore, State};
use crate::{
    Body, Enrollment,
    queue::{CommandState, Sequence},
    store::{ResealStore, SealedKind, SealedRow, SealedValue, SecretName, StoreError, VaultStore},
};

#[async_trait]
impl VaultStore for MemoryStore {
    async fn secret(&self, name: &SecretName) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.state().vault.get(name).cloned())
    }

    async fn put_secret(&self, name: &SecretName, sealed: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        let mut state = self.state();
        Ok(state.vault.entry(name.clone()).or_insert(sealed).clone())
    }

    async fn replace_secret(
        &self,
        name: &SecretName,
        former: &[u8],
        sealed: Vec<u8>,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let found = state.vault.get_mut(name).filter(|it| *it == former);
        Ok(found.map(|found| *found = sealed).is_some())
    }

    async fn secret_names(
        &self,
        after: Option<&SecretName>,
        limit: usize,
    ) -> Result<Vec<SecretName>, StoreError> {
        let state = self.state();
        let names = state
            .vault
            .keys()
            .filter(|name| after.is_none_or(|it| it < *name));
        Ok(names.take(limit).cloned().collect())
    }
}

#[async_trait]
impl ResealStore for MemoryStore {
    async fn sealed_values(
        &self,
        kind: SealedKind,
        after: SealedRow,
        limit: usize,
    ) -> Result<Vec<SealedValue>, StoreError> {
        let state = self.state();
        let mut found: Vec<_> = match kind {
            SealedKind::UnlockToken | SealedKind::BootstrapToken => {
                let held = state.enrollments.values();
                let value = |(row, enrollment): (u64, &Enrollment)| {
                    let token = token_of(kind, enrollment)?.expose();
                    let id = enrollment.id.clone();
                    Some(SealedValue::new(at(row), id, "", token.clone()))
                };
                (1..).zip(held).filter_map(value).collect()
            }
            SealedKind::Escrow => (1..)
                .zip(&state.escrow)
                .map(|(row, entry)| {
                    let (id, name) = (entry.device.clone(), entry.kind.as_str());
                    SealedValue::new(at(row), id, name, entry.value.expose().clone())
                })
                .collect(),
            SealedKind::Command | SealedKind::CommandResult => {
                let value = |(row, record): (&Sequence, &crate::queue::CommandRecord)| {
                    let command = &record.command;
                    let body = match (&record.state, kind) {
                        (_, SealedKind::Command) => &command.body,
                        (CommandState::Settled { body, .. }, _) => body,
                        _ => return None,
                    };
                    let (id, name) = (command.enrollment.clone(), &command.command_uuid);
                    let row = at(row.number());
                    Some(SealedValue::new(row, id, name, body.as_ref().to_vec()))
                };
                state.commands.iter().filter_map(value).collect()
            }
        };
        found.retain(|value| value.row > after);
        found.truncate(limit);
        Ok(found)
    }

    async fn replace_sealed(
        &self,
        kind: SealedKind,
        changes: Vec<(SealedValue, Vec<u8>)>,
    ) -> Result<usize, StoreError> {
        let mut state = self.state();
        let replaced = changes
            .into_iter()
            .filter_map(|(former, sealed)| state.replace(kind, &former, sealed))
            .count();
        Ok(replaced)
    }
}

fn at(row: u64) -> SealedRow {
    SealedRow::new(row, 0)
}

fn token_of(kind: SealedKind, enrollment: &Enrollment) -> Option<&Secret<Vec<u8>>> {
    match kind {
        SealedKind::UnlockToken => enrollment.unlock_token.as_ref(),
        _ => enrollment.bootstrap_token.as_ref().map(|it| &it.token),
    }
}

impl State {
    fn replace(&mut self, kind: SealedKind, former: &SealedValue, sealed: Vec<u8>) -> Option<()> {
        let (row, _) = former.row.key();
        match kind {
            SealedKind::UnlockToken => {
                let token = self.held(&former.holder)?.unlock_token.as_mut();
                exchange(token?, former, sealed)
            }
            SealedKind::BootstrapToken => {
                let token = self.held(&former.holder)?.bootstrap_token.as_mut();
                exchange(&mut token?.token, former, sealed)
            }
            SealedKind::Escrow => {
                let entry = usize::try_from(row.checked_sub(1)?).ok()?;
                exchange(&mut self.escrow.get_mut(entry)?.value, former, sealed)
            }
            SealedKind::Command | SealedKind::CommandResult => {
                let record = self.commands.get_mut(&Sequence::new(row))?;
                let body = match (&mut record.state, kind) {
                    (_, SealedKind::Command) => &mut record.command.body,
                    (CommandState::Settled { body, .. }, _) => body,
                    _ => return None,
                };
                (body.as_ref() == former.sealed).then(|| *body = Body::from(sealed))
            }
        }
    }

    fn held(&mut self, id: &EnrollmentId) -> Option<&mut Enrollment> {
        self.enrollments.get_mut(id)
    }
}

fn exchange(secret: &mut Secret<Vec<u8>>, former: &SealedValue, sealed: Vec<u8>) -> Option<()> {
    (*secret.expose() == former.sealed).then(|| *secret = Secret::new(sealed))
}
