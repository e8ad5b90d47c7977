//! The organization and server behind a token, and the limits that Apple states for it.
//!
//! <https://developer.apple.com/documentation/devicemanagement/accountdetail>

use super::loose::loose;
use super::loose::text_field;
use mdm_core::open_enum;

loose! {
    /// The organization and server behind a token.
    pub struct Account {
        /// The server's name in the portal.
        server_name: String,
        /// The server's identifier: 32 upper-case hex digits.
        server_uuid: String,
        /// The managed Apple Account of who downloaded the token.
        admin_id: String,
        /// The former name of `admin_id`.
        facilitator_id: String,
        /// The organization's name.
        org_name: String,
        /// The organization's address for mail.
        org_email: String,
        /// The organization's telephone number.
        org_phone: String,
        /// The organization's address.
        org_address: String,
        /// The customer number (protocol version 3).
        org_id: String,
        /// The customer number hashed: the same for all servers of one organization.
        org_id_hash: String,
        /// Which portal the organization uses.
        org_type: OrgType,
        /// `v2` in Apple Business or School Manager.
        org_version: String,
        /// The endpoints that the token may use and their limits.
        urls: Vec<UrlMetadata>,
    }
}

impl Account {
    /// The most items that the endpoint at `path` takes or gives at once, where Apple states it.
    pub fn maximum(&self, path: &str) -> Option<u32> {
        self.urls
            .iter()
            .flatten()
            .find(|url| url.uri.as_deref() == Some(path))?
            .limit
            .as_ref()?
            .maximum
    }
}

loose! {
    /// An endpoint that the token may use.
    pub struct UrlMetadata {
        /// The path.
        uri: String,
        /// The methods.
        http_method: Vec<String>,
        /// How many items at once.
        limit: UrlLimit,
    }
}

loose! {
    /// How many items an endpoint takes or gives at once.
    pub struct UrlLimit {
        /// If nothing is said.
        default: u32,
        /// At most.
        maximum: u32,
    }
}

open_enum! {
    /// A kind of organization.
    pub enum OrgType {
        /// Apple School Manager.
        Education = "edu",
        /// Apple Business.
        Organization = "org",
        /// A provider of television.
        TvProvider = "tvprovider",
    }
}

text_field!(OrgType);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_found_where_apple_states_them() {
        let account: Account = serde_json::from_str(
            r#"{"server_name":"mdm","urls":[
                {"uri":"/profile/devices","http_method":["POST","PUT"]},
                {"uri":"/server/devices","http_method":["POST"],"limit":{"default":100,"maximum":1000}},
                {"uri":"/devices/sync","limit":{"maximum":"lots"}},
                {"uri":"/devices","limit":{"maximum":"500"}},null]}"#,
        )
        .unwrap();
        assert_eq!(account.maximum("/server/devices"), Some(1000));
        assert_eq!(account.maximum("/profile/devices"), None);
        assert_eq!(account.maximum("/devices/sync"), None);
        assert_eq!(account.maximum("/devices"), Some(500));
        assert_eq!(Account::default().maximum("/x"), None);
    }
}
