//! Mutual TLS that ends in a proxy, which tells the certificate in a header.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderName, Request};
use mdm_pki::Certificate;
use mdm_protocol::signature::ClockSkew;

use super::{CertificateError, IdentityError, IdentitySource, is_absent, issuers::Issuers};

mod client_cert;
mod envoy;
mod pem;

/// Longest header that is read, in bytes.
const MAX_HEADER_BYTES: usize = 64 << 10;

/// Who is at the other end of the connection, put into the request's extensions by whoever accepts
/// connections. Without it no header of a proxy counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// A header with the certificate that a device showed to a proxy.
///
/// It counts only in a request that comes from a trusted proxy; in any other it counts as absent, since
/// whoever speaks to this program directly writes what they like. A proxy must overwrite or remove such
/// a header that a client sent. The issuer is checked here as well: most proxies can only ask for *a*
/// certificate.
///
/// ```
/// use mdm_pki::Certificate;
/// use mdm_service::identity::ProxyHeader;
///
/// fn behind_nginx(issuers: &[Certificate]) -> Result<ProxyHeader, Box<dyn std::error::Error>> {
///     // proxy_set_header X-Client-Cert $ssl_client_escaped_cert;
///     let trusted = ["10.0.0.0/8".parse()?, "::1".parse()?];
///     Ok(ProxyHeader::pem("x-client-cert".parse()?, issuers, trusted)?)
/// }
/// ```
#[derive(Debug, Clone)]
pub struct ProxyHeader {
    form: Form,
    issuers: Issuers,
    trusted: Vec<Network>,
}

#[derive(Debug, Clone)]
enum Form {
    ClientCert,
    Pem(HeaderName),
    Envoy { proxies: usize },
}

impl ProxyHeader {
    /// `Client-Cert` and `Client-Cert-Chain` (RFC 9440).
    ///
    /// # Errors
    /// [`mdm_pki::Error`] for an issuer that cannot be used.
    pub fn client_cert(
        issuers: &[Certificate],
        trusted: impl IntoIterator<Item = Network>,
    ) -> Result<Self, mdm_pki::Error> {
        Self::new(Form::ClientCert, issuers, trusted)
    }

    /// A header with percent-encoded PEM, the device's certificate first: nginx's
    /// `$ssl_client_escaped_cert`. Base64 without the lines of PEM, commas between certificates, is read
    /// too, as HAProxy and Traefik write it.
    ///
    /// # Errors
    /// [`mdm_pki::Error`] for an issuer that cannot be used.
    pub fn pem(
        header: HeaderName,
        issuers: &[Certificate],
        trusted: impl IntoIterator<Item = Network>,
    ) -> Result<Self, mdm_pki::Error> {
        Self::new(Form::Pem(header), issuers, trusted)
    }

    /// Envoy's `x-forwarded-client-cert`, with `Cert` or `Chain` in it, as the proxy next to this
    /// program wrote it. Where several proxies append to it, [`proxies`](Self::proxies) says so.
    ///
    /// The edge, which devices speak to, has to be set to `forward_client_cert_details: SANITIZE_SET`, and
    /// only those behind it to `APPEND_FORWARD`: a header with more or fewer elements than there are proxies is
    /// refused, since a client wrote some of it. `Hash`, which Envoy always writes, has to be of the certificate.
    ///
    /// # Errors
    /// [`mdm_pki::Error`] for an issuer that cannot be used.
    pub fn envoy(
        issuers: &[Certificate],
        trusted: impl IntoIterator<Item = Network>,
    ) -> Result<Self, mdm_pki::Error> {
        Self::new(Form::Envoy { proxies: 1 }, issuers, trusted)
    }

    fn new(
        form: Form,
        issuers: &[Certificate],
        trusted: impl IntoIterator<Item = Network>,
    ) -> Result<Self, mdm_pki::Error> {
        Ok(Self {
            form,
            issuers: Issuers::new(issuers)?,
            trusted: trusted.into_iter().collect(),
        })
    }

    /// How many proxies of ours write to Envoy's header, one element each: the device is what the outermost of
    /// them saw, in the first. 1 unless set; 0 counts as 1. Other headers name one certificate, and this
    /// changes nothing.
    #[must_use]
    pub fn proxies(mut self, count: usize) -> Self {
        if let Form::Envoy { proxies } = &mut self.form {
            *proxies = count.max(1);
        }
        self
    }

    /// Of how many certificates it is remembered that one of the issuers issued them, which saves most of the time that a
    /// request takes here. 65,536 unless set, some 128 bytes each; 0 has each request looked at from the start. That a
    /// certificate is valid is looked at each time.
    #[must_use]
    pub fn remember(mut self, certificates: usize) -> Self {
        self.issuers.remember(certificates);
        self
    }

    /// Bounds on wrong clocks; there is no signing time here.
    #[must_use]
    pub fn clock_skew(mut self, skew: ClockSkew) -> Self {
        self.issuers.skew = skew;
        self
    }

    fn is_from_trusted_proxy(&self, request: &Request<Bytes>) -> bool {
        let peer = request.extensions().get::<Peer>();
        peer.is_some_and(|Peer(peer)| {
            let address = peer.ip().to_canonical();
            self.trusted.iter().any(|network| network.contains(address))
        })
    }

    fn told(&self, headers: &HeaderMap) -> Result<Option<Told>, CertificateError> {
        match &self.form {
            Form::ClientCert => client_cert::read(headers),
            Form::Pem(header) => only(headers, header)?.map(pem::read).transpose(),
            Form::Envoy { proxies } => envoy::read(headers, *proxies),
        }
    }
}

#[async_trait]
impl IdentitySource for ProxyHeader {
    async fn identify(
        &self,
        request: &Request<Bytes>,
        now: DateTime<Utc>,
    ) -> Result<Certificate, IdentityError> {
        if !self.is_from_trusted_proxy(request) {
            return Err(IdentityError::Missing);
        }
        let told = self
            .told(request.headers())
            .map_err(IdentityError::invalid)?;
        let told = told.ok_or(IdentityError::Missing)?;
        self.issuers
            .check(told.leaf, &told.chain, now)
            .map_err(IdentityError::invalid)
    }
}

/// What a header tells.
#[derive(Debug)]
struct Told {
    leaf: Certificate,
    chain: Vec<Certificate>,
}

impl Told {
    /// The device's certificate and what follows it.
    fn from_stack(stack: Vec<Certificate>) -> Result<Self, CertificateError> {
        let mut stack = stack.into_iter();
        let leaf = stack
            .next()
            .ok_or(CertificateError::Syntax("holds no certificate"))?;
        Ok(Self {
            leaf,
            chain: stack.collect(),
        })
    }
}

/// The value of a header that may stand once. One that is empty, or says so in another way, is none: the proxy saw no
/// certificate.
fn only<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a [u8]>, CertificateError> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(CertificateError::Repeated(name.clone()));
    }
    let value = value.as_bytes().trim_ascii();
    bounded(value)?;
    Ok(Some(value).filter(|value| !is_absent(value)))
}

fn bounded(value: &[u8]) -> Result<(), CertificateError> {
    if value.len() > MAX_HEADER_BYTES {
        return Err(CertificateError::TooLong {
            bytes: value.len(),
            limit: MAX_HEADER_BYTES,
        });
    }
    Ok(())
}

/// Addresses with a common beginning, as in `10.0.0.0/8` or `fd00::/8`; without a slash, one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// The addresses whose first `prefix` bits are those of `address`.
    ///
    /// # Errors
    /// [`InvalidNetwork`] for more bits than the address has.
    pub fn new(address: IpAddr, prefix: u8) -> Result<Self, InvalidNetwork> {
        let bits = if address.is_ipv4() { 32 } else { 128 };
        (prefix <= bits)
            .then_some(Self { address, prefix })
            .ok_or(InvalidNetwork)
    }

    /// Whether the address is one of these. An IPv4 address written as IPv6 is the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differing = u32::from(own) ^ u32::from(other);
                differing.leading_zeros() >= u32::from(self.prefix)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differing = u128::from(own) ^ u128::from(other);
                differing.leading_zeros() >= u32::from(self.prefix)
            }
            _ => false,
        }
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        let prefix = if address.is_ipv4() { 32 } else { 128 };
        Self { address, prefix }
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let Some((address, prefix)) = text.split_once('/') else {
            let address: IpAddr = text.parse().map_err(|_| InvalidNetwork)?;
            return Ok(address.into());
        };
        let address = address.parse().map_err(|_| InvalidNetwork)?;
        Self::new(address, prefix.parse().map_err(|_| InvalidNetwork)?)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// A text that is no [`Network`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no network: an address, a slash and a number of bits")]
pub struct InvalidNetwork;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_the_addresses_with_its_first_bits() {
        for (network, address, holds) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.2", false),
            ("0.0.0.0/0", "192.0.2.1", true),
            ("0.0.0.0/0", "::1", false),
            ("192.0.2.0/24", "::ffff:192.0.2.7", true),
            ("fd00::/8", "fdff::1", true),
            ("fd00::/8", "fe00::1", false),
            ("::/0", "2001:db8::1", true),
        ] {
            let network: Network = network.parse().unwrap();
            assert_eq!(
                network.contains(address.parse().unwrap()),
                holds,
                "{network} {address}"
            );
            assert_eq!(network.to_string().parse::<Network>().unwrap(), network);
        }
        for text in [
            "",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0/8",
            "x/8",
            "1.2.3.4/-1",
        ] {
            assert_eq!(text.parse::<Network>(), Err(InvalidNetwork), "{text}");
        }
    }
}
