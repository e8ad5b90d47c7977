//! A fake device-assignment service, over raw HTTP and JSON.
