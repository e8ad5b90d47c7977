//! A fake Apple for tests: ADE service and APNs over real sockets.
