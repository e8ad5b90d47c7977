//! Measures a first sync and a second one: pages of 1,000 devices, each one step.
//!
//! `cargo run --release -p mdm-storage --example pages [devices]`; prints the time of a page in
//! its smallest, usual and largest, by the size of the store.

#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::{
    env,
    sync::Arc,
    time::{Duration, Instant},
};

use ade_client::{
    AdeStore,
    record::{AccountId, AccountRecord, DeviceRecord, DeviceState},
    store::{Changes, DeviceFilter, Loaded, Reads, Step},
};
use chrono::DateTime;
use mdm_core::SerialNumber;
use mdm_storage::SqliteStore;

const PAGE: usize = 1000;

/// What Apple tells of a device, as long as it is today.
const DEVICE: &str = r#"{"serial_number":"C02XXXXXXXXX","model":"iPhone 15 Pro",
    "description":"IPHONE 15 PRO NATURAL TITANIUM 256GB-ZDD","color":"NATURAL TITANIUM",
    "asset_tag":"","device_family":"iPhone","os":"iOS","profile_status":"empty",
    "device_assigned_by":"admin@example.com","device_assigned_date":"2026-01-02T03:04:05Z",
    "imei":["35 123456 123456 1","35 123456 123456 2"],"meid":["35123456123456"],
    "eid":"89049032007008882600012345678901","wifi_mac_address":"AA:BB:CC:DD:EE:FF",
    "bluetooth_mac_address":"AA:BB:CC:DD:EE:FE","is_replacement_device":false}"#;

#[derive(Debug)]
struct TakePage {
    serials: Vec<SerialNumber>,
    devices: Vec<ade_client::model::Device>,
    account: AccountId,
    sweep: u64,
}

impl Step for TakePage {
    fn reads(&self) -> Reads {
        Reads::devices(self.serials.clone())
    }

    fn decide(&self, mut loaded: Loaded) -> Option<Changes> {
        let mut account = loaded
            .account
            .unwrap_or_else(|| AccountRecord::new(self.account.clone()));
        account.sync.taken += self.devices.len() as u64;
        let devices = self
            .serials
            .iter()
            .zip(&self.devices)
            .map(|(serial, told)| {
                let now = DateTime::UNIX_EPOCH;
                let mut device = loaded
                    .devices
                    .remove(serial)
                    .unwrap_or_else(|| DeviceRecord::new(serial.clone(), now));
                device.device = told.clone();
                device.sweep = self.sweep;
                device.wanted_profile = Some("0123456789ABCDEF0123456789ABCDEF".to_owned());
                device.state = DeviceState::Empty;
                device.settle(now);
                device
            });
        let devices = devices.collect();
        Some(Changes::account(account).with(|changes| changes.devices = devices))
    }
}

/// Serial numbers in no order, always the same ones.
fn serial(n: usize) -> SerialNumber {
    let mixed = (n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    SerialNumber::new(format!("{mixed:016X}")[..12].to_owned()).unwrap()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let devices: usize = env::args()
        .nth(1)
        .map_or(200_000, |text| text.parse().unwrap());
    let folder = tempfile::tempdir_in(".").unwrap();
    let path = folder.path().join("mdm.sqlite");
    let store = SqliteStore::open(&path).await.unwrap();
    let account = AccountId::new("acme").unwrap();
    let told: ade_client::model::Device = serde_json::from_str(DEVICE).unwrap();
    for (sweep, name) in [(1, "first fetch"), (2, "second fetch")] {
        let mut times = Vec::new();
        for page in 0..devices / PAGE {
            let serials: Vec<_> = (page * PAGE..(page + 1) * PAGE).map(serial).collect();
            let step = Arc::new(TakePage {
                devices: vec![told.clone(); serials.len()],
                serials,
                account: account.clone(),
                sweep,
            });
            let start = Instant::now();
            store.commit(&account, step).await.unwrap();
            times.push(start.elapsed());
        }
        report(name, &times);
    }
    for (name, filter) in [
        ("present", DeviceFilter::Present),
        ("unseen", DeviceFilter::Unseen { sweep: 2 }),
        ("due", DeviceFilter::Due(DateTime::UNIX_EPOCH)),
        ("state", DeviceFilter::State(DeviceState::Empty)),
    ] {
        let start = Instant::now();
        let count = store.count(&account, &filter).await.unwrap();
        let counted = start.elapsed();
        let start = Instant::now();
        let page = store.devices(&account, &filter, None, PAGE).await.unwrap();
        let listed = start.elapsed();
        println!(
            "{name}: {count} counted in {counted:.1?}, {} read in {listed:.1?}",
            page.len()
        );
    }
    println!("file: {} MB", std::fs::metadata(&path).unwrap().len() >> 20);
}

fn report(name: &str, times: &[Duration]) {
    let total: Duration = times.iter().sum();
    let mut sorted = times.to_vec();
    sorted.sort();
    let last: Duration = times.iter().rev().take(10).sum();
    println!(
        "{name}: {} pages, smallest {:.1?}, usual {:.1?}, largest {:.1?}, last ten {:.1?} each; {:.0} devices a second",
        times.len(),
        sorted.first().unwrap(),
        sorted.get(sorted.len() / 2).unwrap(),
        sorted.last().unwrap(),
        last / 10,
        (times.len() * PAGE) as f64 / total.as_secs_f64(),
    );
}
