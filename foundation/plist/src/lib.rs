//! Bounded XML and binary property lists for serde.
