//! How a server looks whether a name is the client's: `http-01` and `dns-01` (RFC 8555 sections 8.3 and 8.4).
//!
//! Whoever connects and looks up is the embedder's: a transport should reach public addresses alone, since the
//! names come from strangers.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Uri, header, uri};
use mdm_pki::{
    DigestAlgorithm,
    digest::{constant_time_eq, digest},
};
use mdm_transport::{HttpTransport, SendLimits};

use super::{
    base64url,
    problem::{ErrorType, Problem},
};

/// Looks up TXT records.
#[async_trait]
pub trait TxtLookup: fmt::Debug + Send + Sync {
    /// The records of this name, the strings of each joined; none where the name has none or does not exist.
    ///
    /// # Errors
    /// Where that cannot be said now.
    async fn txt(&self, name: &str) -> Result<Vec<String>, LookupError>;
}

/// A name could not be looked up.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the name could not be looked up: {0}")]
pub struct LookupError(pub String);

/// How `http-01` is looked at.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HttpValidation {
    /// Who connects. It follows no redirects itself.
    pub transport: Arc<dyn HttpTransport>,
    /// The port: 80, and another one in tests alone.
    pub port: u16,
    /// How many redirects are followed: 5 unless changed. They lead to host names alone, by `http` to the same port
    /// or by `https` to 443.
    pub redirects: usize,
    /// How long one request may take: 10 seconds unless changed.
    pub deadline: Duration,
}

impl HttpValidation {
    /// Over this transport.
    pub fn new(transport: Arc<dyn HttpTransport>) -> Self {
        Self {
            transport,
            port: 80,
            redirects: 5,
            deadline: Duration::from_secs(10),
        }
    }

    /// With changes.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// The longest answer that is read, in bytes. A key authorization has less than 200.
const MAX_BODY: usize = 4096;

/// What the server has seen.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Seen {
    /// What it should.
    Met,
    /// Something else: this will not get better.
    Wrong(Problem),
    /// Nothing: perhaps the next time.
    Nothing(Problem),
}

fn wrong(kind: ErrorType, detail: impl Into<String>) -> Seen {
    Seen::Wrong(Problem::new(kind, detail))
}

impl HttpValidation {
    pub(crate) async fn look(&self, host: &str, token: &str, key_authorization: &str) -> Seen {
        let path = format!("/.well-known/acme-challenge/{token}");
        let authority = match self.port {
            80 => host.to_owned(),
            port => format!("{host}:{port}"),
        };
        let first = Uri::builder()
            .scheme(uri::Scheme::HTTP)
            .authority(authority)
            .path_and_query(path)
            .build();
        let Ok(mut url) = first else {
            return wrong(ErrorType::Malformed, "the name makes no URL");
        };
        for _ in 0..=self.redirects {
            let mut request = Request::new(Bytes::new());
            *request.uri_mut() = url.clone();
            request
                .extensions_mut()
                .insert(SendLimits::new(MAX_BODY, self.deadline));
            let response = match self.transport.send(request).await {
                Ok(response) => response,
                // What exactly failed is the server's to know: the client could map its network with it.
                Err(_) => {
                    let detail = "no answer came from the server to be validated";
                    return Seen::Nothing(Problem::new(ErrorType::Connection, detail));
                }
            };
            if response.status().is_redirection() {
                let location = response.headers().get(header::LOCATION);
                match location.and_then(|to| self.redirected(&url, to.to_str().ok()?)) {
                    Some(next) => url = next,
                    None => {
                        let detail = "a redirect leads where none is followed";
                        return wrong(ErrorType::Connection, detail);
                    }
                }
                continue;
            }
            if response.status() != 200 {
                let detail = format!("the answer has status {}", response.status().as_u16());
                return wrong(ErrorType::Unauthorized, detail);
            }
            // RFC 8555 section 8.3: white space at the end does not count.
            let body = response.body().trim_ascii_end();
            return match constant_time_eq(body, key_authorization.as_bytes()) {
                true => Seen::Met,
                false => wrong(
                    ErrorType::Unauthorized,
                    "the answer is not the key authorization",
                ),
            };
        }
        wrong(ErrorType::Connection, "too many redirects")
    }

    /// Where a redirect leads, if it may be followed.
    fn redirected(&self, from: &Uri, location: &str) -> Option<Uri> {
        let to = match location.strip_prefix('/') {
            Some(rest) if !rest.starts_with('/') => Uri::builder()
                .scheme(from.scheme()?.clone())
                .authority(from.authority()?.clone())
                .path_and_query(location)
                .build()
                .ok()?,
            _ => location.parse::<Uri>().ok()?,
        };
        let authority = to.authority()?;
        let port = to.port_u16();
        let port_fits = match to.scheme_str()? {
            "http" => port.unwrap_or(80) == self.port,
            "https" => port.unwrap_or(443) == 443,
            _ => false,
        };
        let named = is_host_name(authority.host());
        (port_fits && named && !authority.as_str().contains('@')).then_some(to)
    }
}

/// Looks for the digest of a key authorization in the TXT records of `_acme-challenge` below a name.
pub(crate) async fn look_up(
    dns: &dyn TxtLookup,
    host: &str,
    key_authorization: &str,
) -> Result<Seen, mdm_pki::Error> {
    let expected = base64url::encode(digest(
        DigestAlgorithm::Sha256,
        key_authorization.as_bytes(),
    )?);
    Ok(match dns.txt(&format!("_acme-challenge.{host}")).await {
        Err(_) => {
            let detail = "the TXT records could not be looked up";
            Seen::Nothing(Problem::new(ErrorType::Dns, detail))
        }
        Ok(records) => {
            let met = |record: &String| constant_time_eq(record.as_bytes(), expected.as_bytes());
            match records.iter().any(met) {
                true => Seen::Met,
                // A record may not have reached all servers of a zone yet.
                false => Seen::Nothing(Problem::new(
                    ErrorType::Unauthorized,
                    "no TXT record has the digest of the key authorization",
                )),
            }
        }
    })
}

/// Whether this is a host name in lower case: labels of letters, digits and hyphens, at least two, the last one not a
/// number (so no IP address either), as RFC 1123 section 2.1 and RFC 5890 for names in ASCII.
pub(crate) fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        (1..=63).contains(&label.len())
            && label.bytes().all(plain)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let numeric = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    name.len() <= 253
        && name.contains('.')
        && name.split('.').all(label)
        && !name.rsplit('.').next().is_none_or(numeric)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures_util::FutureExt as _;
    use http::{Response, StatusCode};
    use mdm_transport::{TransportErrorKind, transport_fn};

    use super::*;

    const KEY_AUTHORIZATION: &str = "token.thumbprint";

    /// Looks over a transport that answers with these, and says what was asked for.
    fn look(answers: &[(u16, &str, &str)]) -> (Seen, Vec<String>) {
        let answers = answers.iter().rev().map(|(status, location, body)| {
            let mut response = Response::new(Bytes::from((*body).to_owned()));
            *response.status_mut() = StatusCode::from_u16(*status).unwrap();
            if !location.is_empty() {
                let location = location.parse().unwrap();
                response.headers_mut().insert(header::LOCATION, location);
            }
            response
        });
        let answers = Mutex::new(answers.collect::<Vec<_>>());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = asked.clone();
        let transport = transport_fn(move |request: Request<Bytes>| {
            noted.lock().unwrap().push(request.uri().to_string());
            let answer = answers.lock().unwrap().pop();
            async move { answer.ok_or_else(|| TransportErrorKind::Timeout.into()) }
        });
        let seen = HttpValidation::new(Arc::new(transport))
            .look("www.example.com", "token", KEY_AUTHORIZATION)
            .now_or_never()
            .unwrap();
        let asked = asked.lock().unwrap().clone();
        (seen, asked)
    }

    fn kind(seen: Seen) -> Option<(ErrorType, bool)> {
        match seen {
            Seen::Met => None,
            Seen::Wrong(problem) => Some((problem.kind, true)),
            Seen::Nothing(problem) => Some((problem.kind, false)),
        }
    }

    #[test]
    fn the_key_authorization_is_looked_for_under_its_token() {
        let (seen, asked) = look(&[(200, "", "token.thumbprint \r\n")]);
        assert_eq!(seen, Seen::Met);
        let url = "http://www.example.com/.well-known/acme-challenge/token";
        assert_eq!(asked, [url]);
        for body in ["", "token", " token.thumbprint", "token.thumbprint2"] {
            let (seen, _) = look(&[(200, "", body)]);
            assert_eq!(kind(seen), Some((ErrorType::Unauthorized, true)), "{body}");
        }
        let (seen, _) = look(&[(404, "", KEY_AUTHORIZATION)]);
        assert_eq!(kind(seen), Some((ErrorType::Unauthorized, true)));
    }

    #[test]
    fn silence_may_end() {
        let (seen, _) = look(&[]);
        assert_eq!(kind(seen), Some((ErrorType::Connection, false)));
    }

    #[test]
    fn redirects_are_followed_to_named_hosts_on_usual_ports() {
        let (seen, asked) = look(&[
            (301, "https://other.example.com/x?y", ""),
            (307, "/z", ""),
            (200, "", KEY_AUTHORIZATION),
        ]);
        assert_eq!(seen, Seen::Met);
        assert_eq!(asked[1], "https://other.example.com/x?y");
        assert_eq!(asked[2], "https://other.example.com/z");
        for location in [
            "http://127.0.0.1/",
            "http://[::1]/",
            "http://2130706433/",
            "http://localhost/",
            "http://other.example.com:8080/",
            "https://other.example.com:80/",
            "ftp://other.example.com/",
            "http://user@other.example.com/",
            "//other.example.com/",
            "elsewhere",
        ] {
            let (seen, asked) = look(&[(302, location, ""), (200, "", KEY_AUTHORIZATION)]);
            assert_eq!(
                kind(seen),
                Some((ErrorType::Connection, true)),
                "{location}"
            );
            assert_eq!(asked.len(), 1);
        }
        let (seen, asked) = look(&[(302, "/again", ""); 20]);
        assert_eq!(kind(seen), Some((ErrorType::Connection, true)));
        assert_eq!(asked.len(), 6);
    }

    #[derive(Debug)]
    struct Zone(Result<Vec<String>, LookupError>);

    #[async_trait]
    impl TxtLookup for Zone {
        async fn txt(&self, name: &str) -> Result<Vec<String>, LookupError> {
            assert_eq!(name, "_acme-challenge.example.com");
            self.0.clone()
        }
    }

    #[test]
    fn a_record_has_the_digest_of_the_key_authorization() {
        let look = |zone| {
            look_up(&Zone(zone), "example.com", KEY_AUTHORIZATION)
                .now_or_never()
                .unwrap()
                .unwrap()
        };
        let hash = digest(DigestAlgorithm::Sha256, KEY_AUTHORIZATION.as_bytes()).unwrap();
        let right = base64url::encode(hash);
        assert_eq!(look(Ok(vec!["other".to_owned(), right])), Seen::Met);
        let other = look(Ok(vec![KEY_AUTHORIZATION.to_owned()]));
        assert_eq!(kind(other), Some((ErrorType::Unauthorized, false)));
        let failed = look(Err(LookupError("SERVFAIL".to_owned())));
        assert_eq!(kind(failed), Some((ErrorType::Dns, false)));
    }

    #[test]
    fn host_names_are_told_from_addresses_and_other_text() {
        for name in [
            "example.com",
            "a-b.example",
            "xn--bcher-kva.example",
            "1.example",
        ] {
            assert!(is_host_name(name), "{name}");
        }
        let long = format!("{}.com", "a.".repeat(130));
        for name in [
            "",
            "com",
            "Example.com",
            "example.com.",
            ".example.com",
            "a..com",
            "-a.com",
            "a-.com",
            "a_b.com",
            "127.0.0.1",
            "1.2",
            "*.example.com",
            "a.com:80",
            "a.com/",
            "é.com",
            "[::1]",
            "a.com\n",
            &long,
            &format!("{}.com", "a".repeat(64)),
        ] {
            assert!(!is_host_name(name), "{name}");
        }
    }
}
