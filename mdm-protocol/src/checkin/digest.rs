//! The digest with which a user of a Mac answers `UserAuthenticate`: HTTP Digest (RFC 2617, kept by
//! RFC 7616 for MD5), carried in property lists instead of headers.
//!
//! MD5 is what the protocol prescribes. It hides a password no better than that: keep what a directory
//! keeps for it ([`password_digest`]) as one keeps a password.

use std::{fmt, str::FromStr};

use mdm_core::Secret;
use mdm_pki::{DigestAlgorithm, digest::constant_time_eq};

use crate::{auth_param, error::Error};

/// `DigestChallenge`: what the user's password is to be hashed with.
///
/// `Display` and `FromStr` are the text in the property list.
///
/// ```
/// use mdm_protocol::checkin::digest::{DigestChallenge, DigestResponse, password_digest};
///
/// let challenge = DigestChallenge::new("mdm", "n-1");
/// assert_eq!(challenge.to_string(), r#"Digest realm="mdm", nonce="n-1", qop="auth", algorithm=MD5"#);
///
/// // The Mac.
/// let password = password_digest("anna", "mdm", "correct horse")?;
/// let response = DigestResponse::answer(&challenge, "anna", &password, "/checkin", "c-1")?;
/// // The server.
/// let response: DigestResponse = response.to_string().parse()?;
/// assert!(response.is_made_with(&password)?);
/// assert!(!response.is_made_with(&password_digest("anna", "mdm", "wrong")?)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DigestChallenge {
    /// `realm`: which of the user's passwords is meant.
    pub realm: String,
    /// `nonce`: a text that serves once.
    pub nonce: String,
    /// `opaque`: a text that comes back as it is.
    pub opaque: Option<String>,
}

impl DigestChallenge {
    /// A challenge.
    pub fn new(realm: impl Into<String>, nonce: impl Into<String>) -> Self {
        Self {
            realm: realm.into(),
            nonce: nonce.into(),
            opaque: None,
        }
    }
}

impl fmt::Display for DigestChallenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let realm = auth_param::quoted("realm", &self.realm);
        let nonce = auth_param::quoted("nonce", &self.nonce);
        write!(f, "Digest {realm}, {nonce}, qop=\"auth\", algorithm=MD5")?;
        match &self.opaque {
            Some(opaque) => write!(f, ", {}", auth_param::quoted("opaque", opaque)),
            None => Ok(()),
        }
    }
}

impl FromStr for DigestChallenge {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let found = auth_param::parse("DigestChallenge", "Digest", text)?;
        let take = |name: &'static str| auth_param::find(&found, name).ok_or(Error::Missing(name));
        let mut challenge = Self::new(take("realm")?, take("nonce")?);
        challenge.opaque = take("opaque").ok().map(str::to_owned);
        Ok(challenge)
    }
}

/// `DigestResponse`: what a Mac makes of the challenge and the user's password.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DigestResponse {
    /// `username`.
    pub username: String,
    /// `realm`, as in the challenge.
    pub realm: String,
    /// `nonce`, as in the challenge.
    pub nonce: String,
    /// `uri`: part of what is hashed.
    pub uri: String,
    /// `opaque`, as in the challenge.
    pub opaque: Option<String>,
    /// `qop`, `nc` and `cnonce`, where the quality of protection is used.
    pub protection: Option<Protection>,
    /// `response`: the hash, 32 hexadecimal digits.
    pub response: Secret<String>,
}

/// What `qop` brings along.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Protection {
    /// `qop`: `auth`.
    pub qop: String,
    /// `nc`: how often the nonce was used, eight hexadecimal digits.
    pub nc: String,
    /// `cnonce`: a text of the Mac's.
    pub cnonce: String,
}

impl DigestResponse {
    /// What a Mac answers. `password` is that of [`password_digest`].
    ///
    /// # Errors
    /// [`mdm_pki::Error`] where OpenSSL offers no MD5 (FIPS).
    pub fn answer(
        challenge: &DigestChallenge,
        username: impl Into<String>,
        password: &Secret<String>,
        uri: impl Into<String>,
        cnonce: impl Into<String>,
    ) -> Result<Self, mdm_pki::Error> {
        let mut answer = Self {
            username: username.into(),
            realm: challenge.realm.clone(),
            nonce: challenge.nonce.clone(),
            uri: uri.into(),
            opaque: challenge.opaque.clone(),
            protection: Some(Protection {
                qop: "auth".to_owned(),
                nc: "00000001".to_owned(),
                cnonce: cnonce.into(),
            }),
            response: Secret::new(String::new()),
        };
        answer.response = answer.expected(password, METHOD)?;
        Ok(answer)
    }

    /// Whether the user knows the password that this digest is of.
    ///
    /// That realm and nonce are those of a challenge that was given out is the caller's to check.
    ///
    /// # Errors
    /// [`mdm_pki::Error`] where OpenSSL offers no MD5 (FIPS).
    pub fn is_made_with(&self, password: &Secret<String>) -> Result<bool, mdm_pki::Error> {
        let given = self.response.expose().to_ascii_lowercase();
        let expected = self.expected(password, METHOD)?;
        Ok(constant_time_eq(
            given.as_bytes(),
            expected.expose().as_bytes(),
        ))
    }

    fn expected(
        &self,
        password: &Secret<String>,
        method: &str,
    ) -> Result<Secret<String>, mdm_pki::Error> {
        let request = md5(&format!("{method}:{}", self.uri))?;
        let (password, nonce) = (password.expose().as_str(), &self.nonce);
        let text = match &self.protection {
            Some(Protection { qop, nc, cnonce }) => {
                format!("{password}:{nonce}:{nc}:{cnonce}:{qop}:{request}")
            }
            None => format!("{password}:{nonce}:{request}"),
        };
        Ok(Secret::new(md5(&text)?))
    }
}

impl fmt::Display for DigestResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parameters = vec![
            auth_param::quoted("username", &self.username),
            auth_param::quoted("realm", &self.realm),
            auth_param::quoted("nonce", &self.nonce),
            auth_param::quoted("uri", &self.uri),
            auth_param::quoted("response", self.response.expose()),
            "algorithm=MD5".to_owned(),
        ];
        if let Some(Protection { qop, nc, cnonce }) = &self.protection {
            parameters.push(format!("qop={qop}, nc={nc}"));
            parameters.push(auth_param::quoted("cnonce", cnonce));
        }
        parameters.extend(
            self.opaque
                .as_deref()
                .map(|opaque| auth_param::quoted("opaque", opaque)),
        );
        write!(f, "Digest {}", parameters.join(", "))
    }
}

impl FromStr for DigestResponse {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let found = auth_param::parse("DigestResponse", "Digest", text)?;
        let take = |name: &'static str| {
            auth_param::find(&found, name)
                .map(str::to_owned)
                .ok_or(Error::Missing(name))
        };
        let is_md5 = take("algorithm").map_or(true, |name| name.eq_ignore_ascii_case("MD5"));
        if !is_md5 {
            return Err(Error::Invalid {
                key: "DigestResponse",
                problem: "of another algorithm than MD5",
            });
        }
        let protection = match take("qop") {
            Ok(qop) => Some(Protection {
                qop,
                nc: take("nc")?,
                cnonce: take("cnonce")?,
            }),
            Err(_) => None,
        };
        Ok(Self {
            username: take("username")?,
            realm: take("realm")?,
            nonce: take("nonce")?,
            uri: take("uri")?,
            opaque: take("opaque").ok(),
            protection,
            response: Secret::new(take("response")?),
        })
    }
}

/// What stands for a password: the MD5 of `username:realm:password` in hexadecimal digits, the `H(A1)`
/// of RFC 2617, section 3.2.2.2.
///
/// # Errors
/// [`mdm_pki::Error`] where OpenSSL offers no MD5 (FIPS).
pub fn password_digest(
    username: &str,
    realm: &str,
    password: &str,
) -> Result<Secret<String>, mdm_pki::Error> {
    md5(&format!("{username}:{realm}:{password}")).map(Secret::new)
}

/// Check-in messages are PUT.
const METHOD: &str = "PUT";

fn md5(text: &str) -> Result<String, mdm_pki::Error> {
    use fmt::Write;
    let mut hex = String::new();
    for byte in mdm_pki::digest(DigestAlgorithm::Md5, text.as_bytes())? {
        // Writing to a string never fails.
        let _ = write!(hex, "{byte:02x}");
    }
    Ok(hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 2617, section 3.5, whose method is GET.
    #[test]
    fn the_digest_is_that_of_the_rfc() {
        let response: DigestResponse = "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", \
             nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", uri=\"/dir/index.html\", qop=auth, \
             nc=00000001, cnonce=\"0a4f113b\", response=\"6629fae49393a05397450978507c4ef1\", \
             opaque=\"5ccc069c403ebaf9f0171e9517f40e41\""
            .parse()
            .unwrap();
        let password = password_digest("Mufasa", "testrealm@host.com", "Circle Of Life").unwrap();
        assert_eq!(
            response.expected(&password, "GET").unwrap(),
            response.response
        );
        assert!(!response.is_made_with(&password).unwrap());
    }

    #[test]
    fn a_response_without_quality_of_protection_is_the_older_digest() {
        let password = password_digest("anna", "mdm", "x").unwrap();
        let challenge: DigestChallenge = "Digest realm=\"mdm\", nonce=\"n\", opaque=\"o\""
            .parse()
            .unwrap();
        let mut response = DigestResponse::answer(&challenge, "anna", &password, "/", "c").unwrap();
        response.protection = None;
        response.response = response.expected(&password, METHOD).unwrap();
        let read: DigestResponse = response.to_string().parse().unwrap();
        assert_eq!(read, response);
        assert!(read.is_made_with(&password).unwrap());
        assert!(!format!("{read:?}").contains(response.response.expose()));
    }

    #[test]
    fn what_is_no_response_is_refused() {
        for text in [
            "",
            "Digest username=\"a\"",
            "Digest username=a, realm=b, nonce=c, uri=d, response=e, algorithm=SHA-256",
            "Digest username=a, realm=b, nonce=c, uri=d, response=e, qop=auth",
        ] {
            assert!(text.parse::<DigestResponse>().is_err(), "{text}");
        }
    }
}
