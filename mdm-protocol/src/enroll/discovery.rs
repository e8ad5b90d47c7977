//! Service discovery: how a device finds the server of an account that somebody signs in with.
//!
//! Source: Apple, "Discover authentication servers", "Well-known".

use mdm_core::open_enum;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

/// Where a device asks, on the domain of the account.
pub const WELL_KNOWN_PATH: &str = "/.well-known/com.apple.remotemanagement";

/// The longest query that is read, in bytes.
const MAX_QUERY_BYTES: usize = 4096;

open_enum! {
    /// Which enrolment a discovered server offers.
    pub enum DiscoveryVersion {
        /// User Enrolment: the device is the person's own.
        Byod = "mdm-byod",
        /// Device enrolment: the device is the organisation's.
        Adde = "mdm-adde",
    }
}

open_enum! {
    /// `model-family`: what asks.
    pub enum ModelFamily {
        /// Apple TV.
        AppleTv = "AppleTV",
        /// iPad.
        IPad = "iPad",
        /// iPhone.
        IPhone = "iPhone",
        /// Mac.
        Mac = "Mac",
        /// Apple Vision.
        RealityDevice = "RealityDevice",
        /// Apple Watch.
        Watch = "Watch",
    }
}

/// What a device says when it asks. A redirection on the way loses all of it (Q16): a server must
/// have an answer for an empty one, too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiscoveryQuery {
    /// `user-identifier`: the account, such as `anna@example.com`.
    pub user_identifier: Option<String>,
    /// `model-family`.
    pub model_family: Option<ModelFamily>,
}

impl DiscoveryQuery {
    /// Reads the query of the request's URL. What cannot be read counts as absent.
    ///
    /// A plus sign is one: Apple's URLs do not escape it, and no account has a space in its name.
    pub fn from_query(query: &str) -> Self {
        let mut found = Self::default();
        if query.len() > MAX_QUERY_BYTES {
            return found;
        }
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let Ok(value) = percent_decode_str(value).decode_utf8() else {
                continue;
            };
            if value.is_empty() || value.chars().any(char::is_control) {
                continue;
            }
            match name {
                "user-identifier" => found.user_identifier = Some(value.into_owned()),
                "model-family" => found.model_family = Some(ModelFamily::from(&*value)),
                _ => {}
            }
        }
        found
    }

    /// The account's domain: what follows its *last* `@`.
    pub fn domain(&self) -> Option<&str> {
        let (_, domain) = self.user_identifier.as_deref()?.rsplit_once('@')?;
        Some(domain).filter(|domain| !domain.is_empty())
    }
}

/// The answer: JSON with one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct ServiceDiscovery {
    /// `Servers`: devices take the first whose `Version` they know.
    pub servers: Vec<DiscoveredServer>,
}

impl ServiceDiscovery {
    /// An answer with one server.
    pub fn new(server: DiscoveredServer) -> Self {
        Self {
            servers: vec![server],
        }
    }
}

/// A server that manages the account's devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DiscoveredServer {
    /// `Version`: which enrolment it offers.
    #[serde(rename = "Version")]
    pub version: DiscoveryVersion,
    /// `BaseURL`: where the device POSTs its signed MachineInfo. HTTPS.
    #[serde(rename = "BaseURL")]
    pub base_url: String,
}

impl DiscoveredServer {
    /// A server.
    pub fn new(version: DiscoveryVersion, base_url: impl Into<String>) -> Self {
        Self {
            version,
            base_url: base_url.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_read_as_devices_escape_it_and_split_at_its_last_at_sign() {
        let query = DiscoveryQuery::from_query(
            "user-identifier=%22a%40b%22+mdm%40example.com&model-family=iPhone&x",
        );
        assert_eq!(
            query.user_identifier.as_deref(),
            Some("\"a@b\"+mdm@example.com")
        );
        assert_eq!(query.domain(), Some("example.com"));
        assert_eq!(query.model_family, Some(ModelFamily::IPhone));
    }

    #[test]
    fn q16_a_query_that_was_lost_or_is_none_is_an_empty_one() {
        for query in [
            "",
            "user-identifier=",
            "user-identifier",
            "user-identifier=%FF",
            "a=%0A",
        ] {
            assert_eq!(DiscoveryQuery::from_query(query), DiscoveryQuery::default());
        }
        let long = format!("user-identifier={}", "a".repeat(MAX_QUERY_BYTES));
        assert_eq!(DiscoveryQuery::from_query(&long), DiscoveryQuery::default());
    }

    #[test]
    fn the_answer_has_apples_keys() {
        let server = DiscoveredServer::new(DiscoveryVersion::Byod, "https://mdm.example.com/b");
        assert_eq!(
            serde_json::to_string(&ServiceDiscovery::new(server)).unwrap(),
            r#"{"Servers":[{"Version":"mdm-byod","BaseURL":"https://mdm.example.com/b"}]}"#
        );
    }
}
