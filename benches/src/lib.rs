//! Benchmarks and the harness of the comparisons with peers.
