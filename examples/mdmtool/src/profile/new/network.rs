//! Networks: Wi-Fi and VPN.

use std::path::PathBuf;

use clap::Args;
use mdm_profiles::{
    PayloadRef, ProfileBuilder,
    payload::{Payload, Vpn as VpnPayload, WiFi},
    recipe,
};

use super::{build, frame::Frame, identity::Identity, impossible, keys::Keys};
use crate::{
    console::Console,
    failure::{Done, Failure},
    files,
};

#[derive(Debug, Args)]
pub(crate) struct Wifi {
    /// The network's name.
    #[arg(long, value_name = "NAME")]
    ssid: String,
    /// One password for all: the first line of this file. Without it and without an identity, users
    /// join by name and password.
    #[arg(long, value_name = "FILE", conflicts_with = "identity")]
    password_file: Option<PathBuf>,
    #[command(flatten, next_help_heading = "The identity")]
    identity: Identity,
    /// The user that joins by name and password; asked for if nothing is said.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["identity", "password_file"])]
    user: Option<String>,
    /// The authorities of the network's server, PEM or DER.
    #[arg(long = "root", value_name = "FILE")]
    roots: Vec<PathBuf>,
    /// The name in the server's certificate, several times for several.
    #[arg(long = "server", value_name = "NAME")]
    servers: Vec<String>,
    /// The network does not tell its name.
    #[arg(long)]
    hidden: bool,
    #[command(flatten)]
    keys: Keys,
    #[command(flatten, next_help_heading = "The profile")]
    frame: Frame,
}

impl Wifi {
    pub(super) fn run(self, console: &mut Console) -> Done {
        build(&self.frame, console, |profile| {
            let roots = roots(profile, &self.roots)?;
            let identity = self.identity.add(profile)?;
            let wifi = self.payload(identity.as_ref(), &roots)?;
            let wifi = wifi.with(|wifi| wifi.hidden_network = self.hidden.then_some(true));
            add(profile, "wifi", &wifi, &self.keys)
        })
    }

    fn payload(
        &self,
        identity: Option<&PayloadRef>,
        roots: &[PayloadRef],
    ) -> Result<WiFi, Failure> {
        let ssid = self.ssid.as_str();
        if let Some(file) = &self.password_file {
            return Ok(recipe::wifi_password(ssid, files::first_line(file)?));
        }
        let servers: Vec<_> = self.servers.iter().map(String::as_str).collect();
        if servers.is_empty() && roots.is_empty() {
            return Err(Failure::input(
                "the network does not prove itself, so any access point would do",
                "name the server by --server, its authority by --root, or give --password-file",
            ));
        }
        Ok(match identity {
            Some(identity) => recipe::wifi_certificate(ssid, identity, roots, &servers),
            None => recipe::wifi_login(ssid, self.user.as_deref(), roots, &servers),
        })
    }
}

#[derive(Debug, Args)]
pub(crate) struct Vpn {
    /// What the user sees.
    #[arg(long, value_name = "NAME")]
    connection: String,
    /// The server's address, and the name in its certificate.
    #[arg(long, value_name = "HOST")]
    server: String,
    /// What the device calls itself: the name in its certificate.
    #[arg(long, value_name = "NAME", default_value = "%SerialNumber%")]
    local: String,
    #[command(flatten, next_help_heading = "The identity")]
    identity: Identity,
    /// The user of a VPN without certificate; asked for if nothing is said.
    #[arg(long, value_name = "NAME", conflicts_with = "identity")]
    user: Option<String>,
    /// The authorities of the server, PEM or DER.
    #[arg(long = "root", value_name = "FILE")]
    roots: Vec<PathBuf>,
    #[command(flatten)]
    keys: Keys,
    #[command(flatten, next_help_heading = "The profile")]
    frame: Frame,
}

impl Vpn {
    pub(super) fn run(self, console: &mut Console) -> Done {
        build(&self.frame, console, |profile| {
            roots(profile, &self.roots)?;
            let (name, local) = (self.connection.as_str(), self.local.as_str());
            let vpn: VpnPayload = match self.identity.add(profile)? {
                Some(identity) => recipe::vpn_certificate(name, &self.server, local, &identity),
                None => recipe::vpn_login(name, &self.server, local, self.user.as_deref()),
            };
            add(profile, "vpn", &vpn, &self.keys)
        })
    }
}

fn roots(profile: &mut ProfileBuilder, files: &[PathBuf]) -> Result<Vec<PayloadRef>, Failure> {
    let mut chain = Vec::new();
    for file in files {
        chain.extend(files::certificates(file)?);
    }
    recipe::certificate_chain(profile, &chain).map_err(impossible)
}

/// Adds a payload with the keys from the command line.
pub(super) fn add<P: Payload>(
    profile: &mut ProfileBuilder,
    name: &str,
    payload: &P,
    keys: &Keys,
) -> Result<(), Failure> {
    let added = profile.add_keys(name, P::PAYLOAD_TYPE, keys.put(payload)?);
    added.map(drop).map_err(impossible)
}
