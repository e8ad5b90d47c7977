//! How a device that asks for its profile is told to have somebody sign in: the `WWW-Authenticate`
//! header of account-driven enrolment.
//!
//! Source: Apple, "Implementing the simple authentication user-enrollment flow" and "Implementing the
//! OAuth2 authentication user-enrollment flow"; RFC 9110, section 11.6.1.

use std::{fmt, str::FromStr};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{auth_param, error::Error};

const HEADER: &str = "WWW-Authenticate";

/// Sent with 401, which makes no device unenrol here: it is not enrolled yet.
///
/// `Display` and `FromStr` are the header's text.
///
/// ```
/// use mdm_protocol::enroll::AuthenticationChallenge;
///
/// let challenge = AuthenticationChallenge::web("https://mdm.example.com/sign-in");
/// let header = r#"Bearer method="apple-as-web", url="https://mdm.example.com/sign-in""#;
/// assert_eq!(challenge.to_string(), header);
/// assert_eq!(header.parse::<AuthenticationChallenge>()?, challenge);
/// # Ok::<(), mdm_protocol::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthenticationChallenge {
    /// `apple-as-web`: a page that ends in [`authentication_results`].
    #[non_exhaustive]
    Web {
        /// `url`: the page. The device adds `user-identifier`.
        url: String,
    },
    /// `apple-oauth2`: the authorization code flow of an OAuth 2.0 server (RFC 6749, section 4.1).
    OAuth2(OAuth2Challenge),
}

impl AuthenticationChallenge {
    /// A page at this URL.
    pub fn web(url: impl Into<String>) -> Self {
        Self::Web { url: url.into() }
    }
}

/// What a device has to know of an OAuth 2.0 server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OAuth2Challenge {
    /// `authorization-url`: where the user signs in.
    pub authorization_url: String,
    /// `token-url`: where the device trades the code for tokens.
    pub token_url: String,
    /// `redirect-url`: begins with `apple-remotemanagement-user-login:/`.
    pub redirect_url: String,
    /// `client-id`.
    pub client_id: String,
    /// `scope`.
    pub scope: Option<String>,
}

impl OAuth2Challenge {
    /// A server, with the redirection that devices take.
    pub fn new(
        authorization_url: impl Into<String>,
        token_url: impl Into<String>,
        client_id: impl Into<String>,
    ) -> Self {
        Self {
            authorization_url: authorization_url.into(),
            token_url: token_url.into(),
            redirect_url: format!("{SCHEME}:/oauth2/redirection"),
            client_id: client_id.into(),
            scope: None,
        }
    }

    /// Sets optional parameters.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Self)) -> Self {
        set(&mut self);
        self
    }
}

impl fmt::Display for AuthenticationChallenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parameters: Vec<(&str, &str)> = match self {
            Self::Web { url } => vec![("method", WEB), ("url", url)],
            Self::OAuth2(server) => {
                let mut parameters = vec![
                    ("method", OAUTH2),
                    ("authorization-url", server.authorization_url.as_str()),
                    ("token-url", &server.token_url),
                    ("redirect-url", &server.redirect_url),
                    ("client-id", &server.client_id),
                ];
                parameters.extend(server.scope.as_deref().map(|scope| ("scope", scope)));
                parameters
            }
        };
        let parameters: Vec<_> = parameters
            .into_iter()
            .map(|(name, value)| auth_param::quoted(name, value))
            .collect();
        write!(f, "Bearer {}", parameters.join(", "))
    }
}

impl FromStr for AuthenticationChallenge {
    type Err = Error;

    fn from_str(header: &str) -> Result<Self, Error> {
        let found = auth_param::parse(HEADER, "Bearer", header)?;
        let take = |name: &'static str| {
            auth_param::find(&found, name)
                .map(str::to_owned)
                .ok_or(Error::Missing(name))
        };
        match auth_param::find(&found, "method") {
            Some(WEB) => Ok(Self::web(take("url")?)),
            Some(OAUTH2) => {
                let server = OAuth2Challenge::new(
                    take("authorization-url")?,
                    take("token-url")?,
                    take("client-id")?,
                );
                let redirect_url = take("redirect-url")?;
                Ok(Self::OAuth2(server.with(|server| {
                    server.redirect_url = redirect_url;
                    server.scope = take("scope").ok();
                })))
            }
            _ => Err(Error::Invalid {
                key: HEADER,
                problem: "of an unknown method",
            }),
        }
    }
}

/// Where a page of `apple-as-web` ends: 308 to this address gives the device its access token.
pub fn authentication_results(access_token: &str) -> String {
    let token = utf8_percent_encode(access_token, NON_ALPHANUMERIC);
    format!("{SCHEME}://authentication-results?access-token={token}")
}

const SCHEME: &str = "apple-remotemanagement-user-login";
const WEB: &str = "apple-as-web";
const OAUTH2: &str = "apple-oauth2";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_oauth2_server_is_written_and_read_with_all_it_has() {
        let server = OAuth2Challenge::new("https://id.example/a", "https://id.example/t", "mdm");
        for server in [
            server.clone(),
            server.with(|server| server.scope = Some("openid \"x\"".into())),
        ] {
            let challenge = AuthenticationChallenge::OAuth2(server);
            let header = challenge.to_string();
            assert!(header.starts_with("Bearer method=\"apple-oauth2\", authorization-url="));
            assert_eq!(
                header.parse::<AuthenticationChallenge>().unwrap(),
                challenge
            );
        }
    }

    #[test]
    fn a_header_that_is_no_challenge_of_apples_is_refused() {
        for header in [
            "Bearer",
            "Bearer method=\"apple-as-web\"",
            "Bearer method=\"other\", url=\"x\"",
            "Basic realm=\"x\"",
            "Bearer method=\"apple-oauth2\", client-id=\"x\"",
        ] {
            assert!(
                header.parse::<AuthenticationChallenge>().is_err(),
                "{header}"
            );
        }
    }

    #[test]
    fn an_access_token_is_escaped() {
        assert_eq!(
            authentication_results("a+b/c"),
            "apple-remotemanagement-user-login://authentication-results?access-token=a%2Bb%2Fc"
        );
    }
}
