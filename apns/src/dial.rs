//! The way to the push service: straight, or through an HTTP proxy.

use std::{fmt, io};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use mdm_core::Secret;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Opens the TCP connection that TLS is then spoken over.
///
/// Every connection asks afresh: Apple wants its name looked up before each, since an address may
/// be gone by the next.
#[async_trait]
pub trait Dial: fmt::Debug + Send + Sync {
    /// Connects to `host`, a DNS name or an IP address. The caller puts a deadline around it.
    ///
    /// # Errors
    /// As of the system: name not found, refused, unreachable.
    async fn dial(&self, host: &str, port: u16) -> io::Result<TcpStream>;
}

/// Straight to the service, by the system's resolver; each address it names is tried in turn.
#[derive(Debug, Clone, Copy, Default)]
pub struct Direct;

#[async_trait]
impl Dial for Direct {
    async fn dial(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        TcpStream::connect((host.trim_matches(['[', ']']), port)).await
    }
}

/// Through an HTTP proxy by `CONNECT` (RFC 9110 §9.3.6), which looks the name up itself.
///
/// TLS runs from end to end: the proxy sees neither certificate nor pushes.
///
/// ```
/// use std::sync::Arc;
/// use mdm_apns::{Config, dial::Tunnel};
///
/// let proxy = Tunnel::new("proxy.example.com", 3128).basic("user", &"password".to_owned().into());
/// let config = Config::production().with(|config| config.dial = Arc::new(proxy));
/// ```
#[derive(Debug, Clone)]
pub struct Tunnel {
    host: String,
    port: u16,
    authorization: Option<Secret<String>>,
}

/// The most bytes of the proxy's answer, head only.
const MAX_ANSWER: usize = 8192;

impl Tunnel {
    /// By the proxy at this name or address.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            authorization: None,
        }
    }

    /// Shows the proxy a user's name and password (RFC 7617).
    #[must_use]
    pub fn basic(self, user: &str, password: &Secret<String>) -> Self {
        let credentials = format!("{user}:{}", password.expose());
        self.authorization(Secret::new(format!(
            "Basic {}",
            STANDARD.encode(credentials)
        )))
    }

    /// Shows the proxy this `Proxy-Authorization`, such as `Bearer ...`.
    #[must_use]
    pub fn authorization(mut self, authorization: Secret<String>) -> Self {
        self.authorization = Some(authorization);
        self
    }

    fn request(&self, host: &str, port: u16) -> io::Result<String> {
        let target = match host.contains(':') && !host.starts_with('[') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        };
        let authorization = self
            .authorization
            .as_ref()
            .map_or("", |value| value.expose());
        // A line break would begin another header, or another request.
        if [&target, authorization]
            .iter()
            .any(|text| text.contains(char::is_control))
        {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
        if !authorization.is_empty() {
            request.extend(["Proxy-Authorization: ", authorization, "\r\n"]);
        }
        request.push_str("\r\n");
        Ok(request)
    }
}

#[async_trait]
impl Dial for Tunnel {
    async fn dial(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let request = self.request(host, port)?;
        let mut stream = Direct.dial(&self.host, self.port).await?;
        stream.write_all(request.as_bytes()).await?;
        match answer(&mut stream).await? {
            200..=299 => Ok(stream),
            status => Err(io::Error::other(format!("the proxy answered {status}"))),
        }
    }
}

/// The status of the proxy's answer, read to the end of its head and not a byte further: what
/// follows is TLS.
async fn answer(stream: &mut TcpStream) -> io::Result<u16> {
    let mut head = Vec::with_capacity(256);
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= MAX_ANSWER {
            return Err(io::Error::other("the proxy's answer is too long"));
        }
        head.push(stream.read_u8().await?);
    }
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    match response.parse(&head) {
        Ok(httparse::Status::Complete(_)) => {}
        _ => return Err(io::Error::other("the proxy's answer is not HTTP")),
    }
    response
        .code
        .ok_or_else(|| io::Error::other("the proxy's answer has no status"))
}
