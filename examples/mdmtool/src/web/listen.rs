//! Where a server listens, and whether it speaks TLS.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;
use mdm_tls::ServerConfig;
use mdmtool::one_line;
use tokio::net::TcpListener;

use super::Web;
use crate::{
    failure::Failure,
    files::{IdentityFiles, Passphrase},
    kind::Kind,
};

#[derive(Debug, Args)]
pub(crate) struct Listen {
    /// Where to listen. Port 0 takes a free one; the first line says which.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Speak TLS with the certificate and its chain in this file: PEM, DER or PKCS #12.
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// Its key, PEM or DER.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// How many connections may be open; the next waits to be accepted.
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..))]
    max_connections: u16,
}

/// Binds a port without TLS, for a few connections.
pub(crate) async fn plain(address: SocketAddr, max_body: usize) -> Result<Web, Failure> {
    let listener = TcpListener::bind(address).await.map_err(|error| {
        Failure::told(
            Kind::Other,
            format!("cannot listen on {address}: {}", one_line(&error)),
            "name an address of this machine and a port that is free",
        )
    })?;
    Ok(Web {
        listener,
        tls: None,
        max_body,
        max_connections: 16,
    })
}

impl Listen {
    /// Binds the port, for requests with bodies of so many bytes at most.
    pub(crate) async fn bind(
        &self,
        passphrase: &Passphrase,
        max_body: usize,
    ) -> Result<Web, Failure> {
        let tls = self.tls(passphrase)?;
        let web = plain(self.listen, max_body).await?;
        Ok(Web {
            tls,
            max_connections: self.max_connections.into(),
            ..web
        })
    }

    fn tls(&self, passphrase: &Passphrase) -> Result<Option<ServerConfig>, Failure> {
        let Some(certificate) = &self.tls_cert else {
            return Ok(None);
        };
        let files = IdentityFiles::of(certificate.clone(), self.tls_key.clone(), passphrase);
        let config = ServerConfig::builder(files.read()?)
            .alpn(&["http/1.1"])
            .build();
        config.map(Some).map_err(|error| {
            Failure::input(
                one_line(&error),
                "give the server's certificate, with its chain, and its key",
            )
        })
    }
}
