//! Everything that is sealed, sealed anew under the newest key, while the server runs: step by step, so that it may be
//! killed and run again. Afterwards a former key can be taken out of the settings.

use std::{
    io::{self, Write},
    sync::Arc,
};

use mdm_sdk::service::{
    Sealed,
    store::{ResealStore, SealedKind, SealedRow},
};

use crate::{
    assignment,
    config::Config,
    database::Database,
    error::Error,
    vault::{self, Vault},
};

/// Values of one step. A command may have some megabytes.
const STEP: usize = 32;

/// Accounts that are listed together.
const PAGE: usize = 100;

/// How often everything is gone through, since what changes meanwhile is left for another time.
const PASSES: usize = 8;

/// What was found of one kind, in all passes.
#[derive(Debug, Default)]
struct Count {
    seen: usize,
    resealed: usize,
    left: usize,
    unopened: usize,
}

/// Seals anew what former keys have sealed, and tells what it did.
pub(crate) async fn reseal(config: &Config) -> Result<(), Error> {
    let database = Database::open(config).await?;
    let done = all(config, &database).await;
    database.close().await;
    done
}

async fn all(config: &Config, database: &Database) -> Result<(), Error> {
    let keys = vault::sealing_keys(&config.sealing)?;
    let newest = keys.current().id();
    tell(&format!("newest key: {newest}"))?;

    let vault = Vault::new(database.vault(), keys.clone());
    vault.take_over(&config.data).await?;
    let mut is_whole = true;
    let count = passes(async || {
        let mut count = Count::default();
        for name in vault.names().await? {
            count.seen += 1;
            count.resealed += usize::from(vault.reseal(&name).await?);
        }
        Ok(count)
    });
    is_whole &= count.await?.tell("the server's own")?;

    let accounts = assignment::Sealed::new(database.assignment(), keys.clone());
    let count = passes(async || {
        let part = Error::part("the accounts of device assignment");
        let (seen, resealed) = accounts.reseal(PAGE).await.map_err(part)?;
        Ok(Count {
            seen,
            resealed,
            ..Count::default()
        })
    });
    is_whole &= count.await?.tell("accounts of device assignment")?;

    let sealed = Sealed::new(database.sealed(), keys);
    for kind in SealedKind::ALL {
        let count = passes(async || of_kind(&sealed, kind).await).await?;
        is_whole &= count.tell(name(kind))?;
    }
    match is_whole {
        true => tell(&format!(
            "done: nothing is left that another key than {newest} has sealed"
        )),
        false => Err(Error::part("sealing anew")(
            "not everything is sealed by the newest key: keep the former ones",
        )),
    }
}

/// Goes through everything again until there is nothing left to do: a server that still seals with a former key is found out
/// by another pass. What the last of all passes has still found may not be the last.
async fn passes(pass: impl AsyncFn() -> Result<Count, Error>) -> Result<Count, Error> {
    let mut resealed = 0;
    let mut count = Count::default();
    for _ in 0..PASSES {
        count = pass().await?;
        resealed += count.resealed;
        if count.left == 0 && count.resealed == 0 {
            break;
        }
    }
    count.left = count.left.max(count.resealed);
    count.resealed = resealed;
    Ok(count)
}

/// Goes through all values of a kind.
async fn of_kind(sealed: &Sealed<Arc<dyn ResealStore>>, kind: SealedKind) -> Result<Count, Error> {
    let mut count = Count::default();
    let mut after = Some(SealedRow::START);
    while let Some(row) = after {
        let step = sealed.reseal(kind, row, STEP).await;
        let step = step.map_err(Error::part("the database"))?;
        count.seen += step.seen;
        count.resealed += step.resealed;
        count.left += step.left;
        count.unopened += step.unopened;
        after = step.next;
    }
    Ok(count)
}

impl Count {
    /// Tells it; whether nothing is left.
    fn tell(&self, what: &str) -> Result<bool, Error> {
        let Self {
            seen,
            resealed,
            left,
            unopened,
        } = self;
        let mut line = format!("{what}: {seen} looked at, {resealed} sealed anew");
        if *left > 0 {
            line += &format!(", {left} left, which change all the time");
        }
        if *unopened > 0 {
            line += &format!(", {unopened} that no key opens");
        }
        tell(&line)?;
        Ok(*left == 0 && *unopened == 0)
    }
}

fn name(kind: SealedKind) -> &'static str {
    match kind {
        SealedKind::UnlockToken => "unlock tokens",
        SealedKind::BootstrapToken => "bootstrap tokens",
        SealedKind::Escrow => "escrow",
        SealedKind::Command => "commands",
        SealedKind::CommandResult => "results",
    }
}

fn tell(line: &str) -> Result<(), Error> {
    writeln!(io::stdout(), "{line}").map_err(Error::part("standard output"))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// So many passes find something to seal anew.
    async fn counted(finding: usize) -> (Count, usize) {
        let passed = Cell::new(0);
        let count = passes(async || {
            passed.set(passed.get() + 1);
            Ok(Count {
                seen: 5,
                resealed: usize::from(passed.get() <= finding),
                ..Count::default()
            })
        });
        (count.await.unwrap(), passed.get())
    }

    #[tokio::test]
    async fn everything_is_gone_through_until_nothing_is_found() {
        for (finding, passed) in [(0, 1), (1, 2), (PASSES - 1, PASSES)] {
            let (count, done) = counted(finding).await;
            assert_eq!((count.seen, count.resealed, done), (5, finding, passed));
            assert!(count.tell("test").unwrap());
        }
    }

    #[tokio::test]
    async fn what_the_last_pass_has_found_may_not_be_the_last() {
        let (count, done) = counted(PASSES).await;
        assert_eq!((count.resealed, done), (PASSES, PASSES));
        assert!(!count.tell("test").unwrap());
    }
}
