//! What every store must do, as functions that run against any: ours in memory, ours on SQLite, a
//! vendor's own.
//!
//! Each function takes something that makes an empty store, and panics where the store does
//! otherwise than [`crate::store`] says. [`contract_tests!`](crate::contract_tests) makes a
//! `#[tokio::test]` of each:
//!
//! ```
//! # mod doc {
//! use mdm_service::MemoryStore;
//!
//! async fn empty_store() -> MemoryStore {
//!     MemoryStore::new()
//! }
//!
//! mdm_service::contract_tests!(empty_store);
//! # }
//! ```

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // It is made of assertions.

mod commands;
mod enrollments;
mod fixture;
mod outbox;
mod reports;

use std::ops::AsyncFn;

pub use commands::*;
pub use enrollments::*;
pub use outbox::*;
pub use reports::*;

/// Something that makes an empty store: any async function or closure without arguments.
pub trait Make<S>: AsyncFn() -> S {}

impl<S, F: AsyncFn() -> S> Make<S> for F {}

/// Makes a test of every behaviour of the contract; takes the name of a function without arguments
/// that makes an empty store.
///
/// The crate that calls it needs `tokio` with its test macro. A vendor on another runtime calls the
/// functions of [`contract`](crate::contract) by itself.
#[macro_export]
macro_rules! contract_tests {
    ($make:path) => {
        $crate::contract_tests! { @each $make:
            // Enrolments.
            an_unseen_device_has_version_zero_and_nothing_else
            an_enrollment_comes_back_as_it_was_committed
            a_step_decided_on_an_old_version_conflicts_and_leaves_no_trace
            of_steps_decided_at_the_same_time_one_is_committed
            a_user_moves_the_version_of_its_device
            a_certificate_never_serves_a_second_device
            a_replaced_certificate_still_belongs_to_its_device
            a_renewed_certificate_goes_on_where_the_former_stopped
            a_certificate_that_another_device_got_meanwhile_is_no_renewal
            q09_the_same_user_on_two_devices_is_two_enrollments
            q14_a_device_that_checks_out_takes_its_users_along
            q14_a_user_that_checks_out_leaves_the_device_enrolled
            q14_authenticate_starts_the_tally_again
            push_targets_come_in_the_order_of_the_question
            // Commands.
            commands_are_offered_in_the_order_of_enqueue_whatever_the_clock_says
            a_command_is_offered_again_until_it_is_answered
            a_command_for_nobody_is_not_queued
            the_same_command_is_queued_once
            one_batch_answers_for_each_command
            q17_not_now_asks_for_a_command_never_answered
            q17_idle_offers_again_what_was_set_aside
            q17_a_device_that_always_says_not_now_is_left_in_peace
            q17_an_answer_goes_on_with_what_idle_released
            q17_the_same_result_twice_counts_once
            q17_a_result_for_an_unknown_command_is_accepted
            a_result_is_kept_byte_for_byte
            a_report_with_a_foreign_certificate_changes_nothing
            a_replaced_certificate_no_longer_reports
            device_and_user_have_queues_of_their_own
            authenticate_cancels_what_was_queued
            a_late_answer_to_a_cancelled_command_changes_nothing
            what_is_finished_can_be_forgotten_and_what_waits_cannot
            commands_are_listed_page_by_page
            reports_and_enqueues_at_the_same_time_lose_nothing
            // Outbox.
            events_stay_until_they_are_acknowledged
            a_settled_command_writes_its_event_once
            sequences_are_never_given_out_twice
        }
    };
    (@each $make:path: $($behaviour:ident)+) => {
        $(
            #[tokio::test]
            async fn $behaviour() {
                $crate::contract::$behaviour($make).await;
            }
        )+
    };
}
