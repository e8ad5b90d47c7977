//! A fake Apple Push Notification service: TLS, HTTP/2, and what Apple checks of an MDM push.
