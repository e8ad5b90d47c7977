//! Requests to addresses that were looked up before, so that the address which was checked is the one connected to.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, header, uri};
use mdm_transport::{HttpTransport, SendLimits, TransportError, TransportErrorKind};

/// Carries a request to addresses that were looked up and checked before.
#[async_trait]
pub trait PinnedTransport: fmt::Debug + Send + Sync {
    /// Connects to one of these addresses, the first that can be reached, at the port of the request's URL, and sends the request for
    /// the URL's host. It looks up nothing, asks no proxy and follows no redirect; the request's [`SendLimits`](mdm_transport::SendLimits) hold.
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
        let (begun, limits) = (Instant::now(), SendLimits::of(&request));
        let mut last = unfit();
        for address in addresses {
            let left = limits.deadline.saturating_sub(begun.elapsed());
            request
                .extensions_mut()
                .insert(SendLimits::new(limits.body, left));
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use futures_util::FutureExt as _;
    use mdm_transport::transport_fn;

    use super::*;

    const PUBLIC: &str = "93.184.215.14";

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

    #[test]
    fn all_addresses_have_one_deadline() {
        let given = Arc::new(Mutex::new(Vec::new()));
        let noted = given.clone();
        let transport = ByAddress(transport_fn(move |request: Request<Bytes>| {
            noted.lock().unwrap().push(SendLimits::of(&request));
            async { Err(TransportErrorKind::Connect.into()) }
        }));
        let addresses = [PUBLIC.parse().unwrap(), "2606:4700::1".parse().unwrap()];
        let mut request = Request::get("http://a.example.com/")
            .body(Bytes::new())
            .unwrap();
        let limits = SendLimits::new(100, std::time::Duration::from_secs(10));
        request.extensions_mut().insert(limits);
        let outcome = transport.send_to(&addresses, request).now_or_never();
        assert!(outcome.unwrap().is_err());
        let given = given.lock().unwrap();
        assert!(given.iter().all(|it| it.body == limits.body));
        assert!(given[1].deadline < given[0].deadline && given[0].deadline <= limits.deadline);
    }
}
