//! The stores of `mdm-service` on PostgreSQL.

mod contract;
mod faults;
mod plans;
mod poll;
mod race;
mod sealing;
