//! Where the ways in lie.

use http::Uri;
use mdm_protocol::enroll::DiscoveryVersion;

use crate::service::admit::INVITATION;

/// The addresses of the portal and of the service, as devices reach them from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Urls {
    portal: String,
    path: String,
    check_in: String,
    server: String,
}

impl Urls {
    /// A portal at `portal`, and a service that takes check-in messages and reports at `service` (Q10).
    /// Both are `https`, without a query.
    ///
    /// # Errors
    /// [`InvalidUrl`].
    pub fn new(portal: impl Into<String>, service: impl Into<String>) -> Result<Self, InvalidUrl> {
        let (portal, server) = (checked(portal.into())?, checked(service.into())?);
        let uri: Uri = portal.parse().map_err(|_| InvalidUrl)?;
        Ok(Self {
            path: uri.path().trim_end_matches('/').to_owned(),
            portal: portal.trim_end_matches('/').to_owned(),
            check_in: server.clone(),
            server,
        })
    }

    /// A `CheckInURL` of its own.
    ///
    /// # Errors
    /// [`InvalidUrl`].
    pub fn check_in_at(mut self, url: impl Into<String>) -> Result<Self, InvalidUrl> {
        self.check_in = checked(url.into())?;
        Ok(self)
    }

    /// `url` of a profile for Automated Device Enrollment.
    pub fn automated(&self) -> String {
        format!("{}/automated", self.portal)
    }

    /// `configuration_web_url` of a profile for Automated Device Enrollment, where users sign in.
    pub fn page(&self) -> String {
        format!("{}/page", self.portal)
    }

    /// Where a person gets the profile: with an invitation, or where they sign in.
    pub fn profile(&self, invitation: Option<&str>) -> String {
        with_query(&format!("{}/profile", self.portal), invitation)
    }

    /// Where over-the-air enrolment begins.
    pub fn over_the_air(&self, invitation: Option<&str>) -> String {
        with_query(&format!("{}/ota", self.portal), invitation)
    }

    /// `BaseURL` of account-driven enrolment.
    pub fn account_driven(&self, version: &DiscoveryVersion) -> String {
        let path = match version {
            DiscoveryVersion::Adde => "adde",
            _ => "byod",
        };
        format!("{}/{path}", self.portal)
    }

    /// `url` of `apple-as-web`.
    pub fn sign_in(&self) -> String {
        format!("{}/sign-in", self.portal)
    }

    /// `CheckInURL` of the profile that carries this invitation: an update of that profile has to repeat it to the letter.
    pub fn check_in(&self, invitation: &str) -> String {
        with_query(&self.check_in, Some(invitation))
    }

    /// `ServerURL` of the profile that carries this invitation, as [`check_in`](Self::check_in).
    pub fn server(&self, invitation: &str) -> String {
        with_query(&self.server, Some(invitation))
    }

    pub(super) fn ota_answer(&self, ticket: &str) -> String {
        format!("{}/ota?{TICKET}={ticket}", self.portal)
    }

    /// What lies at a path, which may be the whole one or what a router left of it.
    pub(super) fn route(&self, path: &str) -> Option<Route> {
        let below = path.strip_prefix(self.path.as_str()).unwrap_or(path);
        Some(match below.trim_end_matches('/') {
            "/automated" => Route::Automated,
            "/page" => Route::Page,
            "/profile" => Route::Profile,
            "/ota" => Route::Ota,
            "/byod" => Route::AccountDriven(DiscoveryVersion::Byod),
            "/adde" => Route::AccountDriven(DiscoveryVersion::Adde),
            "/sign-in" => Route::SignIn,
            _ => return None,
        })
    }
}

/// The query's key that holds a ticket.
pub(super) const TICKET: &str = "ticket";

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    Automated,
    Page,
    Profile,
    Ota,
    AccountDriven(DiscoveryVersion),
    SignIn,
    WellKnown,
}

impl Route {
    /// The methods by which it is asked for, as the header `Allow` has them.
    pub(super) fn methods(&self) -> &'static str {
        match self {
            Self::Automated | Self::AccountDriven(_) => "POST",
            Self::Ota => "GET, POST",
            Self::Page | Self::Profile | Self::SignIn | Self::WellKnown => "GET",
        }
    }
}

/// An invitation's name is base64url, so it needs no escape.
fn with_query(url: &str, invitation: Option<&str>) -> String {
    match invitation {
        Some(invitation) => format!("{url}?{INVITATION}={invitation}"),
        None => url.to_owned(),
    }
}

fn checked(url: String) -> Result<String, InvalidUrl> {
    let uri: Uri = url.parse().map_err(|_| InvalidUrl)?;
    let is_https = uri.scheme_str() == Some("https");
    let is_plain = uri.authority().is_some() && uri.query().is_none();
    if is_https && is_plain {
        Ok(url)
    } else {
        Err(InvalidUrl)
    }
}

/// A text that is no `https` URL, or one with a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no https URL without a query")]
pub struct InvalidUrl;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_found_whole_and_behind_a_router() {
        for portal in ["https://mdm.example.com/enroll/", "https://mdm.example.com"] {
            let urls = Urls::new(portal, "https://mdm.example.com/mdm").unwrap();
            let whole: Uri = urls.page().parse().unwrap();
            assert_eq!(urls.route(whole.path()), Some(Route::Page));
            assert_eq!(urls.route("/page"), Some(Route::Page));
            assert_eq!(urls.route("/pages"), None);
            assert_eq!(urls.route("/"), None);
        }
    }

    #[test]
    fn only_https_without_a_query_is_an_address() {
        for url in [
            "",
            "mdm.example.com",
            "http://mdm.example.com",
            "https://a/b?c=d",
            "https://",
        ] {
            assert_eq!(Urls::new(url, "https://a/mdm"), Err(InvalidUrl), "{url}");
            assert_eq!(Urls::new("https://a/b", url), Err(InvalidUrl), "{url}");
        }
    }
}
