//! The reqwest adapter of mdm-transport.
