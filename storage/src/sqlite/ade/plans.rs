//! The queries of devices, accounts and profiles.

use super::{
    ACCOUNT, ACCOUNTS, ACCOUNTS_OF, DEVICE, NEXT_DUE, PROFILES, commit,
    filter::{COUNTS, SORTED, WALKED},
};
use crate::sqlite::plans::{assert_none_walks_or_sorts, empty, plan};

#[test]
fn no_query_walks_a_table_or_sorts() {
    assert_none_walks_or_sorts(&[
        ACCOUNT,
        ACCOUNTS,
        DEVICE,
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
    assert_none_walks_or_sorts(&WALKED);
    assert_none_walks_or_sorts(&COUNTS);
}

#[test]
fn a_page_of_all_begins_where_the_last_one_ended_and_a_count_reads_no_row() {
    let connection = empty();
    for sql in WALKED {
        let plan = plan(&connection, sql);
        let begins = |step: &String| step.contains("account=? AND serial_number>?");
        assert!(plan.iter().any(begins), "{plan:#?}");
    }
    for sql in COUNTS {
        let plan = plan(&connection, sql);
        let covers = |step: &String| step.contains("SEARCH ade_device USING COVERING INDEX");
        assert!(plan.iter().any(covers), "{plan:#?}");
    }
}

#[test]
fn a_page_that_is_sorted_is_found_by_its_filter_and_sorted_without_a_row() {
    let connection = empty();
    for sql in SORTED {
        let plan = plan(&connection, sql);
        let finds =
            |step: &String| step.starts_with("SEARCH ade_device USING COVERING INDEX ade_device_");
        assert!(plan.iter().any(finds), "{plan:#?}");
        assert!(
            !plan.iter().any(|step| step.starts_with("SCAN")),
            "{plan:#?}"
        );
    }
}

#[test]
fn the_accounts_of_a_device_are_asked_by_its_serial_number() {
    let plan = plan(&empty(), ACCOUNTS_OF);
    let asks = |step: &String| step.contains("COVERING INDEX") && step.contains("serial_number=?");
    assert!(plan.iter().any(asks), "{plan:#?}");
}
