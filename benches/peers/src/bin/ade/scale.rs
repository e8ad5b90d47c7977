//! A first sync and assignment with everything stored: time, requests, memory.

use std::{
    fmt, fs,
    process::{Command, ExitCode, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use ade_client::{
    AdeService, AdeStore,
    model::Profile,
    record::{AccountId, DeviceState},
    service::Installing,
    store::DeviceFilter,
};
use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use mdm_core::SystemClock;
use mdm_storage::SqliteStore;
use mdm_transport::{HttpTransport, TransportError};
use mdm_transport_reqwest::ReqwestTransport;
use nix::sys::resource::UsageWho;

use crate::{DEVICES, Failure, apple::Apple, process};

/// Memory with all devices may be this many times that with a tenth of them.
const FLAT: f64 = 1.1;

/// Runs both sizes and fails where memory is not flat.
pub(crate) fn scale() -> Result<ExitCode, Failure> {
    measure(DEVICES, "sync")?;
    let small = measure(DEVICES / 10, "assign")?;
    let large = measure(DEVICES, "assign")?;
    let ratio = large / small;
    let met = ratio <= FLAT;
    println!(
        "ade memory: {DEVICES} devices take {ratio:.3} times what {} do; bar {FLAT:.2} {}",
        DEVICES / 10,
        if met { "met" } else { "MISSED" }
    );
    Ok(match met {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// One size in a process of its own; gives its peak memory in MiB.
fn measure(devices: usize, what: &str) -> Result<f64, Failure> {
    let apple = Apple::start(devices)?;
    let folder = tempfile::tempdir()?;
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["service", &apple.url])
        .args([apple.token.path(), &folder.path().join("ade.sqlite")])
        .arg(what)
        .stderr(Stdio::inherit());
    process::trust(&mut command, apple.root.path());
    let output = command.output()?;
    let text = String::from_utf8(output.stdout)?;
    print!("{text}");
    if !output.status.success() {
        return Err(format!("{devices} devices: {}", output.status).into());
    }
    let last = text.split_whitespace().next_back().unwrap_or_default();
    Ok(last.parse()?)
}

/// The service's process.
pub(crate) fn service(
    url: &str,
    token: &str,
    store: &str,
    what: &str,
) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    runtime.block_on(work(url, token, store, what == "assign"))
}

async fn work(url: &str, token: &str, path: &str, assigns: bool) -> Result<ExitCode, Failure> {
    let store = SqliteStore::open(path).await?;
    let requests = Arc::new(AtomicU64::new(0));
    let transport = Counting {
        inner: ReqwestTransport::builder().no_proxy().build()?,
        requests: Arc::clone(&requests),
    };
    let clock = Arc::new(SystemClock);
    let service = AdeService::builder(store.clone(), transport, clock, "bench/1.0")
        .base_url(url)
        .build();
    let account = AccountId::new("bench")?;
    service.add_account(&account).await?;
    let token = fs::read(token)?;
    let installing = Installing::SameServer;
    service
        .install_token_json(&account, &token, installing)
        .await?;
    if assigns {
        let profile = Profile::new("bench", "https://mdm.example/enroll");
        let profile = service.define_profile(&account, profile, None).await?;
        let uuid = Some(profile.uuid.as_str());
        service.set_default_profile(&account, uuid).await?;
    }

    let began = Instant::now();
    let before = process::spent(UsageWho::RUSAGE_SELF);
    let mut passes = 0;
    loop {
        let report = service.work(&account).await?;
        if let Some(error) = report.error {
            return Err(error.into());
        }
        passes += 1;
        let present = store.count(&account, &DeviceFilter::Present).await?;
        let done = match assigns {
            true => {
                let assigned = DeviceFilter::State(DeviceState::Assigned);
                store.count(&account, &assigned).await? == present
            }
            false => report.sync.is_some_and(|sync| sync.is_complete()),
        };
        if done && present > 0 {
            let done = if assigns {
                "synced, assigned"
            } else {
                "synced"
            };
            let seconds = began.elapsed().as_secs_f64();
            let spent = (process::spent(UsageWho::RUSAGE_SELF) - before) / 1e6;
            println!(
                "ade {present} devices {done} and stored in SQLite: {seconds:.1} s, \
                 {} requests, {passes} passes, CPU {spent:.1} s ({:.1} µs/device), file {:.0} MiB, \
                 peak memory MiB {:.1}",
                requests.load(Ordering::Relaxed),
                spent * 1e6 / present as f64,
                fs::metadata(path)?.len() as f64 / 1_048_576.0,
                peak()?
            );
            return Ok(ExitCode::SUCCESS);
        }
        if passes > 10 {
            return Err(format!("{present} devices after {passes} passes").into());
        }
    }
}

/// Carries requests and counts them.
struct Counting {
    inner: ReqwestTransport,
    requests: Arc<AtomicU64>,
}

#[async_trait]
impl HttpTransport for Counting {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.inner.send(request).await
    }
}

impl fmt::Debug for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counting").finish_non_exhaustive()
    }
}

/// This process's peak memory in MiB (VmHWM).
fn peak() -> Result<f64, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    let kib: f64 = kib.ok_or("the kernel tells no VmHWM")?.parse()?;
    Ok(kib / 1024.0)
}
