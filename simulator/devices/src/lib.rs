//! Simulated Apple devices that enrol, check in and answer commands.
