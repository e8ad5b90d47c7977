//! `cargo xtask bench NAME`: builds and runs one comparison, `benches/peers/src/bin/NAME.rs` or the
//! folder of that name; where `benches/peers/go/NAME` is, its peer is that Go program. `apns` has
//! the `a2` crate for a peer as well, and the peer of `service` is `nanomdm`.

use std::fs;
use std::process::Command;

use crate::a2;
use crate::openssl;
use crate::run::{self, Outcome};

/// Where the peers that are crates are built: an ignored folder, used by `peers` as well.
const TARGET: &str = ".peers/cargo";

/// Where the peers written in Go are.
const GO: &str = "benches/peers/go";

/// Runs the comparison; exit 1 where outputs differ or a bar is missed.
pub(crate) fn bench(name: &str, arguments: &[&str]) -> Outcome {
    if !names().iter().any(|known| known == name) {
        return Err(format!("no comparison `{name}`; there are: {}", offered()).into());
    }
    let vendored = openssl::vendored(false)?;
    if run::root().join(GO).join(name).exists() {
        go(name)?;
    }
    match name {
        "apns" => a2::build()?,
        "service" => go("nanomdm")?,
        _ => {}
    }
    let mut command = cargo("run", vendored);
    run::succeed(command.args(["--bin", name, "--"]).args(arguments))
}

/// Builds a peer written in Go, pinned by its `go.sum`, to `.peers/go/NAME`: the folder's own
/// program, or the one that its `go.mod` names as a tool.
pub(crate) fn go(name: &str) -> Outcome {
    let root = run::root();
    let folder = root.join(GO).join(name);
    let what = match folder.join("main.go").exists() {
        true => ".",
        false => "tool",
    };
    let mut command = Command::new("go");
    command
        .args(["build", "-mod=readonly", "-trimpath", "-o"])
        .arg(root.join(".peers/go").join(name))
        .arg(what)
        .current_dir(folder)
        .env("CGO_ENABLED", "0");
    run::succeed(&mut command)
}

/// The peers written in Go.
pub(crate) fn go_peers() -> Vec<String> {
    let Ok(folder) = fs::read_dir(run::root().join(GO)) else {
        return Vec::new();
    };
    let mut names: Vec<String> = folder
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// Cargo on the peers' own package and lock file.
pub(crate) fn cargo(subcommand: &str, vendored: bool) -> Command {
    let mut command = run::cargo(&[subcommand, "--quiet", "--release", "--locked"]);
    command.args([
        "--manifest-path",
        "benches/peers/Cargo.toml",
        "--target-dir",
        TARGET,
    ]);
    if vendored {
        command.args(["--features", "vendored"]);
    }
    command
}

/// The comparisons there are, for a person.
pub(crate) fn offered() -> String {
    names().join(", ")
}

/// The comparisons there are, by name.
pub(crate) fn names() -> Vec<String> {
    let Ok(folder) = fs::read_dir(run::root().join("benches/peers/src/bin")) else {
        return Vec::new();
    };
    let mut names: Vec<String> = folder
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.join("main.rs").exists()
                || path.extension().is_some_and(|extension| extension == "rs")
        })
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_comparison_names_those_there_are() {
        let failure = bench("nothing", &[]).unwrap_err();
        assert!(
            failure
                .to_string()
                .starts_with("no comparison `nothing`; there are: ")
        );
    }
}
