//! Certificates that lie in commands.

use mdm_profiles::lint::unreadable_certificate;
use mdm_schema::{Finding, Rule, Severity};

/// What is wrong with bytes that should be a certificate, or several in PEM.
pub(super) fn finding(at: &str, bytes: &[u8]) -> Option<Finding> {
    let problem = unreadable_certificate(bytes)?;
    Some(Finding::new(
        at,
        Rule::Unreadable,
        Severity::Warning,
        problem,
    ))
}
