//! A fake Apple for tests: the services that an MDM server talks to, over real sockets and real TLS
//! on one machine, with no account at Apple.
//!
//! The fakes speak raw HTTP, JSON and CMS. They share no type with the clients of this family, so
//! that a misreading on one side is not repeated on the other, and they refuse what Apple refuses.
//!
//! | Module | What lives there |
//! |---|---|
//! | [`ade`] | the device-assignment service: server tokens, OAuth, sessions, cursors, profiles, faults |
//! | [`apns`] | the push service |
//! | [`attestation`] | what a device attests: chains as Apple's, with every value and every defect |
//! | [`http`] | the HTTPS server that they stand on, for other needs of a test too |
//! | [`authority`] | a certificate authority for one run |
//!
//! ```
//! use mdm_fake_apple::ade::{Config, FakeAde};
//! use serde_json::json;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let apple = FakeAde::start(Config::default()).await?;
//! apple.add_device(json!({"serial_number": "C02AAAAAAAAA", "device_family": "Mac", "os": "OSX"}));
//!
//! // What a client needs to know, and what it has to trust.
//! assert!(apple.url().starts_with("https://localhost:"));
//! assert!(apple.root_certificate().is_ca());
//!
//! // No profile is assigned yet, so a device at activation is told nothing.
//! assert_eq!(apple.device_profile("C02AAAAAAAAA"), None);
//! # Ok(())
//! # }
//! ```

pub mod ade;
pub mod apns;
pub mod attestation;
pub mod authority;
pub mod http;
