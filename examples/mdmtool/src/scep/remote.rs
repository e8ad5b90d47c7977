//! The way to a server: where it is, whom to trust, which algorithms to take.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use mdm_core::SystemClock;
use mdm_scep::{CaTrust, Client, Policy, ScepUrl};
use mdm_transport_reqwest::ReqwestTransport;

use crate::{console::Console, failure::Failure, files, text::from_hex};

/// What servers see as the program's name.
const USER_AGENT: &str = concat!("mdmtool/", env!("CARGO_PKG_VERSION"));

/// Where the server is.
#[derive(Debug, Args)]
pub(super) struct Remote {
    /// The server's URL, as in the SCEP payload of a profile.
    #[arg(long, value_name = "URL")]
    pub(super) url: ScepUrl,
    /// Which of the server's authorities is meant: the Name of the payload.
    #[arg(long, value_name = "NAME")]
    pub(super) ca_identifier: Option<String>,
    /// For https: trust the certificates in this file, PEM or DER, beside the system's.
    #[arg(long, value_name = "FILE")]
    pub(super) tls_ca: Option<PathBuf>,
}

/// What makes the server's certificates trusted: SCEP asks for no TLS, so this stands between the challenge and
/// whoever is on the way.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Trust {
    /// Trust the authority whose certificate has this fingerprint: CAFingerprint of the payload. SHA-256, or
    /// the digest that its length tells.
    #[arg(long, value_name = "HEX")]
    fingerprint: Option<String>,
    /// Trust the authority whose certificate is in this file, PEM or DER.
    #[arg(long, value_name = "FILE")]
    pub(super) ca: Option<PathBuf>,
    /// Trust whatever the server shows: only where its TLS proves it, or nothing depends on it.
    #[arg(long)]
    trust_any: bool,
}

/// Weak algorithms, which are taken only where they are asked for. DES is never written, in any form.
#[derive(Debug, Args)]
pub(super) struct Weak {
    /// Take signatures with SHA-1.
    #[arg(long)]
    sha1: bool,
    /// Read what is encrypted with Triple DES.
    #[arg(long)]
    triple_des: bool,
    /// Read what is encrypted with single DES, which needs OpenSSL's legacy provider.
    #[arg(long)]
    legacy_des: bool,
}

impl Remote {
    pub(super) fn transport(&self) -> Result<ReqwestTransport, Failure> {
        let mut builder = ReqwestTransport::builder().user_agent(USER_AGENT);
        if let Some(file) = &self.tls_ca {
            builder = builder.root(&files::read(file)?);
        }
        Ok(builder.build()?)
    }

    /// A client of the server.
    pub(super) fn client(
        &self,
        trust: &Trust,
        weak: &Weak,
    ) -> Result<Client<ReqwestTransport>, Failure> {
        let trust = trust.read()?;
        let clock = Arc::new(SystemClock);
        let client =
            Client::new(self.transport()?, self.url.clone(), trust, clock).policy(weak.policy());
        Ok(match &self.ca_identifier {
            Some(name) => client.ca(name.as_str()),
            None => client,
        })
    }
}

impl Trust {
    /// Tells that nothing proves the server, where that is so.
    pub(super) fn warn(&self, remote: &Remote, console: &Console) {
        if self.trust_any && !remote.url.is_https() {
            console.note("nothing proves this server: whoever answers gets the challenge");
        }
    }

    fn read(&self) -> Result<CaTrust, Failure> {
        if let Some(hex) = &self.fingerprint {
            let trust = from_hex(hex).map(CaTrust::fingerprint);
            return trust.and_then(Result::ok).ok_or_else(|| {
                Failure::input(
                    "the fingerprint cannot be read",
                    "give the SHA-256 of the certificate: 64 hexadecimal digits",
                )
            });
        }
        match &self.ca {
            Some(file) => Ok(CaTrust::Certificate(Box::new(only(file)?))),
            // clap sees to it that it is this one.
            None => Ok(CaTrust::Any),
        }
    }
}

fn only(file: &Path) -> Result<mdm_pki::Certificate, Failure> {
    let mut certificates = files::certificates(file)?;
    match (certificates.pop(), certificates.is_empty()) {
        (Some(certificate), true) => Ok(certificate),
        _ => Err(Failure::input(
            format!("{} holds several certificates", file.display()),
            "give the authority's alone",
        )),
    }
}

impl Weak {
    pub(super) fn policy(&self) -> Policy {
        Policy::default().with(|policy| {
            policy.sha1 = self.sha1;
            policy.triple_des = self.triple_des;
            policy.legacy_des = self.legacy_des;
        })
    }
}
