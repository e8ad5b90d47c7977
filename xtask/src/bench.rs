//! `cargo xtask bench NAME`: builds and runs one comparison, `benches/peers/src/bin/NAME.rs`.

use std::fs;
use std::process::Command;

use crate::openssl;
use crate::run::{self, Outcome};

/// Where the peers that are crates are built: an ignored folder, used by `peers` as well.
const TARGET: &str = ".peers/cargo";

/// Runs the comparison; exit 1 where outputs differ or a bar is missed.
pub(crate) fn bench(name: &str, arguments: &[&str]) -> Outcome {
    if !names().iter().any(|known| known == name) {
        return Err(format!("no comparison `{name}`; there are: {}", offered()).into());
    }
    let vendored = openssl::vendored(false)?;
    let mut command = cargo("run", vendored);
    run::succeed(command.args(["--bin", name, "--"]).args(arguments))
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
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
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
