//! `http-01`: a file on the host's web server (RFC 8555 section 8.3).
//!
//! Whoever orders names the hosts that this server connects to (section 10.4): each name is looked up once, its addresses are
//! checked, and the connection goes to those that were checked. So does each redirect.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, header, uri};
use mdm_pki::digest::constant_time_eq;
use mdm_transport::{HttpTransport, SendLimits, TransportError, TransportErrorKind};

use super::{AddressLookup, Network, Seen, is_host_name, is_public, wrong};
use crate::acme::problem::{ErrorType, Problem};

/// Carries a request to addresses that were looked up and checked before.
#[async_trait]
pub trait PinnedTransport: fmt::Debug + Send + Sync {
    /// Connects to one of these addresses, the first that can be reached, at the port of the request's URL, and sends the request for
    /// the URL's host. It looks up nothing, asks no proxy and follows no redirect; the request's [`SendLimits`] hold.
    ///
    /// # Errors
    /// As [`HttpTransport::send`].
    async fn send_to(
        &self,
        addresses: &[IpAddr],
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, TransportError>;
}

/// Any transport as one to addresses: it is given URLs of the address with the name in `Host`.
///
/// For `http` alone, since TLS would look for the address in the certificate: a redirect to `https` is then followed in
/// vain. The transport must ask no proxy.
#[derive(Debug, Clone)]
pub struct ByAddress<T>(pub T);

#[async_trait]
impl<T: HttpTransport> PinnedTransport for ByAddress<T> {
    async fn send_to(
        &self,
        addresses: &[IpAddr],
        mut request: Request<Bytes>,
    ) -> Result<Response<Bytes>, TransportError> {
        let unfit = || TransportError::new(TransportErrorKind::Other);
        let uri = request.uri().clone();
        let name = uri.authority().ok_or_else(unfit)?.as_str();
        let name = HeaderValue::from_str(name).map_err(|_| unfit())?;
        if uri.scheme() != Some(&uri::Scheme::HTTP) {
            return Err(unfit());
        }
        request.headers_mut().insert(header::HOST, name);
        let mut last = unfit();
        for address in addresses {
            let authority = match (uri.port_u16(), address) {
                (Some(port), address) => SocketAddr::new(*address, port).to_string(),
                (None, IpAddr::V4(address)) => address.to_string(),
                (None, IpAddr::V6(address)) => format!("[{address}]"),
            };
            let path = uri.path_and_query().map_or("/", uri::PathAndQuery::as_str);
            let to = Uri::builder()
                .scheme(uri::Scheme::HTTP)
                .authority(authority);
            let mut request = request.clone();
            *request.uri_mut() = to.path_and_query(path).build().map_err(|_| unfit())?;
            match self.0.send(request).await {
                Err(error) if error.kind() == TransportErrorKind::Connect => last = error,
                outcome => return outcome,
            }
        }
        Err(last)
    }
}

/// How `http-01` is looked at.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HttpValidation {
    /// Who looks up the names.
    pub lookup: Arc<dyn AddressLookup>,
    /// Who connects.
    pub transport: Arc<dyn PinnedTransport>,
    /// Networks that are connected to although they are not [public](is_public): none unless changed. Whoever may order reaches
    /// the web servers there by a name of his own.
    pub allowed: Vec<Network>,
    /// The port: 80, and another one in tests alone.
    pub port: u16,
    /// How many redirects are followed: 5 unless changed. They lead to host names alone, by `http` to the same port
    /// or by `https` to 443.
    pub redirects: usize,
    /// How long one request may take: 10 seconds unless changed.
    pub deadline: Duration,
    /// The most addresses of a host that are tried: 4 unless changed.
    pub addresses: usize,
}

impl HttpValidation {
    /// With names looked up and connections made by these.
    pub fn new(lookup: Arc<dyn AddressLookup>, transport: Arc<dyn PinnedTransport>) -> Self {
        Self {
            lookup,
            transport,
            allowed: Vec::new(),
            port: 80,
            redirects: 5,
            deadline: Duration::from_secs(10),
            addresses: 4,
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
            let Some(addresses) = self.reachable(&url).await else {
                return nowhere();
            };
            let response = match self.transport.send_to(&addresses, request).await {
                Ok(response) => response,
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

    /// The addresses of the URL's host that may be connected to; `None` where there are none.
    async fn reachable(&self, url: &Uri) -> Option<Vec<IpAddr>> {
        let found = self.lookup.addresses(url.host()?).await.ok()?;
        let allowed = |it: &IpAddr| {
            is_public(*it) || self.allowed.iter().any(|network| network.contains(*it))
        };
        let fit: Vec<_> = found
            .into_iter()
            .filter(allowed)
            .take(self.addresses.max(1))
            .collect();
        (!fit.is_empty()).then_some(fit)
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

/// What exactly failed is the server's to know: the client could map its network with it. A name that leads into a private network
/// and one that leads nowhere are told alike.
fn nowhere() -> Seen {
    let detail = "the name is not known to lead to a public address";
    Seen::Nothing(Problem::new(ErrorType::Dns, detail))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures_util::FutureExt as _;
    use http::StatusCode;
    use mdm_transport::transport_fn;

    use super::{super::LookupError, *};

    const KEY_AUTHORIZATION: &str = "token.thumbprint";
    const PUBLIC: &str = "93.184.215.14";

    /// The world outside: answers in their turn, and addresses, which change with each look where there are several lists.
    #[derive(Debug, Default)]
    struct Outside {
        answers: Mutex<Vec<Response<Bytes>>>,
        lists: Mutex<Vec<Vec<IpAddr>>>,
        asked: Mutex<Vec<String>>,
        reached: Mutex<Vec<Vec<IpAddr>>>,
    }

    #[async_trait]
    impl AddressLookup for Outside {
        async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, LookupError> {
            let mut lists = self.lists.lock().unwrap();
            match lists.len() {
                0 => Err(LookupError(host.to_owned())),
                1 => Ok(lists[0].clone()),
                _ => Ok(lists.remove(0)),
            }
        }
    }

    #[async_trait]
    impl PinnedTransport for Outside {
        async fn send_to(
            &self,
            addresses: &[IpAddr],
            request: Request<Bytes>,
        ) -> Result<Response<Bytes>, TransportError> {
            self.asked.lock().unwrap().push(request.uri().to_string());
            self.reached.lock().unwrap().push(addresses.to_vec());
            let answer = self.answers.lock().unwrap().pop();
            answer.ok_or_else(|| TransportErrorKind::Timeout.into())
        }
    }

    fn outside(answers: &[(u16, &str, &str)], lists: &[&[&str]]) -> Arc<Outside> {
        let answers = answers.iter().rev().map(|(status, location, body)| {
            let mut response = Response::new(Bytes::from((*body).to_owned()));
            *response.status_mut() = StatusCode::from_u16(*status).unwrap();
            if !location.is_empty() {
                let location = location.parse().unwrap();
                response.headers_mut().insert(header::LOCATION, location);
            }
            response
        });
        let address = |it: &&str| it.parse().unwrap();
        let lists = lists.iter().map(|list| list.iter().map(address).collect());
        Arc::new(Outside {
            answers: Mutex::new(answers.collect()),
            lists: Mutex::new(lists.collect()),
            ..Outside::default()
        })
    }

    fn look_with(validation: &HttpValidation) -> Seen {
        validation
            .look("www.example.com", "token", KEY_AUTHORIZATION)
            .now_or_never()
            .unwrap()
    }

    /// Looks at a world of these answers, and says what was asked for.
    fn look(answers: &[(u16, &str, &str)]) -> (Seen, Vec<String>) {
        let outside = outside(answers, &[&[PUBLIC]]);
        let seen = look_with(&HttpValidation::new(outside.clone(), outside.clone()));
        let asked = outside.asked.lock().unwrap().clone();
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

    /// Looks once at a host of these addresses: what was seen, and which addresses were reached.
    fn reach(
        lists: &[&[&str]],
        answers: &[(u16, &str, &str)],
        allowed: &[&str],
    ) -> (Seen, Vec<Vec<String>>) {
        let outside = outside(answers, lists);
        let validation = HttpValidation::new(outside.clone(), outside.clone())
            .with(|it| it.allowed = allowed.iter().map(|it| it.parse().unwrap()).collect());
        let seen = look_with(&validation);
        let reached = outside.reached.lock().unwrap();
        let text = |list: &Vec<IpAddr>| list.iter().map(ToString::to_string).collect();
        (seen, reached.iter().map(text).collect())
    }

    const MET: (u16, &str, &str) = (200, "", KEY_AUTHORIZATION);

    #[test]
    fn a_name_that_leads_into_a_private_network_is_connected_to_by_nobody() {
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "100.64.0.1",
            "169.254.169.254",
            "192.168.1.1",
            "224.0.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "::1",
            "fe80::1",
            "fd00::1",
            "::ffff:127.0.0.1",
            "64:ff9b::a00:1",
            "ff02::1",
        ] {
            let (seen, reached) = reach(&[&[address]], &[MET], &[]);
            assert_eq!(seen, nowhere(), "{address}");
            assert!(reached.is_empty(), "{address}");
        }
        // As a name without any address, and one that nobody can look up.
        assert_eq!(reach(&[&[]], &[MET], &[]).0, nowhere());
        assert_eq!(reach(&[], &[MET], &[]).0, nowhere());
        assert_eq!(kind(nowhere()), Some((ErrorType::Dns, false)));
    }

    #[test]
    fn a_network_that_is_allowed_is_reached_and_no_other() {
        let (seen, reached) = reach(&[&["127.0.0.1"]], &[MET], &["127.0.0.0/8"]);
        assert_eq!(
            (seen, reached),
            (Seen::Met, vec![vec!["127.0.0.1".to_owned()]])
        );
        let (seen, reached) = reach(&[&["127.0.0.1", "::1"]], &[MET], &["10.0.0.0/8"]);
        assert_eq!((seen, reached.len()), (nowhere(), 0));
    }

    #[test]
    fn of_many_addresses_the_first_public_ones_are_tried() {
        let many = [
            "10.0.0.1",
            "8.8.8.8",
            "::1",
            "8.8.4.4",
            "1.1.1.1",
            "2606:4700::1",
            "9.9.9.9",
        ];
        let (seen, reached) = reach(&[&many], &[MET], &[]);
        assert_eq!(seen, Seen::Met);
        assert_eq!(reached, [["8.8.8.8", "8.8.4.4", "1.1.1.1", "2606:4700::1"]]);
    }

    #[test]
    fn the_address_that_was_checked_is_the_one_connected_to() {
        // A zone that says something else each time: it is asked once for a connection.
        let (seen, reached) = reach(&[&[PUBLIC], &["127.0.0.1"]], &[MET], &[]);
        assert_eq!((seen, reached), (Seen::Met, vec![vec![PUBLIC.to_owned()]]));
        // A redirect is a connection of its own, and looked at as the first.
        for to in [
            "/again",
            "http://inside.example.com/",
            "https://inside.example.com/",
        ] {
            let redirected = [(302, to, ""), MET];
            let (seen, reached) = reach(&[&[PUBLIC], &["169.254.169.254"]], &redirected, &[]);
            assert_eq!(seen, nowhere(), "{to}");
            assert_eq!(reached, [[PUBLIC]], "{to}");
        }
    }

    #[test]
    fn any_transport_is_given_the_address_in_the_url_and_the_name_beside_it() {
        let sent = Arc::new(Mutex::new(Vec::new()));
        let noted = sent.clone();
        let transport = ByAddress(transport_fn(move |request: Request<Bytes>| {
            let host = request.headers()[header::HOST].to_str().unwrap().to_owned();
            let mut sent = noted.lock().unwrap();
            sent.push((request.uri().to_string(), host));
            // The first address cannot be reached.
            let first = sent.len() == 1;
            async move {
                match first {
                    true => Err(TransportErrorKind::Connect.into()),
                    false => Ok(Response::new(Bytes::new())),
                }
            }
        }));
        let addresses = [PUBLIC.parse().unwrap(), "2606:4700::1".parse().unwrap()];
        let send = |url: &str| {
            let request = Request::get(url).body(Bytes::new()).unwrap();
            let outcome = transport
                .send_to(&addresses, request)
                .now_or_never()
                .unwrap();
            (outcome.is_ok(), std::mem::take(&mut *sent.lock().unwrap()))
        };
        let (sent_one, seen) = send("http://a.example.com/x?y");
        let pair = |url: &str, host: &str| (url.to_owned(), host.to_owned());
        assert!(sent_one);
        assert_eq!(
            seen,
            [
                pair("http://93.184.215.14/x?y", "a.example.com"),
                pair("http://[2606:4700::1]/x?y", "a.example.com"),
            ]
        );
        let (_, seen) = send("http://a.example.com:5002/");
        assert_eq!(
            seen[1],
            pair("http://[2606:4700::1]:5002/", "a.example.com:5002")
        );
        let (sent_one, seen) = send("https://a.example.com/");
        assert!(!sent_one && seen.is_empty());
    }
}
