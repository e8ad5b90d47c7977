//! Public and private keys: RSA, ECDSA on the NIST curves, and Ed25519.

mod components;
mod private;
mod public;
mod rsa;

pub use components::KeyComponents;
pub(crate) use private::wrap_content_key;
pub use private::{KeySpec, PrivateKey};
pub(crate) use public::ReadyKey;
pub use public::{Curve, KeyAlgorithm, PublicKey};
