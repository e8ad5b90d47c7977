//! What a device makes of a subject.

use mdm_schema::{Finding, Platform, Support, Target};

use super::Subject;
use crate::schema::on;

/// What a device makes of a subject.
pub(super) struct Verdict {
    pub(super) available: bool,
    pub(super) findings: Vec<Finding>,
}

/// What holds for a subject on a system: what the document says, overridden on the way to the key.
pub(super) fn support(subject: &Subject, platform: Platform) -> Option<Support> {
    let mut support = *on(subject.schema.support, platform)?;
    for key in &subject.path {
        if let Some(own) = on(key.support, platform) {
            support = overridden(support, own);
        }
    }
    Some(support)
}

fn overridden(mut outer: Support, own: &Support) -> Support {
    outer.introduced = own.introduced.or(outer.introduced);
    outer
}

pub(super) fn subject(subject: &Subject, target: &Target) -> Verdict {
    let _ = (subject, target);
    Verdict {
        available: true,
        findings: Vec::new(),
    }
}
