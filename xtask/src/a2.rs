//! The `a2` crate as a peer: published to reach Apple only, so it is built from its own sources with
//! the host and the roots replaced. The sources come from the registry, checked against the lock
//! file, and lie in `.peers`; nothing of them is kept here but the lines that are replaced.

use std::fs;
use std::path::Path;

use crate::run::{self, Outcome};

/// The package that wraps the crate.
const MANIFEST: &str = "benches/peers/a2/Cargo.toml";

/// Where the sources lie, and what is built of them.
const SOURCES: &str = ".peers/a2/sources";
const TARGET: &str = ".peers/a2/target";

/// The version that the package names, and whose lines are replaced.
pub(crate) const VERSION: &str = "0.10.0";

/// The file of the crate that is changed.
const FILE: &str = "src/client.rs";

/// What is there once, and what takes its place. Where the new text asks for nothing else, the
/// crate behaves as published: `A2_NODELAY` alone sets TCP_NODELAY.
const REPLACED: &[(&str, &str)] = &[
    (
        r#"        write!(f, "{}", host)"#,
        r#"        static HOST: std::sync::OnceLock<String> = std::sync::OnceLock::new();
        let other = || std::env::var("A2_HOST").unwrap_or_else(|_| host.to_owned());
        write!(f, "{}", HOST.get_or_init(other))"#,
    ),
    (
        r"    let config = rustls::client::ClientConfig::builder()
        .with_webpki_roots()
        .with_client_auth_cert(cert_chain, key.into())?;

    Ok(HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_only()
        .enable_http2()
        .build())",
        r#"    let pem = std::fs::read(std::env::var_os("A2_ROOT").unwrap_or_default())?;
    let mut roots = rustls::RootCertStore::empty();
    for root in rustls_pemfile::certs(&mut pem.as_slice()) {
        roots.add(root?)?;
    }
    let config = rustls::client::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_client_auth_cert(cert_chain, key.into())?;
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(std::env::var_os("A2_NODELAY").is_some());

    Ok(HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_only()
        .enable_http2()
        .wrap_connector(tcp))"#,
    ),
];

/// Builds it: `.peers/a2/target/release/mdm-bench-a2`.
pub(crate) fn build() -> Outcome {
    let sources = run::root().join(SOURCES);
    // `cargo vendor` leaves alone what is there, and what is changed is not to be changed again.
    let changed = sources.join(format!("a2-{VERSION}"));
    let _ = fs::remove_dir_all(&changed);
    let mut fetch = run::cargo(&["vendor", "--quiet", "--locked", "--versioned-dirs"]);
    fetch.args(["--manifest-path", MANIFEST]).arg(&sources);
    run::output(&mut fetch)?;
    change(&changed)?;
    let mut build = run::cargo(&["build", "--quiet", "--release", "--locked"]);
    build.args(["--manifest-path", MANIFEST, "--target-dir", TARGET]);
    build.args(["--config", r#"source.crates-io.replace-with="changed""#]);
    let folder = format!(
        "source.changed.directory={:?}",
        sources.display().to_string()
    );
    run::succeed(build.args(["--config", &folder]))
}

/// Replaces the lines, and takes back what the folder says its files' hashes are. The hash of the
/// whole crate, which the lock file names, stays: the crate had it when it was fetched.
fn change(folder: &Path) -> Outcome {
    let file = folder.join(FILE);
    let text = replaced(&read(&file)?)?;
    write(&file, &text)?;
    let sums = folder.join(".cargo-checksum.json");
    let text = read(&sums)?;
    let whole = text.rsplit_once(r#""package":"#).map(|(_, whole)| whole);
    let whole = whole.ok_or_else(|| format!("{} names no hash", sums.display()))?;
    write(&sums, &format!(r#"{{"files":{{}},"package":{whole}"#))
}

fn replaced(text: &str) -> Outcome<String> {
    let mut text = text.to_owned();
    for (old, new) in REPLACED {
        if text.matches(old).count() != 1 {
            let first = old.lines().next().unwrap_or_default().trim();
            return Err(
                format!("a2 {VERSION}: {FILE} does not hold `{first}` and so on once").into(),
            );
        }
        text = text.replace(old, new);
    }
    Ok(text)
}

fn read(file: &Path) -> Outcome<String> {
    fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()).into())
}

fn write(file: &Path, text: &str) -> Outcome {
    fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_that_have_changed_are_not_built() {
        let [(host, _), (roots, _)] = REPLACED else {
            panic!("two places");
        };
        let whole = format!("{host}\n{roots}\n");
        assert!(replaced(&whole).unwrap().contains("A2_HOST"));
        let failure = replaced(&format!("{whole}{host}\n")).unwrap_err();
        assert!(
            failure.to_string().contains("does not hold `write!"),
            "{failure}"
        );
        assert!(replaced(host).is_err());
    }
}
