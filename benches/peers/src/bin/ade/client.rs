//! Our client: requests and the sync's state machine; what is to be stored is let go.

use std::{fs, process::ExitCode, sync::Arc};

use ade_client::{
    Client, Policy, ServerToken,
    endpoint::{FetchDevices, SyncDevices},
    model::DevicePage,
    record::SyncState,
    sync::{Effect, Event, Round, RoundEnd, RoundKind},
};
use mdm_core::{Clock, SystemClock};
use mdm_transport_reqwest::ReqwestTransport;

use crate::{Failure, PAGE};

pub(crate) fn sync(
    url: &str,
    token: &str,
    version: &str,
    check: &[&str],
) -> Result<ExitCode, Failure> {
    let token = ServerToken::from_message(&fs::read(token)?)?;
    let transport = ReqwestTransport::builder().no_proxy().build()?;
    let client = Client::builder(transport, Arc::new(SystemClock), token, "bench/1.0")
        .base_url(url)
        .protocol_version(version.parse()?)
        .build()?;
    let mut seen = Seen::new(!check.is_empty());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(round(&client, &mut seen))?;
    if seen.checks {
        println!("{} devices, {:016x}", seen.devices, seen.hash);
    }
    Ok(ExitCode::SUCCESS)
}

async fn round(client: &Client, seen: &mut Seen) -> Result<(), Failure> {
    let now = || SystemClock.now();
    let mut round = Round::begin(
        &SyncState::default(),
        RoundKind::Full,
        &Policy::default(),
        now(),
    );
    loop {
        let page = match round.effect() {
            Effect::Fetch(cursor) => {
                let mut request = FetchDevices::first();
                request.cursor = cursor;
                request.limit = Some(PAGE);
                client.send(&request).await?
            }
            Effect::Sync(cursor) => {
                let mut request = SyncDevices::new(cursor);
                request.limit = Some(PAGE);
                client.send(&request).await?
            }
            Effect::Commit(_) => {
                round.handle(Event::Committed, now());
                continue;
            }
            Effect::Verify { .. } => {
                round.handle(Event::Verified, now());
                continue;
            }
            Effect::End(RoundEnd::Complete) => return Ok(()),
            other => return Err(format!("{other:?}").into()),
        };
        seen.take(&page);
        round.handle(Event::Page((&page).into()), now());
    }
}

/// The devices, counted, and their serial numbers, hashed (FNV-1a), where that is asked for.
struct Seen {
    checks: bool,
    devices: u64,
    hash: u64,
}

impl Seen {
    fn new(checks: bool) -> Self {
        Self {
            checks,
            devices: 0,
            hash: 0xcbf2_9ce4_8422_2325,
        }
    }

    fn take(&mut self, page: &DevicePage) {
        if !self.checks {
            return;
        }
        for device in &page.devices {
            self.devices += 1;
            let serial = device.serial_number.as_ref().map_or("", |s| s.as_str());
            for byte in serial.bytes().chain([b'\n']) {
                self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
    }
}
