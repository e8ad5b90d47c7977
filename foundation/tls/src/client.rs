//! The client's side: whom it trusts, who it is, what it wants to speak.

use std::{fmt, net::IpAddr, pin::Pin};

use mdm_pki::Identity;
use openssl::{
    ssl::{Ssl, SslContext, SslMethod, SslVerifyMode},
    x509::verify::X509CheckFlags,
};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    below::Below,
    context,
    error::{Error, ErrorKind, Setup},
    roots::Roots,
    stream::TlsStream,
};

/// How a client connects; cheap to clone. Build it once and keep it.
#[derive(Clone)]
pub struct ClientConfig {
    context: SslContext,
    require_alpn: bool,
}

impl ClientConfig {
    /// Starts with the system's roots, no identity and no ALPN.
    pub fn builder() -> ClientConfigBuilder {
        ClientConfigBuilder {
            roots: Roots::default(),
            identity: None,
            alpn: Vec::new(),
            require_alpn: false,
        }
    }

    /// Shakes hands with the server at the other end of `io`, which must prove to be `server_name`:
    /// a DNS name (sent as SNI) or the text of an IP address (not sent, RFC 6066 §3).
    ///
    /// Waits as long as the server does; put a deadline around it. In TLS 1.3 a server judges the
    /// client's certificate after this has returned: its refusal arrives at the first read, as an
    /// `io::Error` in which [`Error::find`] finds the alert.
    ///
    /// # Errors
    /// [`ErrorKind`] tells the reason: not trusted, expired, another host, no common protocol,
    /// refused by the server, connection lost.
    pub async fn connect<S>(&self, server_name: &str, io: S) -> Result<TlsStream<S>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut stream =
            tokio_openssl::SslStream::new(self.session(server_name)?, Below::new(io)).setup()?;
        if let Err(error) = Pin::new(&mut stream).connect().await {
            return Err(Error::from_handshake(error, stream.ssl().verify_result()));
        }
        let stream = TlsStream::new(stream);
        if self.require_alpn && stream.alpn_protocol().is_none() {
            return Err(Error::new(
                ErrorKind::NoAlpn,
                "the server chose none of the offered protocols".to_owned(),
            ));
        }
        Ok(stream)
    }

    fn session(&self, server_name: &str) -> Result<Ssl, Error> {
        // A name with a dot at its end is the same name; certificates and SNI write it without.
        let name = server_name.strip_suffix('.').unwrap_or(server_name);
        // To OpenSSL a dot in front means "any subdomain of": an empty label is no name.
        let labels_are_empty = name.split('.').any(str::is_empty);
        if labels_are_empty || name.len() > 253 || name.contains(|c: char| !c.is_ascii_graphic()) {
            return Err(Error::new(
                ErrorKind::Configuration,
                "the server name is neither a DNS name nor an IP address".to_owned(),
            ));
        }
        let address: Option<IpAddr> = name.trim_matches(['[', ']']).parse().ok();
        let mut ssl = Ssl::new(&self.context).setup()?;
        let check = ssl.param_mut();
        // A name counts as subjectAltName only (RFC 9525 §2), a wildcard as a whole label only.
        check.set_hostflags(
            X509CheckFlags::NO_PARTIAL_WILDCARDS | X509CheckFlags::NEVER_CHECK_SUBJECT,
        );
        match address {
            Some(address) => check.set_ip(address).setup()?,
            None => {
                check.set_host(name).setup()?;
                ssl.set_hostname(name).setup()?;
            }
        }
        Ok(ssl)
    }
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientConfig")
            .field("require_alpn", &self.require_alpn)
            .finish_non_exhaustive()
    }
}

/// Builds a [`ClientConfig`].
#[derive(Debug, Clone)]
pub struct ClientConfigBuilder {
    roots: Roots,
    identity: Option<Identity>,
    alpn: Vec<String>,
    require_alpn: bool,
}

impl ClientConfigBuilder {
    /// Whom to trust; the system's roots unless set.
    pub fn roots(mut self, roots: Roots) -> Self {
        self.roots = roots;
        self
    }

    /// The certificate, chain and key to show when the server asks for one.
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// The protocols to offer (RFC 7301), the preferred first. Each holds 1 to 255 bytes.
    pub fn alpn<T: AsRef<str>>(mut self, protocols: &[T]) -> Self {
        self.alpn = protocols.iter().map(|p| p.as_ref().to_owned()).collect();
        self
    }

    /// Whether to give up when the server chooses none of the offered protocols; off unless set.
    pub fn require_alpn(mut self, require: bool) -> Self {
        self.require_alpn = require;
        self
    }

    /// Checks and keeps the settings.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] for an unusable identity, root or protocol name.
    pub fn build(self) -> Result<ClientConfig, Error> {
        let mut context = context::builder(SslMethod::tls_client())?;
        context.set_verify(SslVerifyMode::PEER);
        context.set_cert_store(self.roots.store()?);
        if let Some(identity) = &self.identity {
            context::set_identity(&mut context, identity)?;
        }
        if !self.alpn.is_empty() {
            context
                .set_alpn_protos(&context::alpn_wire(&self.alpn)?)
                .setup()?;
        }
        Ok(ClientConfig {
            context: context.build(),
            require_alpn: self.require_alpn,
        })
    }
}
