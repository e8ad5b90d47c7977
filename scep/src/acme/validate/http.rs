//! `http-01`: a file on the host's web server (RFC 8555 section 8.3).
//!
//! Whoever orders names the hosts that this server connects to (section 10.4): each name is looked up once, its addresses are
//! checked, and the connection goes to those that were checked. So does each redirect.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, Uri, header, uri};
use mdm_pki::digest::constant_time_eq;
use mdm_transport::SendLimits;

use super::{AddressLookup, Network, PinnedTransport, Seen, is_host_name, is_public, wrong};
use crate::acme::problem::{ErrorType, Problem};

/// How `http-01` is looked at.
///
/// ```
/// use std::{net::IpAddr, sync::Arc};
///
/// use async_trait::async_trait;
/// use mdm_scep::acme::{
///     AddressLookup, HttpValidation,
///     validate::{ByAddress, LookupError},
/// };
/// use mdm_transport_reqwest::ReqwestTransport;
///
/// #[derive(Debug)]
/// struct Resolver;
///
/// #[async_trait]
/// impl AddressLookup for Resolver {
///     async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, LookupError> {
///         // With a dot at the end: no name below the machine's own domain.
///         let found = tokio::net::lookup_host((format!("{host}."), 80)).await;
///         let found = found.map_err(|error| LookupError(error.to_string()))?;
///         Ok(found.map(|it| it.ip()).collect())
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let transport = ByAddress(ReqwestTransport::builder().no_proxy().build()?);
/// let validation = HttpValidation::new(Arc::new(Resolver), Arc::new(transport));
/// // Web servers in a network of one's own.
/// let network = "10.20.0.0/16".parse()?;
/// let validation = validation.with(|it| it.allowed.push(network));
/// # assert_eq!((validation.port, validation.redirects), (80, 5));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HttpValidation {
    /// Who looks up the names.
    pub lookup: Arc<dyn AddressLookup>,
    /// Who connects.
    pub transport: Arc<dyn PinnedTransport>,
    /// Networks that are connected to although they are not [public](is_public): none unless changed. Whoever may order reaches
    /// the web servers there by a name of his own.
    pub allowed: Vec<Network>,
    /// The port: 80, and another one in tests alone.
    pub port: u16,
    /// How many redirects are followed: 5 unless changed. They lead to host names alone, by `http` to the same port
    /// or by `https` to 443.
    pub redirects: usize,
    /// How long a look may take, with all its redirects: 10 seconds unless changed. No request is begun after it, and each is
    /// given what is left; how long a name may be looked up is the lookup's to bound.
    pub deadline: Duration,
    /// The most addresses of a host that are tried: 4 unless changed.
    pub addresses: usize,
}

impl HttpValidation {
    /// With names looked up and connections made by these.
    pub fn new(lookup: Arc<dyn AddressLookup>, transport: Arc<dyn PinnedTransport>) -> Self {
        Self {
            lookup,
            transport,
            allowed: Vec::new(),
            port: 80,
            redirects: 5,
            deadline: Duration::from_secs(10),
            addresses: 4,
        }
    }

    /// With changes.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// The longest answer that is read, in bytes. A key authorization has less than 200.
const MAX_BODY: usize = 4096;

impl HttpValidation {
    pub(crate) async fn look(&self, host: &str, token: &str, key_authorization: &str) -> Seen {
        let path = format!("/.well-known/acme-challenge/{token}");
        let authority = match self.port {
            80 => host.to_owned(),
            port => format!("{host}:{port}"),
        };
        let first = Uri::builder()
            .scheme(uri::Scheme::HTTP)
            .authority(authority)
            .path_and_query(path)
            .build();
        let Ok(mut url) = first else {
            return wrong(ErrorType::Malformed, "the name makes no URL");
        };
        let begun = Instant::now();
        for _ in 0..=self.redirects {
            let mut request = Request::new(Bytes::new());
            *request.uri_mut() = url.clone();
            let Some(addresses) = self.reachable(&url).await else {
                return nowhere();
            };
            let left = self.deadline.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return silent();
            }
            let limits = SendLimits::new(MAX_BODY, left);
            request.extensions_mut().insert(limits);
            let Ok(response) = self.transport.send_to(&addresses, request).await else {
                return silent();
            };
            if response.status().is_redirection() {
                let location = response.headers().get(header::LOCATION);
                match location.and_then(|to| self.redirected(&url, to.to_str().ok()?)) {
                    Some(next) => url = next,
                    None => {
                        let detail = "a redirect leads where none is followed";
                        return wrong(ErrorType::Connection, detail);
                    }
                }
                continue;
            }
            if response.status() != 200 {
                let detail = format!("the answer has status {}", response.status().as_u16());
                return wrong(ErrorType::Unauthorized, detail);
            }
            // RFC 8555 section 8.3: white space at the end does not count.
            let body = response.body().trim_ascii_end();
            return match constant_time_eq(body, key_authorization.as_bytes()) {
                true => Seen::Met,
                false => wrong(
                    ErrorType::Unauthorized,
                    "the answer is not the key authorization",
                ),
            };
        }
        wrong(ErrorType::Connection, "too many redirects")
    }

    /// The addresses of the URL's host that may be connected to; `None` where there are none.
    async fn reachable(&self, url: &Uri) -> Option<Vec<IpAddr>> {
        let found = self.lookup.addresses(url.host()?).await.ok()?;
        let allowed = |it: &IpAddr| {
            is_public(*it) || self.allowed.iter().any(|network| network.contains(*it))
        };
        let fit: Vec<_> = found
            .into_iter()
            .filter(allowed)
            .take(self.addresses.max(1))
            .collect();
        (!fit.is_empty()).then_some(fit)
    }

    /// Where a redirect leads, if it may be followed.
    fn redirected(&self, from: &Uri, location: &str) -> Option<Uri> {
        let to = match location.strip_prefix('/') {
            Some(rest) if !rest.starts_with('/') => Uri::builder()
                .scheme(from.scheme()?.clone())
                .authority(from.authority()?.clone())
                .path_and_query(location)
                .build()
                .ok()?,
            _ => location.parse::<Uri>().ok()?,
        };
        let authority = to.authority()?;
        let port = to.port_u16();
        let port_fits = match to.scheme_str()? {
            "http" => port.unwrap_or(80) == self.port,
            "https" => port.unwrap_or(443) == 443,
            _ => false,
        };
        let named = is_host_name(authority.host());
        let fits = port_fits && named && !authority.as_str().contains('@');
        // Whoever connects finds the addresses by the name: it has one spelling.
        let authority = authority.as_str().to_ascii_lowercase();
        let mut parts = to.into_parts();
        parts.authority = Some(authority.parse().ok()?);
        fits.then(|| Uri::from_parts(parts).ok()).flatten()
    }
}

fn silent() -> Seen {
    let detail = "no answer came from the server to be validated";
    Seen::Nothing(Problem::new(ErrorType::Connection, detail))
}

/// What exactly failed is the server's to know: the client could map its network with it. A name that leads into a private network
/// and one that leads nowhere are told alike.
fn nowhere() -> Seen {
    let detail = "the name is not known to lead to a public address";
    Seen::Nothing(Problem::new(ErrorType::Dns, detail))
}

#[cfg(test)]
mod tests;
