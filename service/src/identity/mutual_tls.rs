//! Mutual TLS that ends in this program.

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::Request;
use mdm_pki::Certificate;
use mdm_protocol::signature::ClockSkew;

use super::{IdentityError, IdentitySource, issuers::Issuers};

/// The certificate that a device showed when TLS was set up. Whoever terminates TLS puts it into the
/// request's extensions; nothing that arrives over the network can.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PeerCertificate {
    /// The device's own certificate, whose key TLS has seen proven.
    pub leaf: Certificate,
    /// What came along with it.
    pub chain: Vec<Certificate>,
}

impl PeerCertificate {
    /// A certificate that came alone.
    pub fn new(leaf: Certificate) -> Self {
        Self {
            leaf,
            chain: Vec::new(),
        }
    }

    /// A certificate with those that came along.
    pub fn with_chain(leaf: Certificate, chain: Vec<Certificate>) -> Self {
        Self { leaf, chain }
    }
}

/// Mutual TLS: the [`PeerCertificate`] in the request's extensions.
///
/// TLS must *ask* for the certificate and may take any: its issuer is checked here, and a device that
/// TLS turns away gets no answer at all. `SignMessage` is not needed in the profile.
///
/// ```
/// use bytes::Bytes;
/// use http::Request;
/// use mdm_pki::Certificate;
/// use mdm_service::identity::{MutualTls, PeerCertificate};
///
/// fn identity(issuers: Vec<Certificate>) -> Result<MutualTls, mdm_pki::Error> {
///     MutualTls::new(&issuers)
/// }
///
/// // Where a connection is served:
/// fn tell(request: &mut Request<Bytes>, shown: Certificate) {
///     request.extensions_mut().insert(PeerCertificate::new(shown));
/// }
/// ```
#[derive(Debug, Clone)]
pub struct MutualTls {
    issuers: Issuers,
}

impl MutualTls {
    /// Takes certificates that one of `issuers` issued, and nobody else's.
    ///
    /// # Errors
    /// [`mdm_pki::Error`] for an issuer that cannot be used.
    pub fn new(issuers: &[Certificate]) -> Result<Self, mdm_pki::Error> {
        Ok(Self {
            issuers: Issuers::new(issuers)?,
        })
    }

    /// Of how many certificates it is remembered that one of the issuers issued them, which saves most of the time that a
    /// request takes here. 65,536 unless set, some 128 bytes each; 0 has each request looked at from the start. That a
    /// certificate is valid is looked at each time.
    #[must_use]
    pub fn remember(mut self, certificates: usize) -> Self {
        self.issuers.remember(certificates);
        self
    }

    /// Bounds on wrong clocks; there is no signing time here.
    #[must_use]
    pub fn clock_skew(mut self, skew: ClockSkew) -> Self {
        self.issuers.skew = skew;
        self
    }
}

#[async_trait]
impl IdentitySource for MutualTls {
    async fn identify(
        &self,
        request: &Request<Bytes>,
        now: DateTime<Utc>,
    ) -> Result<Certificate, IdentityError> {
        let shown = request
            .extensions()
            .get::<PeerCertificate>()
            .ok_or(IdentityError::Missing)?;
        self.issuers
            .check(shown.leaf.clone(), &shown.chain, now)
            .map_err(IdentityError::invalid)
    }
}
