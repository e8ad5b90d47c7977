//! The Apple MDM crates behind one name.
