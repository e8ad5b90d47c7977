//! The dependency rules: who may know whom, checked over `cargo metadata` and `cargo tree`.
//!
//! The tables below are the rules; why they are so stands in `docs/decisions/0001-workspace.md`.
//! Development dependencies are free, for nobody who embeds a crate ever builds them.

mod check;
mod house;

use crate::run::Outcome;

const NOBODY: &[&str] = &[];
const CORE: &[&str] = &["mdm-core"];
const FOUNDATION: &[&str] = &[
    "mdm-core",
    "mdm-pki",
    "mdm-plist",
    "mdm-schema",
    "mdm-tls",
    "mdm-transport",
    "mdm-transport-reqwest",
];
const FLOWS: &[&str] = &[
    "ade-client",
    "mdm-apns",
    "mdm-profiles",
    "mdm-protocol",
    "mdm-scep",
    "mdm-service",
    "mdm-storage",
];
const DOCUMENTS: &[&str] = &["mdm-core", "mdm-plist", "mdm-schema", "mdm-pki"];
const TOP: &[&str] = &["mdm-fake-apple", "mdm-sdk", "mdm-simulator"];
/// `sdk`, `simulator/devices`, `examples` and `benches`.
const EVERYBODY: &[&[&str]] = &[FOUNDATION, FLOWS, TOP];

/// Who may know whom. A crate that is not listed is a finding: a new crate states its floor here.
pub(crate) const FLOORS: &[(&str, &[&[&str]])] = &[
    ("mdm-core", &[NOBODY]),
    ("mdm-pki", &[CORE]),
    ("mdm-plist", &[CORE]),
    ("mdm-schema", &[CORE, &["mdm-plist"]]),
    ("mdm-tls", &[CORE, &["mdm-pki"]]),
    ("mdm-transport", &[CORE]),
    ("mdm-transport-reqwest", &[CORE, &["mdm-transport"]]),
    ("ade-client", &[FOUNDATION]),
    ("mdm-apns", &[FOUNDATION]),
    ("mdm-scep", &[FOUNDATION]),
    ("mdm-profiles", &[DOCUMENTS]),
    ("mdm-protocol", &[DOCUMENTS]),
    ("mdm-service", &[FOUNDATION, &["mdm-protocol"]]),
    // The engines of the stores whose traits these three own; it never knows another flow.
    (
        "mdm-storage",
        &[
            CORE,
            &["mdm-pki", "mdm-tls"],
            &["ade-client", "mdm-scep", "mdm-service"],
        ],
    ),
    // A fake built from our endpoint types would share our mistakes.
    ("mdm-fake-apple", &[FOUNDATION]),
    ("mdm-sdk", &[FOUNDATION, FLOWS]),
    ("mdm-scratch-postgres", &[NOBODY]),
    ("mdm-simulator", EVERYBODY),
    ("mdm-server", EVERYBODY),
    ("mdmtool", EVERYBODY),
    ("quickstart", EVERYBODY),
    // The harness itself is the standard library alone.
    ("mdm-benches", &[NOBODY]),
    ("xtask", &[NOBODY]),
    ("schema-generator", &[NOBODY]),
];

/// Who may name what of other people's.
pub(crate) const RESERVED: &[(&str, &[&str])] = &[
    ("openssl", &["mdm-pki", "mdm-tls"]),
    ("openssl-sys", NOBODY),
    ("openssl-probe", &["mdm-pki", "mdm-tls"]),
    ("tokio-openssl", &["mdm-tls"]),
    ("native-tls", &["mdm-transport-reqwest"]),
    ("reqwest", &["mdm-transport-reqwest"]),
    ("h2", &["mdm-apns", "mdm-fake-apple"]),
    ("rusqlite", &["mdm-storage"]),
    ("tokio-postgres", &["mdm-storage"]),
    ("deadpool-postgres", &["mdm-storage"]),
    ("tokio", ASYNC),
];

/// Who may not do without tokio.
const ASYNC: &[&str] = &[
    "mdm-apns",
    "mdm-fake-apple",
    "mdm-server",
    "mdm-simulator",
    "mdm-storage",
    "mdm-tls",
    "mdm-transport-reqwest",
    "mdmtool",
    "quickstart",
];

/// Reserved dependencies that others may have behind a feature: tokio, for workers and for the
/// clock that sleeps by it.
pub(crate) const OPTIONAL_ELSEWHERE: &[&str] = &["tokio"];

/// Crate, dependency and the one feature that may bring it, so that documents alone link no OpenSSL
/// and a store's engine comes only when asked for.
pub(crate) const BEHIND: &[(&str, &str, &str)] = &[
    ("mdm-protocol", "mdm-pki", "crypto"),
    ("mdm-profiles", "mdm-pki", "crypto"),
    ("mdm-storage", "mdm-pki", "scep"),
    ("mdm-storage", "rusqlite", "sqlite"),
    ("mdm-storage", "tokio-postgres", "postgres"),
    ("mdm-storage", "deadpool-postgres", "postgres"),
    ("mdm-storage", "mdm-tls", "postgres"),
];

/// Crates that stay light: without features they build nothing of [`HEAVY`].
pub(crate) const LIGHT: &[&str] = &[
    "mdm-core",
    "mdm-plist",
    "mdm-schema",
    "mdm-transport",
    "mdm-protocol",
    "mdm-profiles",
];
/// What a light crate leaves out.
pub(crate) const HEAVY: &[&str] = &["openssl-sys", "tokio"];

/// TLS and cryptography other than OpenSSL: in no build of any crate. On Linux, that is: elsewhere
/// `transport-reqwest` uses the platform's own TLS.
pub(crate) const SECOND_CRYPTO: &[&str] = &[
    "aes",
    "aes-gcm",
    "argon2",
    "aws-lc-fips-sys",
    "aws-lc-rs",
    "aws-lc-sys",
    "blake2",
    "blake3",
    "boring",
    "boring-sys",
    "cbc",
    "chacha20",
    "chacha20poly1305",
    "crypto-bigint",
    "des",
    "dsa",
    "ecdsa",
    "ed25519",
    "ed25519-dalek",
    "elliptic-curve",
    "hkdf",
    "hmac",
    "hmac-sha256",
    "libsodium-sys",
    "mbedtls",
    "md-5",
    "md5",
    "p256",
    "p384",
    "p521",
    "pbkdf2",
    "pkcs12",
    "ring",
    "rsa",
    "rustls",
    "rustls-webpki",
    "s2n-tls",
    "scrypt",
    "sha-1",
    "sha1",
    "sha1_smol",
    "sha2",
    "sha3",
    "snow",
    "tokio-rustls",
    "wolfssl",
    "x25519-dalek",
];

/// What is allowed where its carrier is in the build: the hashes of SCRAM, which the database asks
/// for, with the generator of its nonces, and the hash by which UUIDs of version 5 are names, which
/// protects nothing.
pub(crate) const CARRIED: &[(&str, &[&str])] = &[
    ("postgres-protocol", &["chacha20", "hmac", "md-5", "sha2"]),
    ("uuid", &["sha1_smol"]),
];

/// What every crate promises to build with, and the crates that may ask for more.
pub(crate) const RUST_VERSION: &str = "1.88";
/// The most that those may ask for.
pub(crate) const RUST_VERSION_LATER: &str = "1.95";
/// Who may ask for more than [`RUST_VERSION`].
pub(crate) const LATER: &[&str] = &[
    "mdm-fake-apple",
    "mdm-simulator",
    "mdm-storage",
    "mdmtool",
    "quickstart",
];

/// Checks them all; prints each finding.
pub(crate) fn rules() -> Outcome {
    let house = house::House::load()?;
    let findings = check::check(&house);
    for finding in &findings {
        println!("rules: {finding}");
    }
    if findings.is_empty() {
        println!("rules: {} crates keep them", house.crates.len());
        return Ok(());
    }
    Err(format!("{} dependency rules broken", findings.len()).into())
}
