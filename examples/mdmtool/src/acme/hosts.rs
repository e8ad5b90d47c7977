//! Host names, and how the server looks whether they are the client's (`http-01`).

use std::{collections::HashMap, net::IpAddr, str::FromStr, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use clap::Args;
use http::{Request, Response};
use mdm_scep::acme::{
    AddressLookup, HttpValidation, Network, PinnedTransport, Policy, validate::LookupError,
};
use mdm_transport::{HttpTransport as _, TransportError, TransportErrorKind};
use mdm_transport_reqwest::ReqwestTransport;
use tokio::time::timeout;

/// How long a name may take to be looked up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether host names are taken, and where their web servers may be.
#[derive(Debug, Args)]
pub(super) struct Hosts {
    /// Take orders of host names, and look for the proof on their web servers (http-01): at public addresses alone, and
    /// through no proxy.
    #[arg(long)]
    http_01: bool,
    /// The port of those web servers; another one than 80 for tests alone.
    #[arg(long, value_name = "PORT", requires = "http_01", default_value_t = 80)]
    http_01_port: u16,
    /// Look for them in this network too, such as 10.0.0.0/8. Whoever orders may then have this machine ask any address in
    /// it. Can be given several times.
    #[arg(long, value_name = "NETWORK", requires = "http_01")]
    http_01_allow: Vec<Network>,
    /// Take this for a host's address in place of looking it up. Can be given several times.
    #[arg(long, value_name = "HOST=ADDRESS", requires = "http_01")]
    http_01_host: Vec<Known>,
    /// Let accounts prove host names ahead of their orders (newAuthz).
    #[arg(long, requires = "http_01")]
    pre_authorization: bool,
}

/// A host whose address is known.
#[derive(Debug, Clone)]
struct Known {
    host: String,
    address: IpAddr,
}

impl FromStr for Known {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "not a host and its address, such as www.example.com=192.0.2.7";
        let (host, address) = text.split_once('=').ok_or(wrong)?;
        Ok(Self {
            host: host.to_ascii_lowercase(),
            address: address.parse().map_err(|_| wrong)?,
        })
    }
}

impl Hosts {
    pub(super) fn policy(&self) -> Policy {
        Policy::default().with(|policy| policy.pre_authorization = self.pre_authorization)
    }

    /// How host names are looked at; nothing where they are not taken.
    pub(super) fn validation(&self) -> Option<HttpValidation> {
        let mut names = Names::default();
        for known in &self.http_01_host {
            let addresses = names.0.entry(known.host.clone()).or_default();
            addresses.push(known.address);
        }
        let validation = HttpValidation::new(Arc::new(names), Arc::new(Direct)).with(|it| {
            it.port = self.http_01_port;
            it.allowed.clone_from(&self.http_01_allow);
        });
        self.http_01.then_some(validation)
    }
}

/// What the machine's resolver knows, behind what the command line says.
#[derive(Debug, Default)]
struct Names(HashMap<String, Vec<IpAddr>>);

#[async_trait]
impl AddressLookup for Names {
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, LookupError> {
        if let Some(known) = self.0.get(host) {
            return Ok(known.clone());
        }
        // A dot at the end: a name of the Internet, and none below the machine's own domain.
        let found = timeout(PATIENCE, tokio::net::lookup_host((format!("{host}."), 80))).await;
        let found = found.map_err(|_| LookupError("it takes too long".to_owned()))?;
        let found = found.map_err(|error| LookupError(error.to_string()))?;
        Ok(found.map(|it| it.ip()).collect())
    }
}

/// Connects to the addresses that it is told.
#[derive(Debug)]
struct Direct;

#[async_trait]
impl PinnedTransport for Direct {
    async fn send_to(
        &self,
        addresses: &[IpAddr],
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, TransportError> {
        let host = request.uri().host().unwrap_or_default();
        // One for each request: it knows the addresses of this host, and keeps no connection to others of its name.
        let transport = ReqwestTransport::builder()
            .no_proxy()
            .resolve(host, addresses);
        let transport = transport.build();
        let transport = transport.map_err(|_| TransportErrorKind::Other)?;
        transport.send(request).await
    }
}
