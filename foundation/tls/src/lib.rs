//! TLS for tokio on OpenSSL: who is trusted, who we are, which protocol is spoken on top.
//!
//! | Module | What lives there |
//! |---|---|
//! | [`client`] | [`ClientConfig`]: roots, client identity, ALPN; connects and checks the host name |
//! | [`server`] | [`ServerConfig`]: identity, ALPN, [`ClientAuth`]; accepts |
//! | [`roots`] | [`Roots`]: whom a client trusts |
//! | [`stream`] | [`TlsStream`]: bytes in, bytes out, and who is at the other end |
//! | [`error`] | [`Error`] and its [`ErrorKind`]: untrusted, expired, other host, refused by the peer |
//!
//! What always holds, whatever the configuration: TLS 1.2 or newer with forward secrecy and an
//! AEAD cipher; the server's chain and name (DNS name or IP address) are verified; no
//! renegotiation, no compression. There is no switch that turns verification off.
//!
//! A handshake waits as long as its peer does: put a deadline around [`ClientConfig::connect`] and
//! [`ServerConfig::accept`] (`tokio::time::timeout`). Dropping either future ends the handshake.
//!
//! ```no_run
//! use mdm_pki::{Certificate, Identity};
//! use mdm_tls::{ClientConfig, ErrorKind, Roots};
//! use tokio::{io::AsyncWriteExt, net::TcpStream};
//!
//! async fn talk(root: Certificate, identity: Identity) -> Result<(), Box<dyn std::error::Error>> {
//!     let config = ClientConfig::builder()
//!         .roots(Roots::Only(vec![root]))
//!         .identity(identity)
//!         .alpn(&["h2"])
//!         .require_alpn(true)
//!         .build()?;
//!     let tcp = TcpStream::connect(("push.example.com", 2197)).await?;
//!     let mut stream = match config.connect("push.example.com", tcp).await {
//!         Ok(stream) => stream,
//!         Err(error) if error.kind() == ErrorKind::HostMismatch => return Err("another host".into()),
//!         Err(error) => return Err(error.into()),
//!     };
//!     assert_eq!(stream.alpn_protocol(), Some(&b"h2"[..]));
//!     stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await?;
//!     Ok(())
//! }
//! ```

pub mod client;
pub mod error;
pub mod roots;
pub mod server;
pub mod stream;

mod below;
mod context;

pub use client::{ClientConfig, ClientConfigBuilder};
pub use error::{Alert, Error, ErrorKind};
pub use roots::Roots;
pub use server::{ClientAuth, ServerConfig, ServerConfigBuilder};
pub use stream::TlsStream;
