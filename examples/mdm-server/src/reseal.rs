//! Everything that is sealed, sealed anew under the newest key, while the server runs: step by step, so that it may be
//! killed and run again. Afterwards a former key can be taken out of the settings.

use std::io::{self, Write};

use mdm_sdk::service::{
    Sealed,
    store::{SealedKind, SealedRow},
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
    let mut count = Count::default();
    for name in vault.names().await? {
        count.seen += 1;
        count.resealed += usize::from(vault.reseal(&name).await?);
    }
    count.tell("the server's own")?;

    let accounts = assignment::Sealed::new(database.assignment(), keys.clone());
    let mut count = Count::default();
    let part = Error::part("the accounts of device assignment");
    let resealed = accounts.reseal(PAGE).await.map_err(part)?;
    (count.seen, count.resealed) = resealed;
    count.tell("accounts of device assignment")?;

    let sealed = Sealed::new(database.sealed(), keys);
    let mut is_whole = true;
    for kind in SealedKind::ALL {
        let count = of_kind(&sealed, kind).await?;
        count.tell(name(kind))?;
        is_whole &= count.left == 0 && count.unopened == 0;
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

/// Goes through all values of a kind until nothing is left behind.
async fn of_kind(
    sealed: &Sealed<std::sync::Arc<dyn mdm_sdk::service::store::ResealStore>>,
    kind: SealedKind,
) -> Result<Count, Error> {
    let mut count = Count::default();
    for _ in 0..PASSES {
        (count.seen, count.left, count.unopened) = (0, 0, 0);
        let mut resealed = 0;
        let mut after = Some(SealedRow::START);
        while let Some(row) = after {
            let step = sealed.reseal(kind, row, STEP).await;
            let step = step.map_err(Error::part("the database"))?;
            count.seen += step.seen;
            count.left += step.left;
            count.unopened += step.unopened;
            resealed += step.resealed;
            after = step.next;
        }
        count.resealed += resealed;
        // A server that still seals with a former key is found out by another pass.
        if count.left == 0 && resealed == 0 {
            break;
        }
    }
    Ok(count)
}

impl Count {
    fn tell(&self, what: &str) -> Result<(), Error> {
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
        tell(&line)
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
