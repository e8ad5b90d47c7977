//! Where a service lives, and how paths and queries are put behind it (RFC 3986).

use std::{fmt, str::FromStr};

use http::{
    Uri,
    uri::{Authority, Parts, PathAndQuery, Scheme},
};

use crate::BuildError;

/// The address that a service's endpoints lie under.
///
/// `https` or `http`, a host, perhaps a port and a path, which is kept in front of every endpoint.
/// User information, a query and a fragment are refused, so that the address may be logged; a host
/// name outside of ASCII has to come in its `xn--` form.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BaseUrl {
    scheme: Scheme,
    authority: Authority,
    /// Empty, or with a slash in front and none at the end.
    path: String,
}

impl BaseUrl {
    /// Reads the address.
    ///
    /// # Errors
    /// [`InvalidBaseUrl`] for anything but `http(s)://host[:port][/path]`.
    pub fn new(text: &str) -> Result<Self, InvalidBaseUrl> {
        // `http::Uri` drops a fragment without a word.
        if text.contains('#') {
            return Err(InvalidBaseUrl::Query);
        }
        let uri: Uri = text.parse().map_err(|_| InvalidBaseUrl::Syntax)?;
        let known = [Scheme::HTTPS, Scheme::HTTP];
        let scheme = uri.scheme().filter(|scheme| known.contains(scheme));
        let scheme = scheme.ok_or(InvalidBaseUrl::Scheme)?;
        let authority = uri.authority().ok_or(InvalidBaseUrl::Syntax)?;
        if authority.as_str().contains('@') {
            return Err(InvalidBaseUrl::UserInfo);
        }
        // `host:` without a number and `host:99999` are both told apart by the text alone.
        let bare_host = authority.as_str() == authority.host();
        if authority.host().is_empty() || (!bare_host && authority.port_u16().is_none()) {
            return Err(InvalidBaseUrl::Syntax);
        }
        if uri.query().is_some() {
            return Err(InvalidBaseUrl::Query);
        }
        if !is_stable_path(uri.path()) {
            return Err(InvalidBaseUrl::Path);
        }
        Ok(Self {
            scheme: scheme.clone(),
            authority: authority.clone(),
            path: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    /// Whether requests travel inside TLS.
    pub fn is_https(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// The endpoint at `path`, which begins with a slash, with these query pairs.
    ///
    /// Names and values of the query are percent-encoded here; variable segments of the path are
    /// the caller's to encode with [`percent_encode`].
    ///
    /// # Errors
    /// [`BuildError`] if the result is no URI, or one whose path an HTTP client would change: with
    /// a segment `.` or `..`, or a byte that has to be encoded.
    pub fn endpoint(&self, path: &str, query: &[(&str, &str)]) -> Result<Uri, BuildError> {
        if !path.starts_with('/') || !is_stable_path(path) {
            return Err(BuildError::invalid(
                "path",
                "must begin with a slash and hold neither dot segments nor what is to be encoded",
            ));
        }
        let mut text = [&self.path, path].concat();
        for (index, (name, value)) in query.iter().enumerate() {
            text.push(if index == 0 { '?' } else { '&' });
            text.push_str(&percent_encode(name));
            text.push('=');
            text.push_str(&percent_encode(value));
        }
        let mut parts = Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        let path = PathAndQuery::try_from(text);
        parts.path_and_query = Some(path.map_err(|error| BuildError::Http(error.into()))?);
        Uri::from_parts(parts).map_err(|error| BuildError::Http(error.into()))
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.path)
    }
}

impl FromStr for BaseUrl {
    type Err = InvalidBaseUrl;

    fn from_str(text: &str) -> Result<Self, InvalidBaseUrl> {
        Self::new(text)
    }
}

/// Why a text is no [`BaseUrl`]. The text itself is not repeated: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidBaseUrl {
    /// It is no absolute URL with a host.
    #[error("not an absolute URL with a host")]
    Syntax,
    /// The scheme is neither `https` nor `http`.
    #[error("the scheme is neither https nor http")]
    Scheme,
    /// It names a user or a password.
    #[error("user information is not allowed in a base URL")]
    UserInfo,
    /// The path has a segment `.` or `..`, or a byte that has to be encoded.
    #[error("the path of a base URL has dot segments or is not percent-encoded")]
    Path,
    /// It has a query or a fragment.
    #[error("a base URL has neither query nor fragment")]
    Query,
}

/// Whether HTTP clients send the path as it stands, as a signature over it needs: only `pchar` and
/// no dot segments (RFC 3986 sections 3.3 and 6.2.2).
fn is_stable_path(path: &str) -> bool {
    let known = |byte: u8| {
        matches!(byte,
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'%' | b'-' | b'.' | b'_' | b'~' | b'!'
            | b'$' | b'&'..=b',' | b';' | b'=' | b':' | b'@')
    };
    let hex = |behind: &str| behind.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    let climbs = |path: &str| path.split('/').any(|segment| matches!(segment, "." | ".."));
    let is_special = |byte: u8| matches!(byte, b'.' | b'%');
    // Most paths, and those of pushes, end here.
    let (known, special) = path.bytes().fold((true, false), |(all, any), byte| {
        (all & known(byte), any | is_special(byte))
    });
    known
        && (!special
            || path.split('%').skip(1).all(hex)
                && !climbs(&path.replace("%2e", ".").replace("%2E", ".")))
}

/// Encodes every byte outside of RFC 3986's unreserved set as `%XX`, as OAuth 1.0 (RFC 5849
/// section 3.6) asks too.
pub fn percent_encode(text: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => {
                out.push('%');
                out.push(char::from(HEX[usize::from(byte >> 4)]));
                out.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_path_is_kept_and_slashes_never_double() {
        for (base, expected) in [
            ("https://a.example", "https://a.example/session"),
            ("https://a.example/", "https://a.example/session"),
            (
                "http://127.0.0.1:8080/dep",
                "http://127.0.0.1:8080/dep/session",
            ),
            ("https://[::1]:443/x/y/", "https://[::1]:443/x/y/session"),
        ] {
            let base = BaseUrl::new(base).unwrap();
            assert_eq!(base.endpoint("/session", &[]).unwrap(), expected);
        }
    }

    #[test]
    fn what_may_hide_a_secret_or_leads_elsewhere_is_refused() {
        for (text, reason) in [
            ("https://user:pw@a.example/", InvalidBaseUrl::UserInfo),
            ("https://user@a.example/", InvalidBaseUrl::UserInfo),
            ("https://a.example/?x=1", InvalidBaseUrl::Query),
            ("https://a.example/#top", InvalidBaseUrl::Query),
            ("ftp://a.example/", InvalidBaseUrl::Scheme),
            ("/only/a/path", InvalidBaseUrl::Scheme),
            ("a.example", InvalidBaseUrl::Scheme),
            ("https://", InvalidBaseUrl::Syntax),
            ("https://a.example:/", InvalidBaseUrl::Syntax),
            ("https://a.example:99999/", InvalidBaseUrl::Syntax),
            ("https://bücher.example/", InvalidBaseUrl::Syntax),
            ("https://a.example/x/../y", InvalidBaseUrl::Path),
            ("https://a.example/.", InvalidBaseUrl::Path),
            ("https://a.example/é", InvalidBaseUrl::Path),
            ("https://a.example/a|b", InvalidBaseUrl::Path),
            ("https://a.example/%zz", InvalidBaseUrl::Path),
            ("", InvalidBaseUrl::Syntax),
        ] {
            assert_eq!(BaseUrl::new(text), Err(reason), "{text}");
        }
    }

    #[test]
    fn query_values_cannot_break_out_of_their_place() {
        let base = BaseUrl::new("https://a.example/b").unwrap();
        let uri = base
            .endpoint("/profile", &[("profile_uuid", "1&x=2#ü"), ("b", "")])
            .unwrap();
        assert_eq!(uri.query(), Some("profile_uuid=1%26x%3D2%23%C3%BC&b="));
        for path in ["profile", "/a?b", "/a#b", "/a b"] {
            assert!(base.endpoint(path, &[]).is_err(), "{path}");
        }
    }

    #[test]
    fn a_path_that_a_client_would_rewrite_is_refused() {
        let base = BaseUrl::new("https://a.example").unwrap();
        let climbing = format!("/profile/{}/devices", percent_encode(".."));
        for path in [
            &*climbing,
            "/.",
            "/a/..",
            "/%2e%2E/a",
            "/.%2e",
            "/é",
            "/a\"b",
            "/a\\b",
            "/%",
            "/%4",
            "/%4g",
        ] {
            assert!(base.endpoint(path, &[]).is_err(), "{path}");
        }
        for path in [
            "/",
            "/...",
            "/.well-known",
            "/a.b/c..d",
            "/%41%2E1",
            "/a;b=1,2:@!$&'()*+~_-",
        ] {
            assert_eq!(base.endpoint(path, &[]).unwrap().path(), path);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_a_panic_and_what_is_taken_is_a_base(
            text in "(https?://)?[a-z@:/?#.\\[\\]0-9%é ]{0,30}",
            path in "/?[a-z/?#% é]{0,10}",
            value in ".{0,10}",
        ) {
            if let Ok(base) = BaseUrl::new(&text) {
                let again = BaseUrl::new(&base.to_string());
                proptest::prop_assert_eq!(again.as_ref(), Ok(&base));
                if let Ok(uri) = base.endpoint(&path, &[("q", &value)]) {
                    proptest::prop_assert!(uri.host().is_some_and(|host| !host.is_empty()));
                    let query = uri.query().unwrap_or_default();
                    proptest::prop_assert_eq!(query.matches(['=', '&', '#']).count(), 1);
                }
            }
        }
    }
}
