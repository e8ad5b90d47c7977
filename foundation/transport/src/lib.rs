//! HTTP transport trait, sans-IO requests and retry policy.
