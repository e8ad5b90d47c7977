//! Where a SCEP server lives.

use std::{fmt, str::FromStr};

use http::Uri;
use mdm_transport::percent_encode;

use crate::error::Error;

/// The absolute URL of a SCEP server, as it stands in the `URL` of a profile's SCEP payload.
///
/// A query that it has already stays in front of the operation's own. Only scheme and host are
/// shown: the path and query of such a URL often are what keeps strangers out.
#[derive(Clone, PartialEq, Eq)]
pub struct ScepUrl {
    uri: Uri,
}

impl ScepUrl {
    /// Takes an absolute `http` or `https` URL.
    ///
    /// # Errors
    /// [`Error::Url`] for anything else.
    pub fn new(text: &str) -> Result<Self, Error> {
        let uri: Uri = text.parse().map_err(|_| Error::Url("it is no URL"))?;
        match uri.scheme_str() {
            Some("http" | "https") => {}
            _ => return Err(Error::Url("it is neither http nor https")),
        }
        if uri.host().is_none_or(str::is_empty) {
            return Err(Error::Url("it has no host"));
        }
        Ok(Self { uri })
    }

    /// Whether requests travel inside TLS.
    pub fn is_https(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }

    /// The URL with this operation and, if there is one, this `message` in its query.
    pub(crate) fn operation(&self, name: &str, message: Option<&str>) -> Result<Uri, Error> {
        let mut text = self.uri.to_string();
        text.push(match self.uri.query() {
            None => '?',
            Some(_) => '&',
        });
        text.push_str("operation=");
        text.push_str(name);
        if let Some(message) = message {
            text.push_str("&message=");
            text.push_str(&percent_encode(message));
        }
        text.parse()
            .map_err(|_| Error::Url("it is too long with the message in its query"))
    }
}

impl FromStr for ScepUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::new(text)
    }
}

impl fmt::Debug for ScepUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.uri.scheme_str().unwrap_or_default();
        let host = self.uri.host().unwrap_or_default();
        write!(f, "ScepUrl({scheme}://{host}/..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_stays_and_the_message_is_escaped() {
        for (url, expected) in [
            (
                "https://ca.example.com/scep",
                "https://ca.example.com/scep?operation=O&message=a%2B%2F%3D",
            ),
            (
                "http://ca.example.com",
                "http://ca.example.com/?operation=O&message=a%2B%2F%3D",
            ),
            (
                "https://h:8443/x?tenant=7",
                "https://h:8443/x?tenant=7&operation=O&message=a%2B%2F%3D",
            ),
        ] {
            let url = ScepUrl::new(url).unwrap();
            assert_eq!(url.operation("O", Some("a+/=")).unwrap(), expected);
        }
        let url = ScepUrl::new("https://h/x").unwrap();
        assert_eq!(
            url.operation("GetCACaps", None).unwrap(),
            "https://h/x?operation=GetCACaps"
        );
        assert!(url.operation("O", Some(&"A".repeat(70_000))).is_err());
    }

    #[test]
    fn what_is_no_absolute_http_url_is_refused() {
        for url in [
            "",
            "/scep",
            "ca.example.com",
            "ftp://ca.example.com/",
            "https:///scep",
        ] {
            assert!(matches!(ScepUrl::new(url), Err(Error::Url(_))), "{url}");
        }
    }

    #[test]
    fn a_secret_path_is_not_shown() {
        let url = ScepUrl::new("https://ca.example.com/s3cret?k=s3cret").unwrap();
        assert_eq!(format!("{url:?}"), "ScepUrl(https://ca.example.com/..)");
    }
}
