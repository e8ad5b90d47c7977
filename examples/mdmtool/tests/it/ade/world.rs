//! A fake Apple behind a real socket, and files for the program: token, key, root certificate.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use ade_client::TokenKeyPair;
use mdm_fake_apple::ade::{Config, FakeAde};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::told::Told;

pub(crate) struct World {
    pub(crate) apple: FakeAde,
    pub(crate) folder: TempDir,
    pub(crate) pair: TokenKeyPair,
    url: String,
    runtime: Runtime,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Config::default())
    }

    pub(crate) fn with(config: Config) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let apple = runtime.block_on(FakeAde::start(config)).unwrap();
        let pair = TokenKeyPair::generate("mdm.example.com", chrono::Utc::now()).unwrap();
        let world = Self {
            url: apple.url(),
            apple,
            folder: tempfile::tempdir().unwrap(),
            pair,
            runtime,
        };
        world.write("ca.pem", world.apple.root_certificate().to_pem());
        world.write("key.pem", &*world.pair.private_key_pem().unwrap());
        world.new_token();
        world
    }

    /// Downloads a token; the one before ends.
    pub(crate) fn new_token(&self) {
        let certificate = self.pair.certificate_pem();
        let token = self.apple.new_server_token(certificate.as_bytes());
        self.write("token.p7m", token.unwrap());
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs something in the world's runtime.
    pub(crate) fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Runs `mdmtool ade` with token, URL and root certificate.
    pub(crate) fn ade(&self, arguments: &[&str]) -> Told {
        self.command(arguments).output().unwrap().into()
    }

    /// The same with `--json`.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let told = self.ade(&[arguments, &["--json"]].concat());
        told.succeeded();
        serde_json::from_str(&told.stdout).unwrap()
    }

    /// Starts it, to be followed or killed.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.without_token(arguments);
        command.args(["--token", "token.p7m", "--key", "key.pem"]);
        command
    }

    /// `mdmtool ade` with URL and root certificate alone.
    pub(crate) fn without_token(&self, arguments: &[&str]) -> Command {
        let mut command = program(self.folder.path());
        command
            .arg("ade")
            .args(arguments)
            .args(["--url", &self.url, "--ca", "ca.pem"]);
        command
    }
}

/// The program in this folder, untouched by the proxy that the machine may have.
pub(crate) fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mdmtool"));
    command
        .current_dir(folder)
        .env("NO_PROXY", "localhost,127.0.0.1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}
