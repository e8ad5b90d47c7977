//! HTTP to others: Apple, receivers of events.

use std::path::Path;

use mdm_sdk::transport_reqwest::ReqwestTransport;

use crate::{config, error::Error};

/// Trusts the system's roots; where the setting `key` names some, those alone.
pub(crate) fn transport(key: &str, roots: Option<&Path>) -> Result<ReqwestTransport, Error> {
    let mut builder = ReqwestTransport::builder().user_agent(USER_AGENT);
    for root in &config::roots(key, roots)? {
        builder = builder.root(root.to_der()).only_roots(true);
    }
    builder.build().map_err(Error::part("the HTTP client"))
}

/// How the server calls itself.
pub(crate) const USER_AGENT: &str = concat!("mdm-server/", env!("CARGO_PKG_VERSION"));
