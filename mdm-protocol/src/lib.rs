//! Apple MDM check-in messages, commands, responses and identifiers.
