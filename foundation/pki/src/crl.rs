//! Revocation lists (RFC 5280, section 5).

/// Why a certificate was revoked (RFC 5280, section 5.3.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RevocationReason {
    /// 0: no reason is given; a list leaves it out.
    #[default]
    Unspecified,
    /// 1: somebody else may have the key.
    KeyCompromise,
    /// 2: somebody else may have the authority's key.
    CaCompromise,
    /// 3: the subject is no longer what the certificate says.
    AffiliationChanged,
    /// 4: another certificate has taken its place.
    Superseded,
    /// 5: it is no longer needed.
    CessationOfOperation,
    /// 6: suspended for now.
    CertificateHold,
    /// 9: what it allowed was withdrawn.
    PrivilegeWithdrawn,
    /// 10: like [`CaCompromise`](Self::CaCompromise), for attributes.
    AaCompromise,
}

impl RevocationReason {
    const ALL: [Self; 9] = [
        Self::Unspecified,
        Self::KeyCompromise,
        Self::CaCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
        Self::CertificateHold,
        Self::PrivilegeWithdrawn,
        Self::AaCompromise,
    ];

    /// The reason's number.
    pub fn number(self) -> u8 {
        match self {
            Self::Unspecified => 0,
            Self::KeyCompromise => 1,
            Self::CaCompromise => 2,
            Self::AffiliationChanged => 3,
            Self::Superseded => 4,
            Self::CessationOfOperation => 5,
            Self::CertificateHold => 6,
            Self::PrivilegeWithdrawn => 9,
            Self::AaCompromise => 10,
        }
    }

    /// The reason of this number; `None` for one that a full list cannot hold.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|reason| reason.number() == number)
    }
}
