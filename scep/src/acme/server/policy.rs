//! What a server demands, how long things last, and how much it takes.

use std::time::Duration;

use crate::acme::jws::JwsLimits;

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What a server demands and how long things last.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// The terms of service, which every new account then has to agree to.
    pub terms_of_service: Option<String>,
    /// A page about the server.
    pub website: Option<String>,
    /// How long an order may take: a day unless changed.
    pub order_lifetime: Duration,
    /// How long an identifier counts as proven: a week unless changed. For so long the account may revoke
    /// certificates of others for it.
    pub authorization_lifetime: Duration,
    /// How long a nonce may be used: an hour unless changed. Spent nonces are remembered for ten minutes more, by which
    /// the clocks of nodes may differ.
    pub nonce_lifetime: Duration,
    /// Whether orders for `hardware-module` are taken: no, unless changed. No device of Apple's makes them.
    pub hardware_module: bool,
    /// Whether accounts may prove host names ahead of their orders (`newAuthz`, RFC 8555 section 7.4.1): no, unless changed.
    pub pre_authorization: bool,
    /// The smallest RSA key that gets a certificate, in bits: 2048 unless changed.
    pub min_rsa_bits: usize,
    /// The largest RSA key that gets a certificate, in bits: 8192 unless changed.
    pub max_rsa_bits: usize,
    /// How often a host name is looked at in vain before its challenge fails: 5 times unless changed.
    pub validation_attempts: u32,
    /// How much time lies between two looks at the least: 5 seconds unless changed. The second look comes after as much
    /// time, the third after twice as much, and so on, when the client asks how it stands.
    pub validation_interval: Duration,
    /// After how long a client is asked to come again, where it has to wait: 5 seconds unless changed.
    pub retry_after: Duration,
    /// How long before the authority's certificate ends [`Event::Expiring`](crate::Event::Expiring) begins to tell of
    /// it: 30 days unless changed.
    pub warn_before: Duration,
    /// How often clients should ask when to renew: every 6 hours unless changed. They are told to do so when a third of
    /// a certificate's time is left, and before a sixth is.
    pub renewal_info_interval: Duration,
}

impl Policy {
    /// The policy with changes.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            terms_of_service: None,
            website: None,
            order_lifetime: DAY,
            authorization_lifetime: 7 * DAY,
            nonce_lifetime: HOUR,
            hardware_module: false,
            pre_authorization: false,
            min_rsa_bits: 2048,
            max_rsa_bits: 8192,
            validation_attempts: 5,
            validation_interval: Duration::from_secs(5),
            retry_after: Duration::from_secs(5),
            warn_before: 30 * DAY,
            renewal_info_interval: 6 * HOUR,
        }
    }
}

/// How much a server takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Of a signed request.
    pub jws: JwsLimits,
    /// Of an attestation.
    pub attestation: mdm_pki::attestation::Limits,
    /// The longest CSR, in bytes of DER: 16 KiB unless changed.
    pub csr: usize,
    /// The most identifiers of an order: 100 unless changed.
    pub identifiers: usize,
    /// The longest identifier, in bytes: 256 unless changed.
    pub identifier: usize,
    /// How many host names are looked at in the course of one request, which waits for it: 10 unless changed, and one at
    /// least. The others are looked at when the client asks again.
    pub looks: usize,
    /// The most orders of an account that are pending, ready or processing, together with the authorisations ahead of orders that
    /// are pending: 100 unless changed.
    pub open_orders: usize,
    /// The most contacts of an account: 5 unless changed.
    pub contacts: usize,
    /// The longest contact, in bytes: 320 unless changed.
    pub contact: usize,
    /// How many orders stand on one page of an account's list: 100 unless changed.
    pub page: usize,
    /// How many orders of an account are looked through, the newest first, for proof that it may revoke a certificate of
    /// somebody else, and for authorisations ahead of an order: 1,000 unless changed.
    pub searched_orders: usize,
}

impl Limits {
    /// The limits with changes.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            jws: JwsLimits::default(),
            attestation: mdm_pki::attestation::Limits::default(),
            csr: 16 << 10,
            identifiers: 100,
            identifier: 256,
            looks: 10,
            open_orders: 100,
            contacts: 5,
            contact: 320,
            page: 100,
            searched_orders: 1000,
        }
    }
}
