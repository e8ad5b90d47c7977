//! Certificates made for one test, and a handshake between the two ends of a loopback connection.

use chrono::{TimeDelta, Utc};
use mdm_pki::{
    Certificate, CertificateBuilder, GeneralName, Identity, KeySpec, KeyUsage, Name, Oid,
    PrivateKey,
};
use mdm_tls::{ClientConfig, Error, ServerConfig, TlsStream};
use tokio::net::{TcpListener, TcpStream};

/// An authority made for one test.
pub(crate) struct Authority {
    pub(crate) root: Certificate,
    key: PrivateKey,
}

/// From how many days ago until how many days from now a certificate is valid.
pub(crate) const TODAY: (i64, i64) = (-1, 1);

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let key = PrivateKey::generate(KeySpec::P256).unwrap();
        let root = builder(name, &key, TODAY)
            .ca(None)
            .key_usage(KeyUsage::KEY_CERT_SIGN)
            .self_signed(&key)
            .unwrap();
        Self { root, key }
    }

    /// A server's identity for these names.
    pub(crate) fn server(&self, names: &[GeneralName]) -> Identity {
        self.issue("server", names, &[mdm_pki::oid::SERVER_AUTH], TODAY)
    }

    pub(crate) fn issue(
        &self,
        name: &str,
        names: &[GeneralName],
        usages: &[Oid],
        days: (i64, i64),
    ) -> Identity {
        let key = PrivateKey::generate(KeySpec::P256).unwrap();
        let mut builder = builder(name, &key, days).extended_key_usage(usages);
        for name in names {
            builder = builder.san(name.clone());
        }
        let certificate = builder.sign(&self.root, &self.key).unwrap();
        Identity::new(certificate, Vec::new(), key).unwrap()
    }

    /// An authority under this one.
    pub(crate) fn below(&self, name: &str) -> Self {
        let key = PrivateKey::generate(KeySpec::P256).unwrap();
        let root = builder(name, &key, TODAY)
            .ca(Some(0))
            .key_usage(KeyUsage::KEY_CERT_SIGN)
            .sign(&self.root, &self.key)
            .unwrap();
        Self { root, key }
    }
}

fn builder(name: &str, key: &PrivateKey, (from, to): (i64, i64)) -> CertificateBuilder {
    let now = Utc::now();
    CertificateBuilder::new(Name::from_common_name(name), key.public_key())
        .validity(now + TimeDelta::days(from), now + TimeDelta::days(to))
}

pub(crate) fn dns(name: &str) -> GeneralName {
    GeneralName::Dns(name.to_owned())
}

/// Both ends of a new loopback connection.
pub(crate) async fn wire() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap());
    let (client, accepted) = tokio::join!(client, listener.accept());
    (client.unwrap(), accepted.unwrap().0)
}

pub(crate) type Ends = (
    Result<TlsStream<TcpStream>, Error>,
    Result<TlsStream<TcpStream>, Error>,
);

/// What the client and the server make of a handshake.
pub(crate) async fn handshake(client: &ClientConfig, server: &ServerConfig, name: &str) -> Ends {
    let (near, far) = wire().await;
    tokio::join!(client.connect(name, near), server.accept(far))
}
