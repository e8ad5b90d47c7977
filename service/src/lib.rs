//! MDM check-in and command endpoints over store traits.
