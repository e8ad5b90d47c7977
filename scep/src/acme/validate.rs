//! How a server looks whether a name is the client's: `http-01` and `dns-01` (RFC 8555 sections 8.3 and 8.4).
//!
//! The names come from strangers. Who looks them up and who connects is the embedder's; to which addresses is decided here.

mod address;
mod http;
mod pinned;

use std::{fmt, net::IpAddr};

use async_trait::async_trait;
use mdm_pki::{
    DigestAlgorithm,
    digest::{constant_time_eq, digest},
};

pub use self::{
    address::{InvalidNetwork, Network, is_public},
    http::HttpValidation,
    pinned::{ByAddress, PinnedTransport},
};
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

/// Looks up the addresses of hosts.
#[async_trait]
pub trait AddressLookup: fmt::Debug + Send + Sync {
    /// The addresses of this host, those to be tried first in front; none where the name has none or does not exist. What
    /// is no public address is sorted out by whoever asked.
    ///
    /// # Errors
    /// Where that cannot be said now.
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, LookupError>;
}

/// A name could not be looked up.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the name could not be looked up: {0}")]
pub struct LookupError(pub String);

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

/// Whether this is a host name: labels of letters, digits and hyphens, at least two, the last one not a
/// number (so no IP address either), as RFC 1123 section 2.1 and RFC 5890 for names in ASCII.
pub(crate) fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
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
    use futures_util::FutureExt as _;

    use super::*;

    const KEY_AUTHORIZATION: &str = "token.thumbprint";

    fn nothing(seen: Seen) -> ErrorType {
        match seen {
            Seen::Nothing(problem) => problem.kind,
            other => panic!("{other:?}"),
        }
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
        assert_eq!(nothing(other), ErrorType::Unauthorized);
        let failed = look(Err(LookupError("SERVFAIL".to_owned())));
        assert_eq!(nothing(failed), ErrorType::Dns);
    }

    #[test]
    fn host_names_are_told_from_addresses_and_other_text() {
        for name in [
            "example.com",
            "Example.com",
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
