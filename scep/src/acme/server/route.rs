//! Where everything is: paths below the base URL, read in one form and written in the same.

use std::fmt;

use http::Uri;
use mdm_core::Secret;

use crate::acme::store::{AccountId, OrderId};

/// The base URL: origin and path, without a slash at the end.
#[derive(Debug, Clone)]
pub(super) struct Base {
    origin: String,
    path: String,
}

/// What a request is for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Route {
    /// A resource of the directory, which may stand below a secret segment.
    Entry(Entry, Option<Secret<String>>),
    RenewalInfo(String),
    Account(AccountId),
    /// The orders older than this one.
    Orders(AccountId, Option<OrderId>),
    Order(OrderId),
    Finalize(OrderId),
    /// The certificate with the chain of this number.
    Certificate(OrderId, usize),
    Authorization(OrderId, usize),
    Challenge(OrderId, usize, usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    Directory,
    NewNonce,
    NewAccount,
    NewOrder,
    NewAuthz,
    RevokeCert,
    KeyChange,
}

impl Entry {
    const ALL: [Self; 7] = [
        Self::Directory,
        Self::NewNonce,
        Self::NewAccount,
        Self::NewOrder,
        Self::NewAuthz,
        Self::RevokeCert,
        Self::KeyChange,
    ];

    fn segment(self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::NewNonce => "new-nonce",
            Self::NewAccount => "new-account",
            Self::NewOrder => "new-order",
            Self::NewAuthz => "new-authz",
            Self::RevokeCert => "revoke-cert",
            Self::KeyChange => "key-change",
        }
    }
}

/// The longest secret segment, in characters.
const MAX_SEGMENT: usize = 128;

impl Base {
    /// A base URL without query, user and trailing slash.
    pub(super) fn new(url: &Uri) -> Option<Self> {
        let scheme = url
            .scheme_str()
            .filter(|it| matches!(*it, "https" | "http"))?;
        let authority = url.authority()?.as_str();
        let path = url.path().trim_end_matches('/');
        (url.query().is_none() && !authority.contains('@')).then(|| Self {
            origin: format!("{scheme}://{authority}"),
            path: path.to_owned(),
        })
    }

    /// The URL that a request to this path and query has to be signed for.
    pub(super) fn served(&self, uri: &Uri) -> String {
        let path = uri.path_and_query().map_or("/", |it| it.as_str());
        format!("{}{path}", self.origin)
    }

    pub(super) fn url(&self, route: &Route) -> String {
        format!("{}{}/{route}", self.origin, self.path)
    }

    pub(super) fn entry(&self, entry: Entry, segment: Option<&Secret<String>>) -> String {
        self.url(&Route::Entry(entry, segment.cloned()))
    }

    /// Where the names of certificates are put behind.
    pub(super) fn renewal_info(&self) -> String {
        format!("{}{}/renewal-info", self.origin, self.path)
    }

    /// The account of this URL.
    pub(super) fn account(&self, url: &str) -> Option<AccountId> {
        let path = url.strip_prefix(&self.origin)?;
        match self.path_route(path, None)? {
            Route::Account(id) => Some(id),
            _ => None,
        }
    }

    pub(super) fn route(&self, uri: &Uri) -> Option<Route> {
        self.path_route(uri.path(), uri.query())
    }

    fn path_route(&self, path: &str, query: Option<&str>) -> Option<Route> {
        let path = path.strip_prefix(&self.path)?.strip_prefix('/')?;
        let parts: Vec<&str> = path.split('/').collect();
        let number = |text: &str| {
            let number: usize = text.parse().ok()?;
            (number.to_string() == text).then_some(number)
        };
        let route = match parts.as_slice() {
            ["renewal-info", name] => Route::RenewalInfo((*name).to_owned()),
            ["account", id] => Route::Account(id.parse().ok()?),
            ["account", id, "orders"] => {
                let before = match query {
                    None => None,
                    Some(query) => Some(query.strip_prefix("before=")?.parse().ok()?),
                };
                return Some(Route::Orders(id.parse().ok()?, before));
            }
            ["order", id] => Route::Order(id.parse().ok()?),
            ["order", id, "finalize"] => Route::Finalize(id.parse().ok()?),
            ["order", id, "certificate"] => Route::Certificate(id.parse().ok()?, 0),
            ["order", id, "certificate", other] => {
                let other = number(other).filter(|number| *number > 0)?;
                Route::Certificate(id.parse().ok()?, other)
            }
            ["authorization", id, index] => Route::Authorization(id.parse().ok()?, number(index)?),
            ["challenge", id, index, challenge] => {
                Route::Challenge(id.parse().ok()?, number(index)?, number(challenge)?)
            }
            ["e", segment, entry] => {
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
                let fits = (1..=MAX_SEGMENT).contains(&segment.len());
                if !fits || !segment.bytes().all(plain) {
                    return None;
                }
                Route::Entry(entry_of(entry)?, Some(Secret::new((*segment).to_owned())))
            }
            [entry] => Route::Entry(entry_of(entry)?, None),
            _ => return None,
        };
        query.is_none().then_some(route)
    }
}

fn entry_of(segment: &str) -> Option<Entry> {
    Entry::ALL.into_iter().find(|it| it.segment() == segment)
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry(entry, None) => f.write_str(entry.segment()),
            Self::Entry(entry, Some(segment)) => {
                write!(f, "e/{}/{}", segment.expose(), entry.segment())
            }
            Self::RenewalInfo(name) => write!(f, "renewal-info/{name}"),
            Self::Account(id) => write!(f, "account/{id}"),
            Self::Orders(id, None) => write!(f, "account/{id}/orders"),
            Self::Orders(id, Some(before)) => write!(f, "account/{id}/orders?before={before}"),
            Self::Order(id) => write!(f, "order/{id}"),
            Self::Finalize(id) => write!(f, "order/{id}/finalize"),
            Self::Certificate(id, 0) => write!(f, "order/{id}/certificate"),
            Self::Certificate(id, other) => write!(f, "order/{id}/certificate/{other}"),
            Self::Authorization(id, index) => write!(f, "authorization/{id}/{index}"),
            Self::Challenge(id, index, challenge) => {
                write!(f, "challenge/{id}/{index}/{challenge}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_read_as_it_is_written() {
        let account = AccountId::from_bytes([1; 16]);
        let order = OrderId::from_bytes([2; 16]);
        let secret = || Some(Secret::new("s-e_cret7".to_owned()));
        for base in [
            "https://ca.example.com",
            "https://ca.example.com:8443/acme/",
        ] {
            let base = Base::new(&base.parse().unwrap()).unwrap();
            let entries = Entry::ALL
                .into_iter()
                .flat_map(|entry| [Route::Entry(entry, None), Route::Entry(entry, secret())]);
            let routes = entries.chain([
                Route::RenewalInfo("AQ.Ag".to_owned()),
                Route::Account(account),
                Route::Orders(account, None),
                Route::Orders(account, Some(order)),
                Route::Order(order),
                Route::Finalize(order),
                Route::Certificate(order, 0),
                Route::Certificate(order, 3),
                Route::Authorization(order, 17),
                Route::Challenge(order, 0, 1),
            ]);
            for route in routes {
                let url: Uri = base.url(&route).parse().unwrap();
                assert_eq!(base.route(&url), Some(route), "{url}");
                assert_eq!(base.served(&url), url.to_string());
            }
            let url = base.url(&Route::Account(account));
            assert_eq!(base.account(&url), Some(account));
            assert_eq!(base.account(&format!("{url}/")), None);
            assert_eq!(base.account(&url.replace("https", "http")), None);
        }
    }

    #[test]
    fn there_is_one_url_for_a_resource() {
        let base = Base::new(&"https://ca.example.com/acme".parse().unwrap()).unwrap();
        let id = "ab".repeat(16);
        for path in [
            "/directory",
            "/acme",
            "/acme/",
            "/acme/directory/",
            "/acme//directory",
            "/acme/directory?x",
            "/acme/e//directory",
            "/acme/e/a.b/directory",
            "/acme/e/a/order",
            "/acmedirectory",
            &format!("/acme/order/{id}/"),
            &format!("/acme/order/{}", id.to_uppercase()),
            &format!("/acme/order/{id}/certificate/0"),
            &format!("/acme/authorization/{id}/00"),
            &format!("/acme/authorization/{id}/+1"),
            &format!("/acme/account/{id}/orders?before="),
            &format!("/acme/e/{}/directory", "a".repeat(129)),
        ] {
            let uri = format!("https://ca.example.com{path}").parse().unwrap();
            assert_eq!(base.route(&uri), None, "{path}");
        }
        for base in [
            "/acme",
            "ftp://a.example/",
            "https://a.example/?q",
            "https://u@a.example/",
        ] {
            assert!(Base::new(&base.parse().unwrap()).is_none(), "{base}");
        }
    }
}
