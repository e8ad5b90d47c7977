//! The queries of challenges, certificates, requests that wait, accounts and orders.

use super::{
    acme::{accounts, nonces, orders},
    certificates, challenges, counter, listing, pending,
};
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
        accounts::FIND,
        accounts::OF_KEY,
        accounts::OF_EXTERNAL,
        accounts::UPDATE,
        nonces::EXISTS,
        nonces::FORGET,
        orders::FIND,
        orders::REPLACING,
        orders::UPDATE,
        orders::OWNER,
        orders::KEY,
        orders::LIST,
        orders::OF_CERTIFICATE,
        orders::FORGET,
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

#[test]
fn open_orders_are_counted_in_an_index_that_holds_no_others() {
    let plan = plan(&empty(), orders::OPEN);
    let counts = |step: &String| {
        step.contains("COVERING INDEX acme_order_open (account=? AND open_until>?)")
    };
    assert!(plan.iter().any(counts), "{plan:#?}");
}
