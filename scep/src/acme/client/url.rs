//! Where an ACME server lives.

use std::{fmt, str::FromStr};

use http::Uri;

use super::Error;

/// The URL of a server's directory: the `DirectoryURL` of an ACME payload.
///
/// Only scheme and host are shown: the path of such a URL often is what keeps strangers out.
#[derive(Clone, PartialEq, Eq)]
pub struct AcmeUrl {
    uri: Uri,
    insecure: bool,
}

impl AcmeUrl {
    /// Takes an absolute `https` URL.
    ///
    /// # Errors
    /// [`Error::Url`] for anything else.
    pub fn new(text: &str) -> Result<Self, Error> {
        Ok(Self {
            uri: absolute(text, false)?,
            insecure: false,
        })
    }

    /// Takes an absolute URL that may be a plain `http` one, and lets all that the server names be such. Whoever listens
    /// can then read along and answer in the server's place: for tests on one machine.
    ///
    /// # Errors
    /// [`Error::Url`] for anything else.
    pub fn insecure(text: &str) -> Result<Self, Error> {
        Ok(Self {
            uri: absolute(text, true)?,
            insecure: true,
        })
    }

    pub(super) fn uri(&self) -> Uri {
        self.uri.clone()
    }

    /// A URL that the server named.
    pub(super) fn named(&self, text: &str) -> Result<Uri, Error> {
        absolute(text, self.insecure)
    }
}

/// The longest URL taken, in bytes.
const MAX_URL: usize = 2048;

fn absolute(text: &str, insecure: bool) -> Result<Uri, Error> {
    if text.len() > MAX_URL {
        return Err(Error::Url("it is too long"));
    }
    // `http::Uri` drops a fragment without a word.
    if text.contains('#') {
        return Err(Error::Url("it has a fragment"));
    }
    let uri: Uri = text.parse().map_err(|_| Error::Url("it is no URL"))?;
    match uri.scheme_str() {
        Some("https") => {}
        Some("http") if insecure => {}
        Some("http") => return Err(Error::Url("it is not https")),
        _ => return Err(Error::Url("it is neither http nor https")),
    }
    let authority = uri.authority().map(|authority| authority.as_str());
    if uri.host().is_none_or(str::is_empty) || authority.is_some_and(|it| it.contains('@')) {
        return Err(Error::Url("it has no host, or a user"));
    }
    Ok(uri)
}

impl FromStr for AcmeUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::new(text)
    }
}

impl fmt::Debug for AcmeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.uri.scheme_str().unwrap_or_default();
        let host = self.uri.host().unwrap_or_default();
        write!(f, "AcmeUrl({scheme}://{host}/..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_is_taken_unless_asked_for_by_name() {
        let url = AcmeUrl::new("https://ca.example/s3cret/directory").unwrap();
        assert_eq!(format!("{url:?}"), "AcmeUrl(https://ca.example/..)");
        assert!(url.named("http://ca.example/order").is_err());
        let url = AcmeUrl::insecure("http://127.0.0.1:4000/dir").unwrap();
        assert!(url.named("http://127.0.0.1:4000/order").is_ok());
        for text in [
            "http://ca.example/",
            "ftp://ca.example/",
            "/directory",
            "ca.example",
            "https:///x",
            "https://user@ca.example/",
            "https://ca.example/#x",
            "",
            &format!("https://ca.example/{}", "a".repeat(2048)),
        ] {
            assert!(matches!(AcmeUrl::new(text), Err(Error::Url(_))), "{text}");
        }
        assert!(AcmeUrl::insecure("ftp://ca.example/").is_err());
    }
}
