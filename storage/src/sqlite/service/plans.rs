//! The queries of the hot path.

use super::{commands, enrollments, outbox};
use crate::sqlite::plans::{assert_none_walks_or_sorts, empty, plan};

#[test]
fn no_query_walks_a_table_or_sorts() {
    assert_none_walks_or_sorts(&[
        commands::SENDER,
        commands::SEQUENCE,
        commands::TAKE,
        commands::SET_ASIDE,
        commands::RELEASE,
        commands::NEXT,
        commands::NEXT_FRESH,
        commands::COMMAND,
        commands::COMMANDS,
        commands::FINISHED,
        enrollments::FIND,
        enrollments::KEY,
        enrollments::OWNER,
        enrollments::PINNED_TO,
        enrollments::FAMILY,
        enrollments::DISABLE_USERS,
        enrollments::CANCEL,
        enrollments::CLEAR,
        outbox::AFTER,
        outbox::ACKNOWLEDGE,
    ]);
}

#[test]
fn the_next_command_is_found_by_the_key_of_the_queue() {
    let plan = plan(&empty(), commands::NEXT);
    let searches = plan.iter().filter(|step| {
        step.contains("SEARCH queue USING") && step.contains("(enrollment=? AND phase=?)")
    });
    assert_eq!(searches.count(), 2, "{plan:#?}");
}
