//! The queries of challenges, certificates and requests that wait.

use super::{certificates, challenges, counter, listing, pending};
use crate::sqlite::plans::{assert_none_walks_or_sorts, empty, plan};

#[test]
fn no_query_walks_a_table_or_sorts() {
    assert_none_walks_or_sorts(&[
        challenges::EXISTS,
        challenges::FIND,
        challenges::FORGET,
        certificates::SPENT,
        certificates::COUNTS,
        certificates::RENEWED,
        certificates::SPEND,
        certificates::FIND,
        certificates::REVOKE,
        certificates::REVOKED,
        listing::PAGE,
        counter::NEXT,
        counter::ADMIT,
        counter::RELEASE,
        pending::FIND,
        pending::REQUEST,
        pending::RESOLVE,
        pending::RESOLUTION,
        pending::FORGET,
    ]);
}

#[test]
fn revoked_certificates_are_found_by_their_end_among_the_revoked_alone() {
    let plan = plan(&empty(), certificates::REVOKED);
    let finds = |step: &String| {
        step.contains("USING INDEX scep_certificate_revoked") && step.contains("not_after>?")
    };
    assert!(plan.iter().any(finds), "{plan:#?}");
}

/// It looks at none that is decided, and at no more than asked for.
#[test]
fn what_nobody_has_decided_on_is_walked_from_the_oldest_on() {
    let plan = plan(&empty(), pending::UNDECIDED);
    let walks = |step: &String| step.contains("USING INDEX scep_pending_undecided");
    assert!(plan.iter().any(walks), "{plan:#?}");
    assert!(
        !plan.iter().any(|step| step.contains("TEMP B-TREE")),
        "{plan:#?}"
    );
}
