//! What every store must do, as functions that run against any: ours in memory, ours on SQLite, a
//! vendor's own.
//!
//! Each function takes something that makes an empty store, and panics where the store does
//! otherwise than [`crate::store`] says. [`contract_tests!`](crate::contract_tests) makes a
//! `#[tokio::test]` of each:
//!
//! ```
//! # mod doc {
//! use ade_client::MemoryAdeStore;
//!
//! async fn empty_store() -> MemoryAdeStore {
//!     MemoryAdeStore::new()
//! }
//!
//! ade_client::contract_tests!(empty_store);
//! # }
//! ```

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)] // It is made of assertions.

mod accounts;
mod filters;
mod fixture;
mod records;
mod steps;

use std::ops::AsyncFn;

pub use accounts::*;
pub use filters::*;
pub use records::*;
pub use steps::*;

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
            // Steps.
            a_step_that_decides_nothing_writes_nothing
            a_step_writes_all_its_parts_together
            a_step_is_shown_what_it_names_and_nothing_else
            a_step_is_told_how_much_hangs_on_its_account
            a_step_sees_what_the_step_before_it_wrote
            steps_at_the_same_time_lose_nothing
            a_reader_never_sees_half_of_a_step
            a_step_that_panics_writes_nothing_and_the_store_goes_on
            what_is_forgotten_is_gone_and_nothing_else
            a_forgotten_account_takes_along_what_hangs_on_it
            // Records.
            records_come_back_as_they_were_written
            a_record_replaces_the_one_of_the_same_name
            a_page_of_a_thousand_devices_is_one_step
            a_store_shows_no_secret
            // Devices.
            devices_come_in_the_order_of_their_bytes
            devices_come_page_by_page
            released_devices_are_not_present
            unseen_devices_are_those_of_an_earlier_sweep
            devices_are_due_at_their_time_and_not_before
            the_earliest_due_time_is_told
            devices_are_found_by_the_profile_they_want
            devices_are_found_by_their_state
            devices_are_found_by_when_they_were_released
            devices_that_replace_another_are_found_until_it_is_known_which
            devices_that_are_given_up_are_found_until_all_is_done
            filters_follow_every_change
            // Accounts and profiles.
            what_is_unknown_is_missing_and_no_error
            two_accounts_may_have_the_same_device
            accounts_come_page_by_page_in_the_order_of_their_names
            profiles_come_page_by_page_in_the_order_of_their_identifiers
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

#[cfg(test)]
mod tests {
    use crate::MemoryAdeStore;

    async fn empty_store() -> MemoryAdeStore {
        MemoryAdeStore::new()
    }

    crate::contract_tests!(empty_store);
}
