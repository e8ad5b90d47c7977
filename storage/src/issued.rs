//! A certificate as it stands in the list of those that were issued, for people who look.

use chrono::{DateTime, Utc};
use mdm_scep::store::CertificateRecord;

/// A certificate as it stands in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IssuedCertificate {
    /// The certificate, and whether it still counts.
    pub record: CertificateRecord,
    /// Whose enrolment it was issued for.
    pub label: String,
    /// When it was issued.
    pub issued_at: DateTime<Utc>,
    /// Its place in the list, from which the next page begins.
    pub place: i64,
}
