//! The stores of `mdm-service`.

mod commands;
mod enrollments;
mod outbox;
#[cfg(test)]
mod plans;
mod rows;
