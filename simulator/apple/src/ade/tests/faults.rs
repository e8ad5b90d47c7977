//! Each fault, and that it has happened.

use super::*;
