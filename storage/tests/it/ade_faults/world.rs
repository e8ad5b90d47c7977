//! One account over the fake service, and what happens to its devices.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, atomic::AtomicBool},
};

use ade_client::{
    AdeService, AdeStore, Error, MemoryAdeStore, model::Profile, record::AccountId,
    service::Installing, store::Layered,
};
use chrono::{DateTime, Utc};
use mdm_core::{ManualClock, SerialNumber};
use mdm_fake_apple::ade::{AdeService as Apple, Config};
use mdm_storage::SqliteStore;
use serde_json::json;
use tempfile::TempDir;

use super::{
    drive,
    line::{Carrier, Line, Sent},
    stop::Stops,
};

/// The service's address where there is no socket.
const HERE: &str = "https://apple.example";

/// Numbers that are the same in every repetition.
#[derive(Debug, Clone)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// Once in so many times.
    pub(super) fn is(&mut self, often: usize) -> bool {
        self.below(often) == 0
    }

    pub(super) fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// What happens at Apple between and during the requests: some changes with each of them, as long
/// as any are left.
#[derive(Debug)]
pub(super) struct Weather {
    chance: Chance,
    /// Every serial number that ever was the account's.
    serials: Vec<Arc<str>>,
    /// Those that Apple took a profile from, and when.
    pub(super) taken: Vec<(String, DateTime<Utc>)>,
    pub(super) changes: usize,
    pub(super) at_once: usize,
}

impl Weather {
    /// Nothing happens.
    pub(super) fn none() -> Self {
        Self {
            chance: Chance::new(0),
            serials: Vec::new(),
            taken: Vec::new(),
            changes: 0,
            at_once: 0,
        }
    }

    pub(super) fn change(&mut self, apple: &Apple, now: DateTime<Utc>) {
        let changes = self.changes.min(self.at_once);
        self.changes -= changes;
        for _ in 0..changes {
            let of = self.serials.len();
            let serial = Arc::clone(&self.serials[self.chance.below(of)]);
            let what = self.chance.below(6);
            if matches!(what, 1..=3) {
                self.taken.push((serial.to_string(), now));
            }
            match what {
                0 => {
                    let seed = self.chance.next();
                    self.serials.extend(apple.add_devices(1, seed));
                }
                1 | 2 => {
                    apple.remove_device(&serial);
                }
                3 => {
                    apple.reassign_device(&serial);
                }
                4 => {
                    let tag = format!("tag {}", self.chance.below(1000));
                    apple.modify_device(&serial, json!({ "asset_tag": tag }));
                }
                _ => {
                    apple.device_profile(&serial);
                }
            }
        }
    }
}

/// Where records lie.
enum Shelf {
    Memory(MemoryAdeStore),
    File { _folder: TempDir, path: PathBuf },
}

pub(super) struct World {
    pub(super) apple: Apple,
    pub(super) clock: Arc<ManualClock>,
    pub(super) account: AccountId,
    pub(super) stops: Stops,
    pub(super) weather: Arc<Mutex<Weather>>,
    pub(super) sent: Arc<Mutex<Vec<Sent>>>,
    pub(super) profiles: Vec<String>,
    shelf: Shelf,
}

impl World {
    /// A linked account with devices that nobody has asked for yet, and two profiles, of which the
    /// first is for new serial numbers.
    pub(super) async fn new(
        seed: u64,
        devices: usize,
        in_file: bool,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let clock = Arc::new(ManualClock::new("2026-03-01T08:00:00Z".parse().unwrap()));
        let config = Config::default().with(|config| {
            config.clock = clock.clone();
            config.seed = Some(seed);
            change(config);
        });
        let apple = Apple::new(config).unwrap();
        let serials = apple.add_devices(devices, seed);
        let shelf = match in_file {
            false => Shelf::Memory(MemoryAdeStore::new()),
            true => {
                let folder = TempDir::new().unwrap();
                let path = folder.path().join("mdm.sqlite");
                Shelf::File {
                    _folder: folder,
                    path,
                }
            }
        };
        let weather = Weather {
            chance: Chance::new(seed ^ 0xdead),
            serials,
            taken: Vec::new(),
            changes: 0,
            at_once: 1,
        };
        let mut world = Self {
            apple,
            clock,
            account: AccountId::new("acme").unwrap(),
            stops: Stops::default(),
            weather: Arc::new(Mutex::new(weather)),
            sent: Arc::default(),
            profiles: Vec::new(),
            shelf,
        };
        world.link().await;
        world
    }

    async fn link(&mut self) {
        let store = self.open().await;
        let service = self.service(&store);
        service.add_account(&self.account).await.unwrap();
        self.renew(&service).await;
        for name in ["first", "second"] {
            let profile = Profile::new(name, "https://mdm.example/enroll");
            let defined = service.define_profile(&self.account, profile, None).await;
            self.profiles.push(defined.unwrap().uuid);
        }
        let first = Some(self.profiles[0].as_str());
        let set = service.set_default_profile(&self.account, first).await;
        set.unwrap();
    }

    /// The administrator downloads a new token.
    pub(super) async fn renew(&self, service: &AdeService) {
        let token = self.apple.new_server_token_json().to_string();
        let installed = service
            .install_token_json(&self.account, token.as_bytes(), Installing::SameServer)
            .await;
        installed.unwrap();
    }

    /// The store, as after a start of the program.
    pub(super) async fn open(&self) -> Arc<dyn AdeStore> {
        match &self.shelf {
            Shelf::Memory(store) => Arc::new(store.clone()),
            Shelf::File { path, .. } => Arc::new(SqliteStore::open(path).await.unwrap()),
        }
    }

    pub(super) fn path(&self) -> Option<&PathBuf> {
        match &self.shelf {
            Shelf::Memory(_) => None,
            Shelf::File { path, .. } => Some(path),
        }
    }

    pub(super) fn service(&self, store: &Arc<dyn AdeStore>) -> AdeService {
        self.service_with(store, &self.stops)
    }

    /// One that never stops.
    pub(super) fn service_without_stops(&self, store: &Arc<dyn AdeStore>) -> AdeService {
        self.service_with(store, &Stops::default())
    }

    fn service_with(&self, store: &Arc<dyn AdeStore>, stops: &Stops) -> AdeService {
        let store = Layered::new(Arc::clone(store), stops.clone());
        let line = Line {
            carrier: Arc::new(Carrier::Here(self.apple.clone())),
            clock: Arc::clone(&self.clock),
            stops: stops.clone(),
            sent: Arc::clone(&self.sent),
            weather: Arc::clone(&self.weather),
            // What is broken off ends with its service.
            busy: Arc::new(AtomicBool::new(false)),
        };
        drive::service(store, line, HERE)
    }

    /// Lets some devices that are known want the second profile; tells which.
    pub(super) async fn want(
        &self,
        store: &Arc<dyn AdeStore>,
        service: &AdeService,
        chance: &mut Chance,
    ) -> Vec<SerialNumber> {
        let mut serials = Vec::new();
        for _ in 0..20 {
            let of = { self.weather.lock().unwrap().serials.clone() };
            let serial = SerialNumber::new(&*of[chance.below(of.len())]).unwrap();
            let known = store.device(&self.account, &serial).await.unwrap();
            if known.is_some_and(|device| device.is_present()) {
                serials.push(serial);
            }
        }
        let wanted = Some(self.profiles[1].as_str());
        let result = service.want_profile(&self.account, &serials, wanted).await;
        assert!(!matches!(result, Err(Error::Store(_))), "{result:?}");
        result.unwrap();
        serials
    }
}
