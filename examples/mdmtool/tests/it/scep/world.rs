//! A folder, the program run in it, and a server that it runs.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use chrono::{TimeDelta, Utc};
use mdm_pki::{Certificate, CertificateBuilder, Name, PrivateKey};
use serde_json::Value;
use tempfile::TempDir;

use crate::told::Told;

/// Longer than anything takes here, so that what never comes fails a test.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct World(TempDir);

impl World {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn certificate(&self, name: &str) -> Certificate {
        Certificate::from_pem(&self.read(name)).unwrap()
    }

    /// `mdmtool scep` with these words, split at spaces.
    pub(crate) fn command(&self, line: &str) -> Command {
        self.tool(&format!("scep {line}"))
    }

    /// `mdmtool` with these words, split at spaces.
    pub(crate) fn tool(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mdmtool"));
        command
            .current_dir(self.0.path())
            .env("NO_PROXY", "localhost,127.0.0.1")
            .env_remove("MDMTOOL_PASSPHRASE")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .args(line.split_whitespace());
        command
    }

    pub(crate) fn run(&self, line: &str) -> Told {
        self.command(line).output().unwrap().into()
    }

    /// What it answers with `--json`, having succeeded.
    pub(crate) fn json(&self, line: &str) -> Value {
        let told = self.run(&format!("{line} --json"));
        told.succeeded();
        told.json()
    }

    /// A challenge in this file, from the server's store.
    pub(crate) fn challenge(&self, file: &str, rest: &str) -> String {
        let told = self.run(&format!("challenge --store scep.db --label test {rest}"));
        told.succeeded();
        self.write(file, &told.stdout);
        told.stdout.trim().to_owned()
    }

    /// The certificates that the store holds.
    pub(crate) fn listed(&self) -> Vec<Value> {
        let told = self.json("certs --store scep.db");
        told.as_array().unwrap().clone()
    }

    /// A server with a new authority on a free port.
    pub(crate) fn serve(&self, rest: &str) -> Server {
        self.start(&format!("--new-ca {rest}"))
    }

    /// A server on a free port, with the authority that is there.
    pub(crate) fn start(&self, rest: &str) -> Server {
        self.start_at("127.0.0.1:0", rest)
    }

    pub(crate) fn start_at(&self, listen: &str, rest: &str) -> Server {
        let line = format!("serve --listen {listen} --store scep.db --ca-dir ca --json {rest}");
        Server::of(self.command(&line))
    }
}

/// A server that runs; dropped, it is killed.
pub(crate) struct Server {
    pub(crate) child: Child,
    events: Receiver<Value>,
    pub(crate) url: String,
    pub(crate) fingerprint: String,
}

impl Server {
    /// Starts it, and waits until it listens.
    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (tell, events) = channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if tell.send(serde_json::from_str(&line).unwrap()).is_err() {
                    break;
                }
            }
        });
        let mut server = Self {
            child,
            events,
            url: String::new(),
            fingerprint: String::new(),
        };
        let first = server.event("listening");
        server.url = first["url"].as_str().unwrap().to_owned();
        server.fingerprint = first["fingerprint"].as_str().unwrap().to_owned();
        server
    }

    /// Waits for the next event of this name.
    pub(crate) fn event(&self, name: &str) -> Value {
        loop {
            let event = self.events.recv_timeout(PATIENCE).unwrap();
            if event["event"] == name {
                return event;
            }
        }
    }

    /// Where it is and whom to trust, as options.
    pub(crate) fn trusted(&self) -> String {
        format!("--url {} --fingerprint {}", self.url, self.fingerprint)
    }

    /// Where it is without the path of the protocol.
    pub(crate) fn origin(&self) -> &str {
        self.url.strip_suffix("/scep").unwrap()
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, and says with which code it did.
    #[cfg(unix)]
    pub(crate) fn stop(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status();
        assert!(asked.unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended by itself where the test made it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `enroll` for this common name with the challenge in `challenge`, into `NAME-key.pem` and `NAME.pem`.
pub(crate) fn enroll(server: &Server, name: &str) -> String {
    format!(
        "enroll {} --subject CN={name} --challenge-file challenge --key-out {name}-key.pem \
         --cert-out {name}.pem",
        server.trusted()
    )
}

/// A certificate about to be signed, good for a day.
pub(crate) fn certificate(name: &str, key: &PrivateKey) -> CertificateBuilder {
    let (now, day) = (Utc::now(), TimeDelta::days(1));
    CertificateBuilder::new(Name::from_common_name(name), key.public_key())
        .validity(now - day, now + day)
}
