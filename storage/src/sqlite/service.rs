//! The stores of `mdm-service`.

mod commands;
mod enrollments;
mod escrow;
mod invitations;
mod leases;
mod outbox;
mod places;
#[cfg(test)]
mod plans;
mod pushes;
mod queue;
mod report;
mod reseal;
mod rows;
mod vault;
