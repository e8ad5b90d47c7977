//! `send`: one push, what became of it, and what to do about that.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clap::Args;
use mdm_apns::{
    CertificateError, Client, Config, Outcome, Push, PushCertificate, config::PRODUCTION_HOST,
    dial::Tunnel,
};
use mdm_core::{PushMagic, PushToken, Secret, Topic};
use mdm_pki::{Identity, pem};
use mdm_protocol::CheckIn;
use mdm_tls::Roots;
use mdmtool::one_line;
use serde_json::{Value, json};

use super::{advice, files::no_push_certificate};
use crate::{
    console::Console,
    failure::{Done, Failure},
    files::{self, IdentityFiles},
    kind::Kind,
    text::{self, written},
};

#[derive(Debug, Args)]
pub(super) struct Send {
    #[command(flatten)]
    certificate: IdentityFiles,
    #[command(flatten)]
    device: Device,
    /// The push service's name or address.
    #[arg(long, value_name = "HOST", default_value = PRODUCTION_HOST)]
    host: String,
    /// Its port: 443, or 2197.
    #[arg(long, value_name = "PORT", default_value_t = 443)]
    port: u16,
    /// Trust the certificates in this file, PEM or DER, beside the system's.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Go through this HTTP proxy (CONNECT).
    #[arg(long, value_name = "HOST:PORT")]
    proxy: Option<String>,
    /// How long the push may take, in seconds.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

/// Whom to push: what the device said in its TokenUpdate.
#[derive(Debug, Args)]
struct Device {
    /// The TokenUpdate message that the device sent, a property list, or - for standard input.
    #[arg(long, value_name = "FILE", required_unless_present_all = ["token", "magic"], conflicts_with_all = ["token", "magic"])]
    token_update: Option<PathBuf>,
    /// A file with the device's push token in hexadecimal or base64, or - for standard input.
    #[arg(long, value_name = "FILE", requires = "magic")]
    token: Option<PathBuf>,
    /// A file with the device's PushMagic in its first line, or - for standard input.
    #[arg(long, value_name = "FILE", requires = "token")]
    magic: Option<PathBuf>,
}

impl Send {
    pub(super) async fn run(self, console: &mut Console) -> Done {
        let device = &self.device;
        let files = [&device.token_update, &device.token, &device.magic];
        self.certificate
            .take_stdin_once(&files.map(|file| file.as_deref()))?;
        let identity = self.certificate.read()?;
        let (push, topic) = self.device.read()?;
        let certificate = self.certificate_for(identity, topic.as_ref())?;
        let topic = certificate.topic().clone();

        let failed = |error: mdm_apns::Error| {
            let kind = advice::kind(&error);
            Failure::told(kind, one_line(&error), advice::next(&error))
        };
        let (client, driver) = Client::new(self.config()?, certificate).map_err(failed)?;
        let running = tokio::spawn(driver.run());
        // A service that cannot be reached is told at once, and not tried again until the deadline.
        client.connect().await.map_err(failed)?;
        let outcome = client.push(&push).await.map_err(failed)?;
        drop(client);
        // The push is answered: how the connection ends changes nothing.
        let _ = running.await;
        self.tell(&outcome, &topic, console)
    }

    fn certificate_for(
        &self,
        identity: Identity,
        topic: Option<&Topic>,
    ) -> Result<PushCertificate, Failure> {
        let certificate = match topic {
            Some(topic) => PushCertificate::with_topic(identity, topic),
            None => PushCertificate::new(identity),
        };
        certificate.map_err(|error| match error {
            CertificateError::OtherTopic { .. } => Failure::told(
                Kind::Certificate,
                error.to_string(),
                "take the push certificate that the device is enrolled with, or a renewed one",
            ),
            other => no_push_certificate(self.certificate.file(), &other),
        })
    }

    fn config(&self) -> Result<Config, Failure> {
        let mut config = Config::new(&*self.host, self.port);
        if let Some(ca) = &self.ca {
            config = config.roots(Roots::SystemAnd(files::certificates(ca)?));
        }
        if let Some(proxy) = &self.proxy {
            let tunnel = tunnel(proxy).ok_or_else(|| {
                Failure::input("the proxy cannot be used", "give it as --proxy HOST:PORT")
            })?;
            config = config.with(|config| config.dial = Arc::new(tunnel));
        }
        let deadline = Duration::from_secs(self.timeout);
        Ok(config.with(|config| {
            config.max_connections = 1;
            config.push_deadline = deadline;
            config.answer_deadline = config.answer_deadline.min(deadline);
            config.connect_deadline = config.connect_deadline.min(deadline);
        }))
    }

    fn tell(&self, outcome: &Outcome, topic: &Topic, console: &mut Console) -> Done {
        let document = told(outcome, topic, &self.host);
        console.answer(&document, || text::fields(&document, &[]))?;
        let Some(rejection) = outcome.rejection() else {
            return Ok(());
        };
        Err(Failure::told(
            Kind::Push,
            format!("the push was not taken: {rejection}"),
            advice::after(outcome),
        ))
    }
}

impl Device {
    /// The push, and the topic that the device is enrolled with where it says so.
    fn read(&self) -> Result<(Push, Option<Topic>), Failure> {
        match (&self.token_update, &self.token, &self.magic) {
            (Some(file), ..) => {
                let (push, topic) = token_update(file)?;
                Ok((push, Some(topic)))
            }
            (None, Some(token), Some(magic)) => {
                let magic = files::first_line(magic)?;
                if magic.expose().is_empty() {
                    let next = "give it in the file's first line";
                    return Err(Failure::input("the PushMagic is empty", next));
                }
                let magic = PushMagic::new(magic.expose().as_str());
                Ok((Push::new(read_token(token)?, magic), None))
            }
            _ => Err(Failure::input(
                "no device is given",
                "give --token-update, or --token and --magic",
            )),
        }
    }
}

fn token_update(file: &Path) -> Result<(Push, Topic), Failure> {
    let next = "give the TokenUpdate message as the device sent it";
    let bytes = Secret::new(files::read(file)?);
    match CheckIn::decode(bytes.expose()) {
        Ok(CheckIn::TokenUpdate(update)) => {
            let push = Push::new(update.token, update.push_magic);
            Ok((push, update.topic))
        }
        Ok(other) => Err(Failure::input(
            format!("{} is a {}", file.display(), other.message_type()),
            next,
        )),
        Err(error) => Err(Failure::input(
            format!("{}: {}", file.display(), one_line(&error)),
            next,
        )),
    }
}

/// A token as people keep it: bytes in hexadecimal or base64, with whatever white space.
fn read_token(file: &Path) -> Result<PushToken, Failure> {
    let bytes = Secret::new(files::read(file)?);
    let text: Vec<u8> = bytes
        .expose()
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    let text = Secret::new(text);
    // Half a byte is a token cut off, and no base64.
    let token = match text.expose().iter().all(u8::is_ascii_hexdigit) {
        true => unhex(text.expose()),
        false => pem::decode_base64(text.expose()).ok(),
    };
    match token.filter(|token| !token.is_empty()) {
        Some(token) => Ok(PushToken::new(token)),
        None => Err(Failure::input(
            format!("{} holds no push token", file.display()),
            "give it in hexadecimal or base64",
        )),
    }
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let pairs = text.chunks(2);
    pairs
        .map(|pair| {
            let pair = std::str::from_utf8(pair)
                .ok()
                .filter(|pair| pair.len() == 2)?;
            u8::from_str_radix(pair, 16).ok()
        })
        .collect()
}

/// `host:port`, the host of an IPv6 address in brackets.
fn tunnel(text: &str) -> Option<Tunnel> {
    let text = text.strip_prefix("http://").unwrap_or(text);
    let (host, port) = text.trim_end_matches('/').rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_host = !host.is_empty() && !host.contains(['/', '@', ' ']);
    Some(Tunnel::new(
        is_host.then_some(host)?,
        port.parse::<u16>().ok()?,
    ))
}

fn told(outcome: &Outcome, topic: &Topic, host: &str) -> Value {
    let rejection = outcome.rejection();
    let (apns_id, since, wait) = match outcome {
        Outcome::Delivered { apns_id } => (*apns_id, None, None),
        Outcome::DeadToken { since, rejection } => (rejection.apns_id, *since, None),
        Outcome::RetryAfter { delay, rejection } => {
            (rejection.apns_id, None, Some(delay.as_secs()))
        }
        other => (other.rejection().and_then(|it| it.apns_id), None, None),
    };
    json!({
        "outcome": advice::word(outcome),
        "status": rejection.map_or(200, |rejection| rejection.status),
        "reason": rejection.and_then(|rejection| rejection.reason.as_ref()).map(|it| it.as_str()),
        "since": since.map(written),
        "retry_after_seconds": wait,
        "apns_id": apns_id.map(|id| id.to_string()),
        "topic": topic,
        "host": host,
    })
}
