//! The fake push service in a process of its own, for measurements and for trying a client by hand.
//! Runs until its standard input ends or it is told to stop (SIGINT, SIGTERM).
//!
//! Into the folder it writes `root.pem` (what a client has to trust) and a push certificate with its
//! key: `push.pem`, `push-key.pem`, and both as `push.p12` with the password `fake`. The line
//! `listening on ADDRESS` on standard output says that they are there. At the end it prints what it
//! counted as one line of JSON.

use std::{
    error::Error,
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use clap::{Parser, ValueEnum};
use mdm_fake_apple::apns::{Config, FakeApns, Goodbye, PushAuthority};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

/// A fake push service, until standard input ends or a signal comes.
#[derive(Debug, Parser)]
struct Arguments {
    /// The folder for the certificates and keys; it is made if it is not there.
    folder: PathBuf,
    /// The port; 0 for a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Ask clients for no certificate.
    #[arg(long)]
    no_client_cert: bool,
    /// The topic of the push certificate, and the only one that is taken.
    #[arg(long)]
    topic: Option<String>,
    /// Take pushes to this token, in hexadecimal; may be given several times. Without any, all.
    #[arg(long)]
    token: Vec<String>,
    /// How many streams a connection may have open.
    #[arg(long, default_value_t = 1000)]
    max_streams: u32,
    /// How many milliseconds every answer takes.
    #[arg(long, default_value_t = 0)]
    delay: u64,
    /// Say goodbye at each push of this number, over all connections.
    #[arg(long, value_name = "PUSHES")]
    goaway_every: Option<u64>,
    /// How to say goodbye: answer what is open first, or end at once.
    #[arg(long, value_enum, default_value_t = Leave::Graceful)]
    goaway: Leave,
    /// How many threads serve.
    #[arg(long, default_value_t = 1)]
    threads: usize,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Leave {
    Graceful,
    Abrupt,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let mut builder = match arguments.threads {
        0 | 1 => tokio::runtime::Builder::new_current_thread(),
        threads => {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            builder.worker_threads(threads);
            builder
        }
    };
    let runtime = builder.enable_all().build()?;
    let result = runtime.block_on(run(arguments));
    // The thread that reads standard input may be waiting yet.
    runtime.shutdown_background();
    result
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let authority = PushAuthority::new()?;
    let certificate = match &arguments.topic {
        Some(topic) => authority.issue(topic)?,
        None => authority.issue_new()?,
    };
    let config = Config::new(vec![authority.root().clone()]).with(|config| {
        config.client_certificates = !arguments.no_client_cert;
        config.topic = arguments.topic;
        config.accept_any_token = arguments.token.is_empty();
        config.bind = SocketAddr::from((Ipv4Addr::LOCALHOST, arguments.port));
        config.max_streams = arguments.max_streams;
        config.delay = Duration::from_millis(arguments.delay);
        config.kept_pushes = 0;
        config.tracked_ids = 0;
    });
    let apns = FakeApns::start(config).await?;
    if let Some(every) = arguments.goaway_every {
        let goodbye = match arguments.goaway {
            Leave::Graceful => Goodbye::graceful().reason("Shutdown"),
            Leave::Abrupt => Goodbye::abrupt(0),
        };
        apns.every(every, goodbye.into());
    }
    for token in &arguments.token {
        apns.accept_token(hex::decode(token)?);
    }

    let folder = &arguments.folder;
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("root.pem"), apns.root_pem())?;
    std::fs::write(folder.join("push.pem"), certificate.chain_pem())?;
    std::fs::write(
        folder.join("push-key.pem"),
        certificate.key.to_pkcs8_pem()?.as_bytes(),
    )?;
    std::fs::write(folder.join("push.p12"), certificate.to_pkcs12("fake")?)?;

    let mut out = io::stdout();
    writeln!(out, "listening on {}", apns.addr())?;
    out.flush()?;
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new())) => {}
        _ = terminated.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    writeln!(out, "{}", json!(apns.counters()))?;
    out.flush()?;
    Ok(())
}
