//! The fake device-assignment service in a process of its own, for measurements and for trying a
//! client by hand. Runs until its standard input ends.
//!
//! Into the folder it writes `root.pem` (what a client has to trust), `token.json` (the server
//! token, decrypted), `url` and, with `--plain`, `plain-url`. The line `ready` on standard output
//! says that they are there. At the end it prints the counted traffic as JSON.

use std::{
    error::Error,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use clap::Parser;
use mdm_fake_apple::ade::{AdeService, Config, FakeAde, Listen, Traffic};
use serde_json::{Value, json};

/// A fake device-assignment service, until standard input ends.
#[derive(Debug, Parser)]
struct Arguments {
    /// The folder for root.pem, token.json and url; it is made if it is not there.
    folder: PathBuf,
    /// The port for HTTPS; 0 for a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Serve plain HTTP too, on this port; 0 for a free one.
    #[arg(long, value_name = "PORT")]
    plain: Option<u16>,
    /// How many devices there are.
    #[arg(long, default_value_t = 1000)]
    devices: usize,
    /// What the devices and all identifiers are made from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Build each page once: all of them before the start.
    #[arg(long)]
    prerendered: bool,
    /// The page size that a client will ask for, of the pages that are built before the start.
    #[arg(long, default_value_t = 1000)]
    limit: usize,
    /// The protocol version that a client will speak.
    #[arg(long, default_value_t = 10)]
    protocol_version: u32,
    /// Let the server disown devices, as the portal's flag does.
    #[arg(long)]
    disown: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(run(arguments))
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let service = AdeService::new(Config::default().with(|config| {
        config.seed = Some(arguments.seed);
        config.prerendered = arguments.prerendered;
        config.kept_exchanges = 0;
        config.disown_allowed = arguments.disown;
        // A measurement may take longer than a session.
        config.session_lifetime = config.cursor_lifetime;
    }))?;
    service.add_devices(arguments.devices, arguments.seed);
    service.compact_log();
    if arguments.prerendered {
        service.prerender(arguments.limit, arguments.protocol_version);
    }
    let secure = Listen::default().with(|listen| listen.port = arguments.port);
    let secure = FakeAde::serve(service.clone(), secure).await?;
    let mut plain = None;
    if let Some(port) = arguments.plain {
        let listen = Listen::default().with(|listen| {
            listen.port = port;
            listen.plain = true;
        });
        plain = Some(FakeAde::serve(service.clone(), listen).await?);
    }

    let folder = &arguments.folder;
    std::fs::create_dir_all(folder)?;
    write(folder, "root.pem", &secure.root_certificate().to_pem())?;
    write(
        folder,
        "token.json",
        &service.new_server_token_json().to_string(),
    )?;
    write(folder, "url", &secure.url())?;
    if let Some(plain) = &plain {
        write(folder, "plain-url", &plain.url())?;
    }
    let mut out = io::stdout();
    writeln!(out, "ready")?;
    out.flush()?;
    tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new())).await??;
    writeln!(out, "{}", shown(&service.traffic()))?;
    Ok(())
}

fn write(folder: &Path, name: &str, text: &str) -> io::Result<()> {
    std::fs::write(folder.join(name), text)
}

fn shown(traffic: &Traffic) -> Value {
    let paths = traffic.paths.iter().map(|(path, count)| {
        let shown = json!({
            "requests": count.requests,
            "refused": count.refused,
            "hung_up": count.hung_up,
            "named": count.named,
        });
        ((*path).to_owned(), shown)
    });
    json!({
        "requests": traffic.total.requests,
        "paths": Value::Object(paths.collect()),
    })
}
