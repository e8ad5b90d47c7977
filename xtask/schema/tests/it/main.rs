//! The program itself, on checkouts and in a workspace that the tests write.

mod program;
