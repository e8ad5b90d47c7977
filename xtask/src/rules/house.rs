//! The workspace as the rules look at it.

use std::collections::BTreeMap;
use std::fs;

use crate::metadata::{Metadata, Package};
use crate::run::{self, Outcome};

/// The tables are about this platform, whatever machine checks them.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// All crates of the workspace.
#[derive(Debug, Default)]
pub(crate) struct House {
    pub(crate) crates: Vec<Crate>,
}

/// One crate of the workspace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Crate {
    pub(crate) name: String,
    pub(crate) rust_version: Option<String>,
    /// A licence and a description are stated.
    pub(crate) described: bool,
    /// The workspace's lints, `unsafe_code = "forbid"` among them, are taken over.
    pub(crate) lints: bool,
    /// What its manifest names, development dependencies left out.
    pub(crate) names: Vec<Named>,
    pub(crate) features: BTreeMap<String, Vec<String>>,
    /// Everything that its build with all features contains.
    pub(crate) build: Vec<Built>,
    /// Everything that its build without any feature contains.
    pub(crate) bare_build: Vec<Built>,
}

/// A dependency as the manifest names it.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) optional: bool,
}

/// A package in a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Built {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) rust_version: Option<String>,
}

impl House {
    /// Asks cargo.
    pub(crate) fn load() -> Outcome<Self> {
        let metadata = Metadata::load(false)?;
        let forbids = fs::read_to_string(run::root().join("Cargo.toml")).is_ok_and(|manifest| {
            has(
                &manifest,
                "workspace.lints.rust",
                "unsafe_code = \"forbid\"",
            )
        });
        let mut crates = Vec::new();
        for member in metadata.members() {
            let manifest = fs::read_to_string(&member.manifest_path).unwrap_or_default();
            crates.push(Crate {
                name: member.name.clone(),
                rust_version: member.rust_version.clone(),
                described: member.license.is_some() && member.description.is_some(),
                lints: forbids && has(&manifest, "lints", "workspace = true"),
                names: names(member),
                features: member.features.clone(),
                build: tree(&metadata, member, &member.single_features())?,
                bare_build: tree(&metadata, member, &[])?,
            });
        }
        Ok(Self { crates })
    }
}

fn names(member: &Package) -> Vec<Named> {
    member
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind.as_deref() != Some("dev"))
        .map(|dependency| Named {
            name: dependency.name.clone(),
            optional: dependency.optional,
        })
        .collect()
}

/// `cargo tree` of one crate, for `metadata`'s resolution unifies features over the workspace.
fn tree(metadata: &Metadata, member: &Package, features: &[&str]) -> Outcome<Vec<Built>> {
    let mut command = run::cargo(&["tree", "--package", &member.name, "--target", TARGET]);
    command.args(["--edges", "normal,build", "--prefix", "none", "--no-dedupe"]);
    command.args(["--no-default-features", "--features", &features.join(",")]);
    let text = run::output(&mut command)?;
    let mut built: Vec<Built> = Vec::new();
    // The first line is the crate itself.
    for line in text.lines().skip(1) {
        let mut words = line.split_whitespace();
        let (Some(name), Some(version)) = (words.next(), words.next()) else {
            continue;
        };
        let version = version.trim_start_matches('v');
        if built
            .iter()
            .any(|known| known.name == name && known.version == version)
        {
            continue;
        }
        let rust_version = metadata
            .packages
            .iter()
            .find(|package| package.name == name && package.version == version)
            .and_then(|package| package.rust_version.clone());
        built.push(Built {
            name: name.to_owned(),
            version: version.to_owned(),
            rust_version,
        });
    }
    Ok(built)
}

/// Whether a manifest has the line in the section.
fn has(manifest: &str, section: &str, line: &str) -> bool {
    let header = format!("[{section}]");
    manifest
        .lines()
        .map(str::trim)
        .skip_while(|text| *text != header)
        .skip(1)
        .take_while(|text| !text.starts_with('['))
        .any(|text| text == line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_counts_only_in_its_section() {
        let manifest = "[lints]\nworkspace = true\n\n[dependencies]\nserde = \"1\"\n";
        assert!(has(manifest, "lints", "workspace = true"));
        assert!(!has(manifest, "dependencies", "workspace = true"));
        assert!(!has(
            "[lints.clippy]\nworkspace = true\n",
            "lints",
            "workspace = true"
        ));
    }
}
