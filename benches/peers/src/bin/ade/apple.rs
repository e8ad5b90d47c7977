//! The fake service in a process of its own.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Command, ExitCode, Stdio},
};

use mdm_fake_apple::ade::{AdeService, Config, FakeAde, Listen};
use tempfile::NamedTempFile;

use crate::Failure;

/// A running fake; ends when dropped.
pub(crate) struct Apple {
    process: Child,
    pub(crate) url: String,
    /// The root to trust, PEM.
    pub(crate) root: NamedTempFile,
    /// The server token's JSON.
    pub(crate) token: NamedTempFile,
}

impl Apple {
    /// Starts a fake with so many devices.
    pub(crate) fn start(devices: usize) -> Result<Self, Failure> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["serve", &devices.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let out = process.stdout.take().ok_or("no standard output")?;
        let mut lines = BufReader::new(out).lines();
        let mut line = || -> Result<String, Failure> { Ok(lines.next().ok_or("the fake died")??) };
        let (url, token) = (line()?, line()?);
        let mut root = String::new();
        loop {
            let line = line()?;
            if line.is_empty() {
                break;
            }
            root.push_str(&line);
            root.push('\n');
        }
        Ok(Self {
            process,
            url,
            root: file(&root)?,
            token: file(&token)?,
        })
    }
}

impl Drop for Apple {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn file(text: &str) -> Result<NamedTempFile, Failure> {
    let mut file = NamedTempFile::new()?;
    file.write_all(text.as_bytes())?;
    Ok(file)
}

/// The fake's process: tells where it is, and serves until its standard input ends.
pub(crate) fn serve(devices: &str) -> Result<ExitCode, Failure> {
    let devices: usize = devices.parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let config = Config::default().with(|config| {
            config.seed = Some(1);
            config.prerendered = true;
            config.kept_exchanges = 0;
        });
        let service = AdeService::new(config)?;
        service.add_devices(devices, 1);
        let fake = FakeAde::serve(service, Listen::default()).await?;
        println!("{}", fake.url());
        println!("{}", fake.new_server_token_json());
        println!("{}", fake.root_certificate().to_pem().trim_end());
        println!();
        tokio::task::spawn_blocking(|| std::io::stdin().lines().count()).await?;
        Ok(ExitCode::SUCCESS)
    })
}
