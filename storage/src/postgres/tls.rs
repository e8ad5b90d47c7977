//! The driver's TLS over `mdm-tls`.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use mdm_tls::{ClientConfig, TlsStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::{
    Socket,
    tls::{self, ChannelBinding, MakeTlsConnect, TlsConnect},
};

/// Verifies chain and name of every server.
#[derive(Clone)]
pub(super) struct VerifyFull(pub(super) ClientConfig);

impl MakeTlsConnect<Socket> for VerifyFull {
    type Stream = Stream;
    type TlsConnect = Handshake;
    type Error = mdm_tls::Error;

    fn make_tls_connect(&mut self, host: &str) -> Result<Handshake, mdm_tls::Error> {
        Ok(Handshake {
            config: self.0.clone(),
            host: host.to_owned(),
        })
    }
}

/// A handshake with a server of that name.
pub(super) struct Handshake {
    config: ClientConfig,
    host: String,
}

impl TlsConnect<Socket> for Handshake {
    type Stream = Stream;
    type Error = mdm_tls::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, mdm_tls::Error>> + Send>>;

    fn connect(self, socket: Socket) -> Self::Future {
        Box::pin(async move { self.config.connect(&self.host, socket).await.map(Stream) })
    }
}

/// An encrypted connection.
pub(super) struct Stream(TlsStream<Socket>);

impl tls::TlsStream for Stream {
    /// None: the server's name is verified, which is what a binding would stand in for.
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
