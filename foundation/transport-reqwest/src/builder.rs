//! Settings of the transport.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use reqwest::{Certificate, ClientBuilder, Identity, redirect::Policy};

use crate::ReqwestTransport;

/// Settings of a [`ReqwestTransport`]. What is wrong with one is told by
/// [`build`](ReqwestTransportBuilder::build).
#[must_use]
pub struct ReqwestTransportBuilder {
    client: ClientBuilder,
    roots: Vec<Certificate>,
    only_roots: bool,
    failure: Option<BuildError>,
}

/// The transport cannot be made with these settings.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A root is no certificate in PEM or DER, or none was found in it.
    #[error("a root is not a certificate in PEM or DER")]
    Root(#[source] Option<reqwest::Error>),
    /// The client's certificates or key cannot be read or do not belong together.
    #[error("the client identity cannot be used")]
    Identity(#[source] reqwest::Error),
    /// Only the given roots were to be trusted, and none was given.
    #[error("no root is given, and only given roots are to be trusted")]
    NobodyTrusted,
    /// reqwest or the platform's TLS refused the settings.
    #[error("the HTTP client cannot be made")]
    Client(#[source] reqwest::Error),
}

impl ReqwestTransportBuilder {
    pub(crate) fn new() -> Self {
        Self {
            // Features are shared by a whole build: another crate's must not change this client.
            client: ClientBuilder::new()
                .tls_backend_native()
                .no_gzip()
                .no_brotli()
                .no_zstd()
                .no_deflate()
                .redirect(Policy::none())
                .connect_timeout(Duration::from_secs(15)),
            roots: Vec::new(),
            only_roots: false,
            failure: None,
        }
    }

    /// Trusts this certificate, or each of several in PEM, beside the system's. DER or PEM.
    pub fn root(mut self, certificate: &[u8]) -> Self {
        let read = if certificate.trim_ascii_start().starts_with(b"-----BEGIN") {
            Certificate::from_pem_bundle(certificate)
        } else {
            Certificate::from_der(certificate).map(|certificate| vec![certificate])
        };
        match read {
            Ok(roots) if roots.is_empty() => self.fail(BuildError::Root(None)),
            Ok(roots) => self.roots.extend(roots),
            Err(error) => self.fail(BuildError::Root(Some(error))),
        }
        self
    }

    /// Whether to trust the given roots alone. Off unless set.
    pub fn only_roots(mut self, only: bool) -> Self {
        self.only_roots = only;
        self
    }

    /// Shows this client certificate: the private key in PKCS#8 and the chain, the client's own
    /// certificate first, both in PEM.
    pub fn identity(mut self, key_pem: &[u8], chain_pem: &[u8]) -> Self {
        match Identity::from_pkcs8_pem(chain_pem, key_pem) {
            Ok(identity) => self.client = self.client.identity(identity),
            Err(error) => self.fail(BuildError::Identity(error)),
        }
        self
    }

    /// Sends this `User-Agent` where a request has none of its own.
    pub fn user_agent(mut self, name: &str) -> Self {
        self.client = self.client.user_agent(name);
        self
    }

    /// Speaks HTTP/2 from the first byte, without asking by ALPN or upgrade.
    pub fn http2_prior_knowledge(mut self) -> Self {
        self.client = self.client.http2_prior_knowledge();
        self
    }

    /// How long a connection may take to be made. Default 15 seconds; the request's deadline holds
    /// in any case.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.client = self.client.connect_timeout(timeout);
        self
    }

    /// Connects directly, whatever proxy the environment names.
    pub fn no_proxy(mut self) -> Self {
        self.client = self.client.no_proxy();
        self
    }

    /// Takes these for the addresses of a host, in place of looking it up. Where URLs name no port it is that of their scheme.
    pub fn resolve(mut self, host: &str, addresses: &[IpAddr]) -> Self {
        let sockets: Vec<_> = addresses.iter().map(|it| SocketAddr::new(*it, 0)).collect();
        self.client = self.client.resolve_to_addrs(host, &sockets);
        self
    }

    /// The transport; nothing is connected yet.
    ///
    /// # Errors
    /// [`BuildError`] for the first setting that cannot be used.
    pub fn build(self) -> Result<ReqwestTransport, BuildError> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let client = match (self.only_roots, self.roots.is_empty()) {
            (true, true) => return Err(BuildError::NobodyTrusted),
            (true, false) => self.client.tls_certs_only(self.roots),
            (false, _) => self.client.tls_certs_merge(self.roots),
        };
        let client = client.build().map_err(BuildError::Client)?;
        Ok(ReqwestTransport { client })
    }

    fn fail(&mut self, failure: BuildError) {
        self.failure.get_or_insert(failure);
    }
}

impl fmt::Debug for ReqwestTransportBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReqwestTransportBuilder")
            .field("roots", &self.roots.len())
            .field("only_roots", &self.only_roots)
            .finish_non_exhaustive()
    }
}
