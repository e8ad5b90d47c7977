//! The way to the service: whose token, which server, whom to trust.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use ade_client::{Client, ServerToken, client::APPLE};
use clap::Args;
use mdm_core::SystemClock;
use mdm_transport_reqwest::ReqwestTransport;
use mdmtool::input;

use super::{failure::Failure, token};

/// What Apple sees as the program's name.
pub(super) const USER_AGENT: &str = concat!("mdmtool/", env!("CARGO_PKG_VERSION"));

/// The longest file of certificates that is read, in bytes.
const MAX_CA_BYTES: usize = 4 * 1024 * 1024;

/// A token and where it is good for.
#[derive(Debug, Args)]
pub(super) struct Online {
    /// The server token: as downloaded, then with --key, or its JSON.
    #[arg(long, value_name = "FILE")]
    token: PathBuf,
    /// The private key whose certificate was uploaded.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    #[command(flatten)]
    server: Server,
}

/// Where the service is, and whom to trust there.
#[derive(Debug, Args)]
pub(super) struct Server {
    /// The service's base URL.
    #[arg(long, value_name = "URL", default_value = APPLE)]
    pub(super) url: String,
    /// Trust the certificates in this file, PEM or DER, beside the system's.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

impl Online {
    /// A client, and the token that it works with.
    pub(super) fn connect(&self) -> Result<(Client, ServerToken), Failure> {
        let token = token::read(&self.token, self.key.as_deref())?;
        let transport = self.server.transport()?;
        let clock = Arc::new(SystemClock);
        let client = Client::builder(transport, clock, token.clone(), USER_AGENT)
            .base_url(&self.server.url)
            .build()?;
        Ok((client, token))
    }

    /// A client.
    pub(super) fn client(&self) -> Result<Client, Failure> {
        Ok(self.connect()?.0)
    }
}

impl Server {
    pub(super) fn transport(&self) -> Result<ReqwestTransport, Failure> {
        let mut builder = ReqwestTransport::builder();
        if let Some(ca) = &self.ca {
            builder = builder.root(&read_ca(ca)?);
        }
        Ok(builder.build()?)
    }
}

fn read_ca(file: &Path) -> Result<Vec<u8>, Failure> {
    Ok(input::read(file, MAX_CA_BYTES)?)
}
