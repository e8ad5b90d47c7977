//! The stores of `mdm-service`. The rules stand in the functions of the schema; here are their calls.

mod commands;
mod enrollments;
mod escrow;
mod invitations;
mod leases;
mod outbox;
mod pushes;
mod report;
mod reseal;
mod rows;
mod vault;
