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
mod listing;
mod outbox;
mod places;
mod pushes;
mod queueing;
mod reports;
mod rest;
mod sealing;
mod taking_back;

use std::ops::AsyncFn;

pub use commands::*;
pub use enrollments::*;
pub use listing::*;
pub use outbox::*;
pub use places::*;
pub use pushes::*;
pub use queueing::*;
pub use reports::*;
pub use rest::*;
pub use sealing::*;
pub use taking_back::*;

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
            a_renewal_with_authenticate_keeps_what_waits_and_who_is_there
            a_renewal_that_turns_out_to_be_an_erased_device_begins_anew
            a_certificate_that_another_device_got_meanwhile_is_no_renewal
            q09_the_same_user_on_two_devices_is_two_enrollments
            q14_a_device_that_checks_out_takes_its_users_along
            q14_a_user_that_checks_out_leaves_the_device_enrolled
            q14_authenticate_starts_the_tally_again
            push_targets_come_in_the_order_of_the_question
            nothing_moves_back_when_a_device_was_last_heard_of
            q14_a_retired_device_leaves_its_queue_and_keeps_what_is_escrowed
            a_retired_user_leaves_the_device_enrolled
            enrollments_are_listed_in_the_order_of_their_ids
            enrollments_are_listed_by_every_condition
            // Places and invitations.
            of_two_devices_and_one_place_one_gets_it
            places_are_counted_right_whatever_happens_at_once
            a_device_keeps_its_place_although_the_limit_shrank
            a_device_that_finds_one_pool_full_takes_no_place_at_all
            places_become_free_when_a_device_leaves
            an_invitation_comes_back_as_it_was_made
            an_invitation_is_spent_by_one_device
            q16_the_device_that_spent_an_invitation_may_spend_it_again
            an_expired_or_unknown_invitation_is_refused
            a_step_that_is_refused_spends_no_invitation
            expired_invitations_are_forgotten_and_spent_ones_are_not
            // Commands.
            commands_are_offered_in_the_order_of_enqueue_whatever_the_clock_says
            a_command_is_offered_again_until_it_is_answered
            a_command_for_nobody_is_not_queued
            the_same_command_is_queued_once
            one_batch_answers_for_each_command
            device_and_user_have_queues_of_their_own
            authenticate_cancels_what_was_queued
            what_is_finished_can_be_forgotten_and_what_waits_cannot
            commands_are_listed_page_by_page
            reports_and_enqueues_at_the_same_time_lose_nothing
            q17_not_now_asks_for_a_command_never_answered
            q17_idle_offers_again_what_was_set_aside
            q17_a_device_that_always_says_not_now_is_left_in_peace
            q17_an_answer_goes_on_with_what_idle_released
            q17_the_same_result_twice_counts_once
            q17_a_result_for_an_unknown_command_is_accepted
            a_result_is_kept_byte_for_byte
            a_report_with_a_foreign_certificate_changes_nothing
            a_replaced_certificate_no_longer_reports
            a_late_answer_to_a_cancelled_command_changes_nothing
            the_higher_priority_is_offered_first
            q17_not_now_passes_over_urgent_commands_too
            an_expired_command_is_never_offered
            a_late_answer_to_an_expired_command_changes_nothing
            commands_of_devices_that_never_call_expire_too
            a_key_is_queued_once_while_it_waits
            a_key_whose_command_expired_is_free
            of_one_key_enqueued_at_once_one_is_queued
            a_cancelled_command_is_not_offered
            clearing_takes_back_what_waits_and_nothing_else
            an_authenticate_takes_back_the_erasures_that_wait
            what_is_cleared_while_devices_report_is_settled_or_cancelled
            commands_are_listed_by_state_and_type
            what_a_device_says_of_itself_joins_what_is_known
            what_a_device_says_again_writes_nothing
            a_poll_moves_when_a_device_was_last_heard_of_only_after_a_while
            // Pushes.
            a_queued_command_makes_a_push_due
            a_push_is_leased_to_one_node
            a_lease_that_ends_is_taken_over
            what_a_push_leaves_behind_counts_while_it_is_leased
            a_report_moves_the_push_to_when_it_is_needed
            a_session_of_many_commands_moves_the_push_once
            what_expires_needs_no_push
            nobody_is_pushed_to_who_cannot_be
            a_token_update_pushes_for_what_waits
            a_device_is_woken_without_a_command
            q24_a_dead_token_is_not_pushed_to_until_a_token_update
            q24_a_token_that_was_replaced_meanwhile_is_not_dead
            // Outbox.
            events_stay_until_they_are_acknowledged
            a_settled_command_writes_its_event_once
            sequences_are_never_given_out_twice
            a_subscriber_hears_of_what_happens_from_then_on
            every_subscriber_has_events_of_its_own
            a_subscriber_that_leaves_takes_everything_along
            a_name_that_is_no_subscribers_has_no_events
            dead_letters_are_kept_until_somebody_revives_or_forgets_them
            events_outside_of_a_step_are_told_too
            an_event_that_cannot_be_read_is_kept_as_it_lies_there
            events_of_one_enrolment_are_in_the_order_of_its_steps
            // Escrow and leases.
            secrets_are_added_and_never_replaced
            all_secrets_are_read_page_by_page
            a_step_keeps_its_secrets_with_it
            a_result_keeps_its_secrets_with_it
            a_lease_is_one_holders_until_it_ends
            of_many_who_want_a_lease_at_once_one_gets_it
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

/// The same for what a store need not have: [`VaultStore`](crate::store::VaultStore) and
/// [`ResealStore`](crate::store::ResealStore). Clones of the store that the function makes share what is in it.
#[macro_export]
macro_rules! sealing_contract_tests {
    ($make:path) => {
        $crate::contract_tests! { @each $make:
            a_secret_of_the_server_is_put_once_and_replaced_by_who_knows_it
            secrets_of_the_server_are_listed_by_their_names
            of_many_who_put_a_secret_at_once_one_is_kept
            a_vault_is_sealed_bound_to_names_and_sealed_anew
            all_that_is_sealed_is_sealed_anew_and_the_former_key_can_go
            what_changed_meanwhile_is_not_replaced
            what_is_sealed_anew_while_devices_report_stays_right
        }
    };
}
