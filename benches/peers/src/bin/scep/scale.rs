//! Whether a certificate costs the same however many are stored.

use chrono::{TimeDelta, Utc};
use mdm_pki::{CertificateBuilder, KeySpec, Name, PrivateKey};
use mdm_scep::{
    Store, TransactionId,
    store::{ChallengeId, ChallengeRecord, Grant, Issuance, RequestId},
};
use tempfile::TempDir;
use tokio::{runtime::Runtime, task::JoinSet};

use crate::{
    Failure,
    client::Devices,
    load,
    process::{Running, Side},
    serve,
};

const FEW: usize = 1_000;
const MANY: usize = 100_000;

/// How often each of the two stores is asked, and how many certificates each time.
const ROUNDS: usize = 9;
const REQUESTS: usize = 500;

/// How many times as much a certificate may cost with many stored.
const FLAT: f64 = 1.1;

/// Certificates on their way into a store at a time: they share transactions.
const AT_A_TIME: usize = 256;

pub(crate) fn scale() -> Result<bool, Failure> {
    let runtime = Runtime::new()?;
    let devices = Devices::new()?;
    let few = runtime.block_on(filled(&devices, FEW))?;
    let many = runtime.block_on(filled(&devices, MANY))?;
    let (mut ratios, mut costs, mut failed) = (Vec::new(), Vec::new(), 0);
    // The first round warms both up and counts for nothing.
    for round in 0..=ROUNDS {
        let mut each = |server: &Running| -> Result<f64, Failure> {
            let first = round * REQUESTS;
            let run = runtime.block_on(load::run(server, &devices, first, REQUESTS, 1))?;
            failed += run.failed;
            Ok(run.each)
        };
        // Who is first takes turns.
        let (few, many) = match round % 2 {
            0 => {
                let few = each(&few)?;
                (few, each(&many)?)
            }
            _ => {
                let many = each(&many)?;
                (each(&few)?, many)
            }
        };
        if round > 0 {
            ratios.push(many / few);
            costs.push((few, many));
        }
    }
    let ratio = median(&ratios);
    let met = ratio <= FLAT && failed == 0;
    let few = median(&costs.iter().map(|(few, _)| *few).collect::<Vec<_>>());
    let many = median(&costs.iter().map(|(_, many)| *many).collect::<Vec<_>>());
    println!(
        "scep with {FEW} stored (and {} more in the end): {few:.0} µs/certificate; with {MANY}: {many:.0}; \
         {failed} of {} requests without a certificate",
        (ROUNDS + 1) * REQUESTS,
        2 * (ROUNDS + 1) * REQUESTS
    );
    println!(
        "scep scale: a certificate takes {ratio:.3} times as much with {MANY} stored; bar {FLAT:.2} {}",
        if met { "met" } else { "MISSED" }
    );
    Ok(met)
}

/// Starts a server over a store of so many certificates, each with the challenge that it spent.
async fn filled(devices: &Devices, certificates: usize) -> Result<Running, Failure> {
    let folder = TempDir::new()?;
    serve::found(folder.path())?;
    let store = serve::store(folder.path()).await?;
    // The store does not look at signatures, and these are made faster than those of the authority.
    let key = PrivateKey::generate(KeySpec::P256)?;
    let now = Utc::now();
    let issuer = CertificateBuilder::new(Name::from_common_name("Former CA"), key.public_key())
        .validity(now, now + TimeDelta::days(365))
        .ca(None)
        .self_signed(&key)?;
    let holder = devices.key().public_key().clone();
    let mut tasks = JoinSet::new();
    for n in 0..certificates {
        if tasks.len() == AT_A_TIME {
            tasks.join_next().await.ok_or("no task")???;
        }
        let (store, issuer, key) = (store.clone(), issuer.clone(), key.clone());
        let holder = holder.clone();
        tasks.spawn(async move {
            let name = format!("former-{n:07}");
            let subject = Name::from_common_name(&name);
            let certificate = CertificateBuilder::new(subject, &holder)
                .validity(now, now + TimeDelta::days(365))
                .sign(&issuer, &key)?;
            let id = ChallengeId::of(&name)?;
            let record = ChallengeRecord::new(&name, now, now + TimeDelta::days(1));
            store.insert_challenge(id, record).await?;
            let request = RequestId::of(&TransactionId::new(&name)?, name.as_bytes())?;
            let grant = Grant::challenge(id, &name);
            store
                .commit(Issuance::new(certificate, grant, request, now))
                .await?;
            Ok::<_, Failure>(())
        });
    }
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    store.close().await;
    Running::start_in(Side::Ours, folder)
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
