//! The server's side: who it is, what it speaks, whether a client must show a certificate.

use std::{fmt, pin::Pin};

use mdm_pki::{Certificate, Identity};
use openssl::{
    ssl::{AlpnError, Ssl, SslContext, SslContextBuilder, SslMethod, SslVerifyMode},
    x509::X509PurposeId,
};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    below::Below,
    context,
    error::{Error, ErrorKind, Setup},
    roots,
    stream::TlsStream,
};

/// Whether a client shows a certificate.
///
/// A certificate that is shown is verified up to one of `roots`, its validity included, for any
/// extended key usage: device identities and push certificates carry different ones or none.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum ClientAuth {
    /// Clients are not asked for a certificate.
    #[default]
    None,
    /// Clients are asked and may stay anonymous; a certificate that does not verify is refused.
    Optional {
        /// Whom the client's chain must end in.
        roots: Vec<Certificate>,
    },
    /// Clients without a certificate are refused.
    Required {
        /// Whom the client's chain must end in.
        roots: Vec<Certificate>,
    },
}

/// How a server accepts; cheap to clone.
#[derive(Clone)]
pub struct ServerConfig {
    context: SslContext,
    require_alpn: bool,
}

impl ServerConfig {
    /// Starts with the server's certificate, chain and key, no ALPN and no client certificates.
    pub fn builder(identity: Identity) -> ServerConfigBuilder {
        ServerConfigBuilder {
            identity,
            alpn: Vec::new(),
            require_alpn: false,
            client_auth: ClientAuth::None,
        }
    }

    /// Shakes hands with the client at the other end of `io`.
    ///
    /// Waits as long as the client does; put a deadline around it.
    ///
    /// # Errors
    /// [`ErrorKind`] tells the reason: no certificate shown, not trusted, expired, no common
    /// protocol or version, refused by the client, connection lost.
    pub async fn accept<S>(&self, io: S) -> Result<TlsStream<S>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut stream =
            tokio_openssl::SslStream::new(Ssl::new(&self.context).setup()?, Below::new(io))
                .setup()?;
        if let Err(error) = Pin::new(&mut stream).accept().await {
            return Err(Error::from_handshake(error, stream.ssl().verify_result()));
        }
        let stream = TlsStream::new(stream);
        if self.require_alpn && stream.alpn_protocol().is_none() {
            return Err(Error::new(
                ErrorKind::NoAlpn,
                "the client offered no protocol".to_owned(),
            ));
        }
        Ok(stream)
    }
}

impl fmt::Debug for ServerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerConfig")
            .field("require_alpn", &self.require_alpn)
            .finish_non_exhaustive()
    }
}

/// Builds a [`ServerConfig`].
#[derive(Debug, Clone)]
pub struct ServerConfigBuilder {
    identity: Identity,
    alpn: Vec<String>,
    require_alpn: bool,
    client_auth: ClientAuth,
}

impl ServerConfigBuilder {
    /// The protocols to speak (RFC 7301), the preferred first. Each holds 1 to 255 bytes.
    pub fn alpn<T: AsRef<str>>(mut self, protocols: &[T]) -> Self {
        self.alpn = protocols.iter().map(|p| p.as_ref().to_owned()).collect();
        self
    }

    /// Whether to refuse clients that offer none of the protocols, with the alert
    /// `no_application_protocol` where they offer others; off unless set.
    pub fn require_alpn(mut self, require: bool) -> Self {
        self.require_alpn = require;
        self
    }

    /// Whether clients show a certificate; they do not unless set.
    pub fn client_auth(mut self, client_auth: ClientAuth) -> Self {
        self.client_auth = client_auth;
        self
    }

    /// Checks and keeps the settings.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] for an unusable identity, root or protocol name, or client
    /// certificates wanted with nobody to trust.
    pub fn build(self) -> Result<ServerConfig, Error> {
        let mut context = context::builder(SslMethod::tls_server())?;
        context::set_identity(&mut context, &self.identity)?;
        match &self.client_auth {
            ClientAuth::None => context.set_verify(SslVerifyMode::NONE),
            ClientAuth::Optional { roots } => {
                ask_for_certificate(&mut context, roots, SslVerifyMode::PEER)?;
            }
            ClientAuth::Required { roots } => ask_for_certificate(
                &mut context,
                roots,
                SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT,
            )?,
        }
        if !self.alpn.is_empty() {
            let wire = context::alpn_wire(&self.alpn)?;
            let otherwise = if self.require_alpn {
                AlpnError::ALERT_FATAL
            } else {
                AlpnError::NOACK
            };
            context.set_alpn_select_callback(move |_, offered| {
                select(&wire, offered).ok_or(otherwise)
            });
        }
        Ok(ServerConfig {
            context: context.build(),
            require_alpn: self.require_alpn,
        })
    }
}

fn ask_for_certificate(
    context: &mut SslContextBuilder,
    roots: &[Certificate],
    mode: SslVerifyMode,
) -> Result<(), Error> {
    if roots.is_empty() {
        return Err(Error::new(
            ErrorKind::Configuration,
            "client certificates are asked for, and no root is given to trust".to_owned(),
        ));
    }
    for root in roots {
        context.add_client_ca(&*context::x509(root)?).setup()?;
    }
    context.set_cert_store(roots::store_of(roots)?);
    context
        .verify_param_mut()
        .set_purpose(X509PurposeId::ANY)
        .setup()?;
    // OpenSSL resumes no session of a verified client without a name for the context it began in.
    context.set_session_id_context(b"mdm-tls").setup()?;
    context.set_verify(mode);
    Ok(())
}

/// The first of `ours` that `offered` holds too, as a part of `offered`; both in wire form.
fn select<'a>(ours: &[u8], offered: &'a [u8]) -> Option<&'a [u8]> {
    protocols(ours).find_map(|wanted| protocols(offered).find(|protocol| *protocol == wanted))
}

fn protocols(mut wire: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = wire.split_first()?;
        let (protocol, rest) = rest.split_at_checked(usize::from(*length))?;
        wire = rest;
        Some(protocol)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_preference_decides() {
        assert_eq!(
            select(b"\x02h2\x08http/1.1", b"\x08http/1.1\x02h2"),
            Some(&b"h2"[..])
        );
        assert_eq!(select(b"\x02h2", b"\x08http/1.1"), None);
        assert_eq!(select(b"\x02h2", b""), None);
        assert_eq!(select(b"\x02h2", b"\x09h2"), None);
    }
}
