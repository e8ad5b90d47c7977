//! Configuration profiles: build, sign, verify.
