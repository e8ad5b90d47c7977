//! One run: some days of an account, with what goes wrong in them, and some days of rest.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use ade_client::{AdeService, AdeStore};
use chrono::{DateTime, TimeDelta, Utc};
use mdm_core::Clock;
use mdm_fake_apple::ade::{Config, Trigger};

use super::{
    check, drive, faults, victim,
    world::{Chance, World},
};

/// What a run is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// Nothing goes wrong.
    Calm,
    /// The program stops at this point of a calm run, and starts again.
    Stop { step: usize },
    /// This fault happens at this request of a calm run.
    Fault { kind: usize, request: u64 },
    /// Several faults and stops, and a service with habits of its own.
    Random,
    /// The program is a process that is killed.
    Killed,
}

impl Sort {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Calm => "nothing goes wrong",
            Self::Stop { .. } => "stopped at each step in turn",
            Self::Fault { .. } => "faults at each request in turn",
            Self::Random => "faults and stops by chance",
            Self::Killed => "processes killed, faults by chance",
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) number: u64,
    pub(super) sort: Sort,
    pub(super) devices: usize,
    pub(super) page: usize,
}

#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) requests: usize,
    pub(super) steps: usize,
    pub(super) stopped: usize,
    pub(super) killed: usize,
    pub(super) fired: BTreeMap<&'static str, u64>,
}

/// How many times devices change, and how long it takes.
const PHASES: usize = 3;

pub(super) fn run(plan: &Plan) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(Run::whole(plan))
}

struct Run<'a> {
    plan: &'a Plan,
    chance: Chance,
    world: World,
    store: Arc<dyn AdeStore>,
    service: AdeService,
    outcome: Outcome,
    seconds: BTreeSet<String>,
    /// How late Apple tells of a change.
    lag: Duration,
    /// How many faults have happened when it was last looked.
    looked: usize,
}

impl<'a> Run<'a> {
    async fn whole(plan: &'a Plan) -> Outcome {
        // Runs in turn are the same but for what goes wrong.
        let seed = match plan.sort {
            Sort::Random | Sort::Killed => plan.number,
            _ => 0,
        };
        let mut chance = Chance::new(seed);
        let in_file =
            plan.sort == Sort::Killed || (plan.sort != Sort::Calm && plan.number.is_multiple_of(2));
        let mut lag = Duration::ZERO;
        let world = World::new(seed, plan.devices, in_file, |config| {
            config.page_maximum = plan.page;
            config.kept_exchanges = 0;
            match plan.sort {
                Sort::Random => {
                    habits(config, &mut chance);
                    lag = config.sync_lag;
                }
                // Its clock is its own.
                Sort::Killed => {
                    config.timestamp_tolerance = Duration::from_secs(30 * 86_400);
                    config.kept_exchanges = 100_000;
                    config.keep_serials = true;
                }
                _ => {}
            }
        })
        .await;
        let store = world.open().await;
        let service = world.service(&store);
        world.sent.lock().unwrap().clear();
        let mut run = Self {
            plan,
            chance,
            world,
            store,
            service,
            outcome: Outcome::default(),
            seconds: BTreeSet::new(),
            lag,
            looked: 0,
        };
        run.all().await;
        run.outcome
    }

    async fn all(&mut self) {
        match self.plan.sort {
            Sort::Stop { step } => self.world.stops.set(step),
            Sort::Fault { kind, request } => {
                let fault = faults::fault(kind, &self.world, &mut self.chance);
                self.world.apple.arm(Trigger::request(request), fault);
            }
            _ => {}
        }
        let begun = self.world.stops.passed();
        let changes = (self.plan.devices / 100).max(10);
        for phase in 0..PHASES {
            {
                let mut weather = self.world.weather.lock().unwrap();
                weather.changes = changes;
                weather.at_once = 1 + self.chance.below(changes / 2);
            }
            self.trouble();
            let end = self.world.clock.now() + TimeDelta::hours(13);
            self.pass(end, self.plan.sort == Sort::Killed).await;
            {
                // What did not happen during requests happens between them.
                let mut weather = self.world.weather.lock().unwrap();
                weather.at_once = usize::MAX;
                weather.change(&self.world.apple, self.world.clock.now());
            }
            if phase == 0 || self.chance.is(2) {
                self.wants().await;
            }
            self.administrator(phase + 1 == PHASES).await;
        }
        self.outcome.steps = self.world.stops.passed() - begun;
        self.outcome.requests = self.world.sent.lock().unwrap().len();
        self.world.apple.clear_faults();
        self.world.stops.set(0);
        self.administrator(true).await;
        let rest = self.world.clock.now();
        let days = match self.plan.sort {
            Sort::Random if self.plan.number.is_multiple_of(5) => 9,
            _ => 3,
        };
        self.pass(rest + TimeDelta::days(days), false).await;
        for fired in self.world.apple.fired() {
            *self.outcome.fired.entry(fired.kind).or_default() += 1;
        }
        let facts = check::Facts {
            world: &self.world,
            store: &*self.store,
            stops: self.outcome.stopped + self.outcome.killed,
            rest,
            lag: self.lag,
            seconds: &self.seconds,
        };
        check::all(&facts).await;
    }

    /// Arms faults and stops by chance.
    fn trouble(&mut self) {
        let kinds: Vec<usize> = match self.plan.sort {
            Sort::Random => (0..faults::KINDS.len()).collect(),
            Sort::Killed => faults::TIMELESS.to_vec(),
            _ => return,
        };
        for _ in 0..1 + self.chance.below(3) {
            let kind = self.chance.one(&kinds);
            let fault = faults::fault(kind, &self.world, &mut self.chance);
            let request = 1 + self.chance.below(50) as u64;
            self.world.apple.arm(Trigger::request(request), fault);
        }
        if self.plan.sort == Sort::Random && self.chance.is(2) {
            let point = 1 + self.chance.below(200);
            self.world.stops.set(point);
        }
    }

    /// Time passes; a program that stops is started again.
    async fn pass(&mut self, end: DateTime<Utc>, killed: bool) {
        if killed {
            return self.pass_with_victims(end).await;
        }
        loop {
            let work = drive::until(&self.service, &self.world.clock, end);
            let stops = self.world.stops.clone();
            if stops.or_stop(work).await.is_some() {
                return;
            }
            self.outcome.stopped += 1;
            self.world.stops.set(match self.plan.sort {
                Sort::Random if self.chance.is(2) => 1 + self.chance.below(100),
                _ => 0,
            });
            self.start().await;
        }
    }

    async fn pass_with_victims(&mut self, end: DateTime<Utc>) {
        let kills = 1 + self.chance.below(2);
        let points: Vec<usize> = (0..kills).map(|_| 1 + self.chance.below(120)).collect();
        self.outcome.killed += victim::pass(&self.world, &points, end).await;
        let now = self.world.clock.now();
        let left = (end - now).to_std().unwrap_or_default();
        self.world.clock.advance(left);
        self.start().await;
    }

    /// Starts the program anew.
    async fn start(&mut self) {
        self.store = self.world.open().await;
        self.service = self.world.service(&self.store);
    }

    async fn wants(&mut self) {
        // Only the worker stops in this test.
        let quiet = self.quiet();
        let wanted = self.world.want(&self.store, &quiet, &mut self.chance).await;
        self.seconds
            .extend(wanted.iter().map(|serial| serial.as_str().to_owned()));
    }

    /// Does what only a person can do: signs terms, downloads a new token.
    async fn administrator(&mut self, clears: bool) {
        let fired = self.world.apple.fired();
        let new = fired.get(self.looked..).unwrap_or_default();
        let lasts = ["TermsNotSigned", "KeepDroppingSessions"];
        if clears || new.iter().any(|fired| lasts.contains(&fired.kind)) {
            self.world.apple.clear_faults();
        }
        let tokens = ["RevokeToken", "ExpireToken", "NewerToken"];
        if new.iter().any(|fired| tokens.contains(&fired.kind)) {
            self.world.apple.clear_faults();
            let quiet = self.quiet();
            self.world.renew(&quiet).await;
        }
        self.looked = fired.len();
    }

    fn quiet(&self) -> AdeService {
        self.world.service_without_stops(&self.store)
    }
}

/// What Apple does in one way or another.
fn habits(config: &mut Config, chance: &mut Chance) {
    if chance.is(3) {
        config.rotate_session_every = Some(1 + chance.below(20) as u32);
    }
    if chance.is(4) {
        config.sync_lag = Duration::from_secs(chance.below(3600) as u64);
    }
    if chance.is(3) {
        config.session_lifetime = Duration::from_secs(10 + chance.below(300) as u64);
    }
    config.hide_cooling_devices = chance.is(3);
    let shapes = &mut config.shapes;
    for shape in [
        &mut shapes.outcomes_as_array,
        &mut shapes.empty_times,
        &mut shapes.imei_with_spaces,
        &mut shapes.mac_as_array,
        &mut shapes.assigned_by_minus_one,
        &mut shapes.quoted_errors,
        &mut shapes.bare_deleted_records,
        &mut shapes.full_deleted_records,
        &mut shapes.expired_token_is_400,
        &mut shapes.superseded_token_is_signature_invalid,
        &mut shapes.equal_op_dates,
        &mut shapes.empty_profile_status,
    ] {
        *shape = chance.is(4);
    }
}
