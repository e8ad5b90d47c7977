//! What former keys have sealed, sealed anew.

use super::{Place, Sealed, failed};
use crate::store::{ResealStore, SealedKind, SealedRow, SealedValue, StoreError};

/// What one step of [`Sealed::reseal`] did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Resealed {
    /// Values that were looked at.
    pub seen: usize,
    /// Values that are sealed by the current key from now on.
    pub resealed: usize,
    /// Values that somebody else changed meanwhile, or was about to: another pass will find them done, or
    /// do them.
    pub left: usize,
    /// Values that none of the keys opens, or that lie where they do not belong.
    pub unopened: usize,
    /// Where to go on; `None` at the end.
    pub next: Option<SealedRow>,
}

impl<S: ResealStore> Sealed<S> {
    /// Seals anew what another key than the current one has sealed, among the next `limit` values of one kind.
    /// The store may be in use, by other processes too, and each step stands for itself: one that is cut off
    /// is done or not, and whoever begins again passes over what is done.
    ///
    /// A former key is needed no longer once every process seals with the current one and a pass over
    /// [every kind](SealedKind::ALL) has nothing resealed, left or unopened. What lies in a [`Vault`](crate::Vault)
    /// counts too.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed: then nothing of this step is done.
    pub async fn reseal(
        &self,
        kind: SealedKind,
        after: SealedRow,
        limit: usize,
    ) -> Result<Resealed, StoreError> {
        let values = self.store.sealed_values(kind, after, limit).await?;
        let mut done = Resealed {
            seen: values.len(),
            next: values.last().map(|last| last.row),
            ..Resealed::default()
        };
        let mut changes = Vec::new();
        for value in values {
            if !self.keys.is_outdated(&value.sealed) {
                continue;
            }
            let place = Place::of(kind, &value).to_string();
            match self.keys.open(&place, &value.sealed) {
                Ok(plain) => {
                    let sealed = self.keys.seal(&place, plain.expose()).map_err(failed)?;
                    changes.push((value, sealed));
                }
                Err(_) => done.unopened += 1,
            }
        }
        if !changes.is_empty() {
            let wanted = changes.len();
            done.resealed = self.store.replace_sealed(kind, changes).await?;
            done.left = wanted.saturating_sub(done.resealed);
        }
        Ok(done)
    }
}

impl<'a> Place<'a> {
    fn of(kind: SealedKind, value: &'a SealedValue) -> Self {
        let SealedValue { holder, name, .. } = value;
        match kind {
            SealedKind::UnlockToken => Self::UnlockToken(holder),
            SealedKind::BootstrapToken => Self::BootstrapToken(holder),
            SealedKind::Escrow => Self::Escrow(holder, name),
            SealedKind::Command => Self::Command(holder, name),
            SealedKind::CommandResult => Self::Result(holder, name),
        }
    }
}
