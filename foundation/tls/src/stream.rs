//! The stream after the handshake.

use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use mdm_pki::Certificate;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{below::Below, error::Error};

/// A TLS stream over `S`, its handshake done and its peer verified as configured.
///
/// What goes wrong inside TLS later arrives as an `io::Error` in which [`Error::find`] finds the
/// reason; an alert about our certificate has the kind `PermissionDenied`, a connection cut short
/// `UnexpectedEof`.
pub struct TlsStream<S>(tokio_openssl::SslStream<Below<S>>);

impl<S> TlsStream<S> {
    pub(crate) fn new(stream: tokio_openssl::SslStream<Below<S>>) -> Self {
        Self(stream)
    }

    /// The certificate that the peer showed; `None` where it showed none.
    pub fn peer_certificate(&self) -> Option<Certificate> {
        let der = self.0.ssl().peer_certificate()?.to_der().ok()?;
        Certificate::from_der(&der).ok()
    }

    /// The protocol agreed on (RFC 7301).
    pub fn alpn_protocol(&self) -> Option<&[u8]> {
        self.0.ssl().selected_alpn_protocol()
    }

    /// The TLS version agreed on: `TLSv1.2` or `TLSv1.3`.
    pub fn version(&self) -> &'static str {
        self.0.ssl().version_str()
    }

    /// The name that the client asked for (SNI), as the server sees it.
    pub fn server_name(&self) -> Option<&str> {
        self.0.ssl().servername(openssl::ssl::NameType::HOST_NAME)
    }

    /// The stream below.
    pub fn get_ref(&self) -> &S {
        &self.0.get_ref().io
    }

    /// The stream below; reading or writing there breaks the TLS stream.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.0.get_mut().io
    }
}

impl<S> fmt::Debug for TlsStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream")
            .field("version", &self.version())
            .finish_non_exhaustive()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for TlsStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = buf.remaining();
        ready!(Pin::new(&mut self.0).poll_read(cx, buf)).map_err(Error::wrap)?;
        if room > 0 && buf.remaining() == room && self.0.get_ref().ended {
            return Poll::Ready(Err(Error::cut_short().into_io()));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(ready!(Pin::new(&mut self.0).poll_write(cx, buf)).map_err(Error::wrap))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(ready!(Pin::new(&mut self.0).poll_flush(cx)).map_err(Error::wrap))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(ready!(Pin::new(&mut self.0).poll_shutdown(cx)).map_err(Error::wrap))
    }
}
