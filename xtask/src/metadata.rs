//! The workspace as `cargo metadata` tells it.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::run::{self, Outcome};

/// The part of `cargo metadata` that this program asks for.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) target_directory: String,
    workspace_members: Vec<String>,
}

/// One package.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) license: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) rust_version: Option<String>,
    pub(crate) manifest_path: String,
    pub(crate) features: BTreeMap<String, Vec<String>>,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) targets: Vec<Target>,
    /// The registries it may be published to; an empty list is `publish = false`.
    publish: Option<Vec<String>>,
}

/// What a manifest says of one dependency.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `dev`, `build` or nothing.
    pub(crate) kind: Option<String>,
    #[serde(default)]
    pub(crate) optional: bool,
}

/// A library, a program, a test.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Target {
    pub(crate) kind: Vec<String>,
}

/// The feature that brings OpenSSL's source along; never part of what CI builds.
pub(crate) const VENDORED: &str = "vendored";

impl Metadata {
    /// Asks cargo. `locked` makes a lock file that needs a change an error.
    pub(crate) fn load(locked: bool) -> Outcome<Self> {
        let mut command = run::cargo(&["metadata", "--format-version", "1"]);
        if locked {
            command.arg("--locked");
        }
        let text = run::output(&mut command)?;
        serde_json::from_str(&text).map_err(|error| format!("cargo metadata: {error}").into())
    }

    /// The packages of the workspace, by name.
    pub(crate) fn members(&self) -> Vec<&Package> {
        let mut members: Vec<_> = self
            .packages
            .iter()
            .filter(|package| self.workspace_members.contains(&package.id))
            .collect();
        members.sort_by(|a, b| a.name.cmp(&b.name));
        members
    }

    /// The `--features` value for the whole workspace: everything but `vendored`, which comes only
    /// where OpenSSL has to be built from source.
    pub(crate) fn full(&self, vendored: bool) -> String {
        let mut features: Vec<String> = self
            .members()
            .iter()
            .flat_map(|member| {
                let features = member.single_features().into_iter();
                features.map(|feature| format!("{}/{feature}", member.name))
            })
            .collect();
        if vendored {
            features.push(format!("mdm-pki/{VENDORED}"));
        }
        features.join(",")
    }
}

impl Package {
    /// Every feature that is checked on its own: all but those that only name others, and `vendored`.
    pub(crate) fn single_features(&self) -> Vec<&str> {
        self.features
            .keys()
            .map(String::as_str)
            .filter(|name| !["default", "full", VENDORED].contains(name))
            .collect()
    }

    /// Whether others can depend on it.
    pub(crate) fn is_library(&self) -> bool {
        self.targets
            .iter()
            .any(|target| target.kind.iter().any(|kind| kind == "lib"))
    }

    /// Whether it may be published.
    pub(crate) fn is_published(&self) -> bool {
        self.publish
            .as_ref()
            .is_none_or(|registries| !registries.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = r#"{
        "packages": [
            {"id": "b", "name": "b", "version": "1.0.0", "manifest_path": "b/Cargo.toml", "dependencies": [],
             "features": {"default": ["x"], "x": [], "y": [], "vendored": []},
             "targets": [{"kind": ["lib"]}], "publish": null},
            {"id": "a", "name": "a", "version": "1.0.0", "manifest_path": "a/Cargo.toml", "dependencies": [],
             "features": {"full": ["x"], "x": []}, "targets": [{"kind": ["bin"]}], "publish": []},
            {"id": "registry", "name": "other", "version": "1.0.0", "manifest_path": "o/Cargo.toml",
             "dependencies": [], "features": {"z": []}, "targets": [], "publish": null}
        ],
        "workspace_members": ["b", "a"],
        "target_directory": "target"
    }"#;

    #[test]
    fn full_is_every_feature_of_the_workspace_but_vendored() {
        let metadata: Metadata = serde_json::from_str(SAMPLE).unwrap();
        assert_eq!(metadata.full(false), "a/x,b/x,b/y");
        assert_eq!(metadata.full(true), "a/x,b/x,b/y,mdm-pki/vendored");
    }

    #[test]
    fn members_know_what_they_are() {
        let metadata: Metadata = serde_json::from_str(SAMPLE).unwrap();
        let [a, b] = metadata.members()[..] else {
            panic!("two members")
        };
        assert!(!a.is_library() && !a.is_published());
        assert!(b.is_library() && b.is_published());
        assert_eq!(b.single_features(), ["x", "y"]);
    }
}
