//! The queries of devices, accounts and profiles.

use super::{ACCOUNT, ACCOUNTS, ACCOUNTS_OF, DEVICE, NEXT_DUE, PROFILES, commit, filter::QUERIES};
use crate::sqlite::plans::{assert_none_walks_or_sorts, empty, plan};

#[test]
fn no_query_walks_a_table_or_sorts() {
    assert_none_walks_or_sorts(&[
        ACCOUNT,
        ACCOUNTS,
        DEVICE,
        ACCOUNTS_OF,
        NEXT_DUE,
        PROFILES,
        commit::PROFILE,
        commit::COUNT_PROFILES,
        commit::KEY,
        commit::SET_ACCOUNT,
        commit::FORGET_DEVICE,
        commit::FORGET_PROFILE,
        commit::FORGET_DEVICES,
        commit::FORGET_PROFILES,
        commit::FORGET_ACCOUNT,
    ]);
    for (page, count) in QUERIES {
        assert_none_walks_or_sorts(&[page, count]);
    }
}

#[test]
fn a_page_begins_where_the_last_one_ended_and_a_count_reads_no_document() {
    let connection = empty();
    for (page, count) in QUERIES {
        let page = plan(&connection, page);
        assert!(
            page.iter().any(|step| step.contains("serial_number>?")),
            "{page:#?}"
        );
        let count = plan(&connection, count);
        assert!(
            count.iter().any(|step| step.contains("COVERING INDEX")),
            "{count:#?}"
        );
    }
}
