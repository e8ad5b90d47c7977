//! The odd forms of answers.

use super::*;
