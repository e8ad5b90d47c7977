//! The queries of the hot path, and those that grow with the number of devices.

use mdm_core::SerialNumber;
use mdm_service::{EnrollmentId, store::EnrollmentFilter};

use super::{
    commands, enrollments, escrow, invitations, leases, outbox, places, pushes, queue, report,
    reseal, vault,
};
use crate::sqlite::plans::{assert_none_walks_or_sorts, empty, plan};

#[test]
fn no_query_walks_a_table_or_sorts() {
    assert_none_walks_or_sorts(&[
        report::SENDER,
        report::IS_ASIDE,
        report::RELEASE,
        report::SET_ASIDE,
        report::IS_OVER,
        report::FIRST,
        report::OFFER,
        report::REPORTED,
        queue::RECIPIENT,
        queue::PLACE,
        queue::TAKE,
        queue::OF_KEY,
        queue::OVER,
        queue::OVER_OF,
        queue::OVER_OF_KEY,
        queue::CANCEL_ALL,
        queue::CLEAR,
        queue::ERASURES,
        commands::COMMAND,
        commands::COMMANDS,
        commands::FINISHED,
        enrollments::FIND,
        enrollments::KEY,
        enrollments::KNOWN,
        enrollments::LICENCES,
        enrollments::OWNER,
        enrollments::PINNED_TO,
        enrollments::PUSH_TARGET,
        enrollments::FAMILY,
        enrollments::DISABLE_USERS,
        enrollments::QUIET_USERS,
        enrollments::MOVE_VERSION,
        pushes::DUE,
        pushes::DUE_BY,
        pushes::IS_DUE,
        pushes::SETTLE,
        pushes::SET_DUE,
        pushes::SET_SEEN,
        pushes::DEAD,
        pushes::WAITS,
        places::TAKEN,
        places::FREE,
        places::ONE_LESS,
        invitations::FIND,
        invitations::SPEND,
        invitations::FORGET,
        escrow::OF_HOLDER,
        escrow::OF_KIND,
        escrow::PAGE,
        outbox::SUBSCRIBER,
        outbox::EVENTS,
        outbox::PENDING,
        outbox::ACKNOWLEDGE,
        outbox::BURY,
        outbox::DEAD,
        outbox::REVIVE,
        outbox::FORGET,
        leases::RELEASE,
        vault::SECRET,
        vault::REPLACE,
        vault::NAMES,
        reseal::UNLOCK_TOKENS,
        reseal::BOOTSTRAP_TOKENS,
        reseal::ESCROW,
        reseal::COMMANDS,
        reseal::RESULTS,
    ]);
    assert_none_walks_or_sorts(&reseal::REPLACE);
    assert_none_walks_or_sorts(&outbox::UNSUBSCRIBE);
}

#[test]
fn the_next_command_is_found_by_the_key_of_the_queue() {
    let plan = plan(&empty(), report::FIRST);
    assert_eq!(plan.len(), 1, "{plan:#?}");
    let by_key = "SEARCH queue USING COVERING INDEX";
    let by_primary = "SEARCH queue USING PRIMARY KEY";
    assert!(
        plan[0].starts_with(by_primary) || plan[0].starts_with(by_key),
        "{plan:#?}"
    );
    assert!(plan[0].contains("(enrollment=? AND phase=?)"), "{plan:#?}");
}

#[test]
fn who_is_to_be_pushed_to_is_found_by_the_time() {
    for sql in [pushes::DUE, pushes::IS_DUE] {
        let plan = plan(&empty(), sql);
        assert!(
            plan.iter()
                .any(|step| step.contains("contact_by_due (push_due_at<?)")),
            "{plan:#?}"
        );
    }
}

/// One sort of what is taken back, and no walk through what others have waiting.
#[test]
fn queues_are_cleared_by_their_key() {
    for sql in [queue::CANCEL_ALL_OF, queue::CLEAR_OF] {
        let plan = plan(&empty(), sql);
        let by_key = |step: &String| step.contains("(enrollment=?)");
        assert!(plan.iter().any(by_key), "{plan:#?}");
        let walks = |step: &String| step.starts_with("SCAN q");
        assert!(!plan.iter().any(walks), "{plan:#?}");
    }
}

/// Each condition that narrows has an index in the order of ids.
#[test]
fn a_page_of_enrolments_is_found_by_what_narrows_it() {
    let after: EnrollmentId = "device:A".parse().unwrap();
    type Set = fn(&mut EnrollmentFilter);
    let cases: [(Set, &str); 6] = [
        (|_| {}, "enrollments_1 (id>?)"),
        (|f| f.devices_only = true, "enrollments_1 (id>?)"),
        (
            |f| f.device = Some("device:B".parse().unwrap()),
            "enrollments_by_device (device=? AND id>?)",
        ),
        (
            |f| f.serial_number = Some(SerialNumber::new("C02").unwrap()),
            "enrollments_by_serial_number (serial_number=? AND id>?)",
        ),
        (
            |f| f.owner = Some("anna".to_owned()),
            "enrollments_by_owner (owner=? AND id>?)",
        ),
        (
            |f| f.licence = Some("macs".to_owned()),
            "(pool=? AND holder>?)",
        ),
    ];
    for (set, index) in cases {
        let filter = EnrollmentFilter::new().with(set);
        let (sql, _) = enrollments::listing(&filter, Some(&after), 10);
        assert_none_walks_or_sorts(&[&sql]);
        let plan = plan(&empty(), &sql);
        assert!(plan.iter().any(|step| step.contains(index)), "{plan:#?}");
    }
}
