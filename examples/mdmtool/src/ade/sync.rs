//! `sync`: keeps a store in step with Apple, once or for as long as nobody interrupts it.

mod changes;
mod report;
mod watch;

use std::{future::Future, path::PathBuf, pin::pin, sync::Arc, time::Duration};

use ade_client::{
    AdeService, Error, Policy, Refusal, ServerToken,
    progress::Progress,
    record::AccountId,
    service::{Installing, WorkReport},
    store::Layered,
    sync::{RoundEnd, RoundKind},
};
use chrono::Utc;
use clap::Args;
use indicatif::{HumanCount, HumanDuration, ProgressBar};
use mdm_core::{Clock, SystemClock};
use mdm_storage::sqlite::SqliteStore;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use self::{changes::Change, report::Report, watch::Watch};
use super::{
    Done,
    console::Console,
    failure::Failure,
    online::{Server, USER_AGENT},
    token,
};
use crate::{interval::Interval, runtime::interrupted};

/// However much there is to do, Apple is not asked more often.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(super) struct Sync {
    /// The file that remembers devices and where the sync stands; made if it is not there. It holds the
    /// token, and is its owner's alone.
    #[arg(long, value_name = "FILE")]
    store: PathBuf,
    /// The account in the store, where it keeps several.
    #[arg(long, value_name = "NAME", default_value = "default")]
    account: String,
    /// The server token: as downloaded, then with --key, or its JSON. Needed the first time, and for a
    /// renewed one.
    #[arg(long, value_name = "FILE")]
    token: Option<PathBuf>,
    /// The private key whose certificate was uploaded.
    #[arg(long, value_name = "FILE", requires = "token")]
    key: Option<PathBuf>,
    /// Take a token of another server, or with another consumer key, than the store's.
    #[arg(long, requires = "token")]
    force: bool,
    #[command(flatten)]
    server: Server,
    /// Fetch all devices anew; what changed since the last time is enough as a rule.
    #[arg(long)]
    full: bool,
    /// Go on until interrupted, as often as the intervals say; with --json one document a line.
    #[arg(long)]
    watch: bool,
    /// The time between two full fetches, such as 7d; one asked for earlier asks what changed.
    #[arg(long, value_name = "TIME", default_value_t = Interval(Policy::default().full_every))]
    full_every: Interval,
    /// The time between two questions what changed, while watching.
    #[arg(long, value_name = "TIME", default_value_t = Interval(Policy::default().delta_every))]
    delta_every: Interval,
    /// The time between two syncs that are asked for.
    #[arg(long, value_name = "TIME", default_value_t = Interval(Policy::default().manual_every))]
    manual_every: Interval,
}

/// What one command works with.
struct Work<'a> {
    service: AdeService,
    store: Arc<Layered<SqliteStore, Watch>>,
    account: AccountId,
    changes: UnboundedReceiver<Change>,
    bar: ProgressBar,
    console: &'a mut Console,
}

/// How a part of the work ended.
enum Ended<T> {
    Done(T),
    Interrupted,
}

impl Sync {
    pub(super) async fn run(self, console: &mut Console) -> Done {
        let account = AccountId::new(self.account.as_str())
            .map_err(|error| Failure::input(error.to_string(), "give --account another name"))?;
        let given = self
            .token
            .as_deref()
            .map(|file| token::read(file, self.key.as_deref()));
        let given = given.transpose()?;
        let transport = self.server.transport()?;
        let sqlite = SqliteStore::open(&self.store).await.map_err(Error::Store)?;
        let (sender, changes) = unbounded_channel();
        let store = Arc::new(Layered::new(sqlite.clone(), Watch::new(sender)));
        let bar = console.progress("devices");
        let seen = bar.clone();
        let service = AdeService::builder(
            Arc::clone(&store),
            transport,
            Arc::new(SystemClock),
            USER_AGENT,
        )
        .base_url(&self.server.url)
        .policy(self.policy())
        // Of two on one store, the later one takes over, and the steps of the former are refused.
        .node("mdmtool")
        .observer(move |_: &AccountId, progress: &Progress| show(&seen, progress))
        .build();
        let mut work = Work {
            service,
            store,
            account,
            changes,
            bar,
            console,
        };
        let done = self.work(&mut work, given).await;
        drop(work);
        sqlite.close().await;
        done
    }

    fn policy(&self) -> Policy {
        Policy::default().with(|policy| {
            policy.full_every = self.full_every.0;
            policy.delta_every = self.delta_every.0;
            policy.manual_every = self.manual_every.0;
        })
    }

    async fn work(&self, work: &mut Work<'_>, given: Option<ServerToken>) -> Done {
        work.link(given, self.force).await?;
        let mut interrupted = pin!(interrupted());
        if self.watch {
            return work.watch(self.full, interrupted).await;
        }
        match work.once(self.full, interrupted.as_mut()).await? {
            Ended::Done(report) => report.tell(work.console),
            Ended::Interrupted => Err(Failure::Interrupted),
        }
    }
}

impl Work<'_> {
    /// Puts the token into the store, where it is another than the one that is there.
    async fn link(&self, given: Option<ServerToken>, force: bool) -> Done {
        let known = match self.service.add_account(&self.account).await {
            Err(Error::Refused(Refusal::AccountExists(_))) => {
                self.service.account(&self.account).await?
            }
            added => added?,
        };
        let used = known.credentials.map(|credentials| credentials.token);
        let Some(token) = given.filter(|given| used.as_ref() != Some(given)) else {
            return Ok(());
        };
        let installing = match force {
            true => Installing::Force,
            false => Installing::SameServer,
        };
        let json = serde_json::to_vec(&token).map_err(mdmtool::Error::from)?;
        self.service
            .install_token_json(&self.account, &json, installing)
            .await?;
        Ok(())
    }

    /// Does what is due, or where nothing is, what was asked for; and goes on as long as only the time of
    /// a round was over.
    async fn once(
        &mut self,
        full: bool,
        mut interrupted: impl Future<Output = ()> + Unpin,
    ) -> Result<Ended<Report>, Failure> {
        let service = self.service.clone();
        let account = self.account.clone();
        let mut told = Report::new();
        let first = async {
            if full {
                return service.sync(&account, RoundKind::Full).await;
            }
            let done = service.work(&account).await?;
            if done.sync.is_some() || done.error.is_some() {
                return Ok(done);
            }
            service.sync(&account, RoundKind::Delta).await
        };
        let Ended::Done(mut done) = self.follow(first, &mut interrupted, &mut told).await? else {
            return Ok(Ended::Interrupted);
        };
        while is_paused(&done) {
            told.add(&done);
            let next = service.work(&account);
            match self.follow(next, &mut interrupted, &mut told).await? {
                Ended::Done(report) => done = report,
                Ended::Interrupted => return Ok(Ended::Interrupted),
            }
        }
        told.add(&done);
        told.warnings = service.warnings(&account).await?;
        if full && told.kind() == Some(RoundKind::Delta) {
            self.console.note(
                "the last full fetch is too recent, so only what changed was asked for; --full-every \
                 says how long it counts",
            );
        }
        Ok(Ended::Done(told))
    }

    /// Does what is due, tells it, waits until something is due again.
    async fn watch(
        &mut self,
        full: bool,
        mut interrupted: impl Future<Output = ()> + Unpin,
    ) -> Done {
        let service = self.service.clone();
        let account = self.account.clone();
        let mut ask = full;
        loop {
            let mut told = Report::new();
            let asked = std::mem::take(&mut ask);
            let pass = async {
                match asked {
                    true => service.sync(&account, RoundKind::Full).await,
                    false => service.work(&account).await,
                }
            };
            let next = match self.follow(pass, &mut interrupted, &mut told).await {
                Ok(Ended::Interrupted) => return Ok(()),
                Ok(Ended::Done(done)) => {
                    told.add(&done);
                    told.warnings = service.warnings(&account).await?;
                    if let Err(failure) = told.tell_one_of_many(self.console) {
                        failure.tell(self.console.is_json());
                    }
                    done.next
                }
                // Another program is at it; by the time it is done, this one may go on.
                Err(Failure::Ade(Error::Refused(Refusal::UnderWay { until, .. }))) => Some(until),
                Err(Failure::Ade(Error::Refused(Refusal::TooSoon { .. }))) => Some(Utc::now()),
                Err(failure) => return Err(failure),
            };
            self.console.flush()?;
            let wait = next.map_or(service.policy().look_every, |next| {
                (next - Utc::now()).to_std().unwrap_or_default()
            });
            let wait = wait.clamp(SHORTEST_WAIT, service.policy().look_every);
            tokio::select! {
                () = SystemClock.sleep(wait) => {}
                () = &mut interrupted => return Ok(()),
            }
        }
    }

    /// Tells the changes of the work while it is done. An interruption ends it behind the step that
    /// runs.
    async fn follow(
        &mut self,
        work: impl Future<Output = Result<WorkReport, Error>>,
        interrupted: &mut (impl Future<Output = ()> + Unpin),
        told: &mut Report,
    ) -> Result<Ended<WorkReport>, Failure> {
        let mut work = pin!(work);
        self.bar.reset();
        let ended = loop {
            tokio::select! {
                biased;
                Some(change) = self.changes.recv() => {
                    told.change(change, self.console)?;
                    self.tell_waiting(told)?;
                }
                done = &mut work => break Ended::Done(done?),
                () = &mut *interrupted => break Ended::Interrupted,
            }
        };
        if matches!(ended, Ended::Interrupted) {
            tokio::select! {
                biased;
                _ = self.store.layer().idle() => {}
                _ = &mut work => {}
            }
        }
        self.tell_waiting(told)?;
        self.bar.finish_and_clear();
        Ok(ended)
    }

    /// Tells what the steps so far have changed: once it is written, it is told no other time.
    fn tell_waiting(&mut self, told: &mut Report) -> Done {
        while let Ok(change) = self.changes.try_recv() {
            told.change(change, self.console)?;
        }
        self.console.flush()
    }
}

fn is_paused(report: &WorkReport) -> bool {
    let end = report.sync.as_ref().map(|sync| sync.end);
    end == Some(RoundEnd::Paused) && report.error.is_none()
}

/// How far it is, and how long it may take.
fn show(bar: &ProgressBar, progress: &Progress) {
    let mut text = "devices".to_owned();
    if let Some(expected) = progress.expected {
        text = format!("of {} {text}", HumanCount(expected));
    }
    if let Some(remaining) = progress.remaining {
        text = format!("{text}, about {} left", HumanDuration(remaining));
    }
    bar.set_message(text);
    bar.set_position(progress.devices);
}
