//! The stores of mdm-service on SQLite.
