//! The rules as a pure function over the house.

use super::house::{Built, Crate, House};
use super::{
    BEHIND, CARRIED, FLOORS, HEAVY, LATER, LIGHT, OPTIONAL_ELSEWHERE, RESERVED, RUST_VERSION,
    RUST_VERSION_LATER, SECOND_CRYPTO,
};

/// Every broken rule, in words.
pub(crate) fn check(house: &House) -> Vec<String> {
    let mut findings = Vec::new();
    for one in &house.crates {
        let found = [
            floor(one, house),
            reserved(one),
            behind(one),
            light(one),
            second_crypto(one),
            rust_version(one),
            manifest(one),
        ];
        findings.extend(
            found
                .into_iter()
                .flatten()
                .map(|text| format!("{}: {text}", one.name)),
        );
    }
    findings
}

fn floor(one: &Crate, house: &House) -> Vec<String> {
    let Some((_, knows)) = FLOORS.iter().find(|(name, _)| *name == one.name) else {
        return vec!["is on no floor: state in xtask/src/rules.rs whom it may know".to_owned()];
    };
    one.names
        .iter()
        .map(|named| named.name.as_str())
        .filter(|name| house.crates.iter().any(|other| other.name == *name))
        .filter(|name| !knows.iter().any(|names| names.contains(name)))
        .map(|name| format!("may not know {name}"))
        .collect()
}

fn reserved(one: &Crate) -> Vec<String> {
    let mut findings = Vec::new();
    for named in &one.names {
        let name = named.name.as_str();
        let Some((_, to)) = RESERVED.iter().find(|(dependency, _)| *dependency == name) else {
            continue;
        };
        let excused = named.optional && OPTIONAL_ELSEWHERE.contains(&name);
        if !to.contains(&one.name.as_str()) && !excused {
            findings.push(format!(
                "may not name {name}: that is left to [{}]",
                to.join(", ")
            ));
        }
    }
    findings
}

fn behind(one: &Crate) -> Vec<String> {
    let mut findings = Vec::new();
    for (_, dependency, only) in BEHIND.iter().filter(|(name, ..)| *name == one.name) {
        let mut named = one.names.iter().filter(|named| named.name == *dependency);
        if named.any(|named| !named.optional) {
            findings.push(format!("{dependency} has to be optional (feature {only})"));
        }
        for (feature, brings) in &one.features {
            if feature != only && brings.iter().any(|item| brings_along(item, dependency)) {
                findings.push(format!(
                    "feature {feature} brings {dependency}, which is left to feature {only}"
                ));
            }
        }
    }
    findings
}

/// Whether a feature's entry switches an optional dependency on; `name?/feature` does not.
fn brings_along(item: &str, dependency: &str) -> bool {
    let name = item.strip_prefix("dep:").unwrap_or(item);
    let name = name.split_once('/').map_or(name, |(name, _)| name);
    name == dependency
}

fn light(one: &Crate) -> Vec<String> {
    if !LIGHT.contains(&one.name.as_str()) {
        return Vec::new();
    }
    one.bare_build
        .iter()
        .filter(|built| HEAVY.contains(&built.name.as_str()))
        .map(|built| format!("builds {} although no feature is on", built.name))
        .collect()
}

fn second_crypto(one: &Crate) -> Vec<String> {
    let is_built = |name: &str| one.build.iter().any(|built| built.name == name);
    let is_carried = |name: &str| {
        let mut carriers = CARRIED.iter().filter(|(_, hashes)| hashes.contains(&name));
        carriers.any(|(carrier, _)| is_built(carrier))
    };
    one.build
        .iter()
        .filter(|built| SECOND_CRYPTO.contains(&built.name.as_str()))
        .filter(|built| !is_carried(&built.name))
        .map(|built| {
            format!(
                "builds {} {}: OpenSSL is our only crypto",
                built.name, built.version
            )
        })
        .collect()
}

fn rust_version(one: &Crate) -> Vec<String> {
    let Some(stated) = one.rust_version.as_deref() else {
        return vec!["states no rust-version".to_owned()];
    };
    let later = LATER.contains(&one.name.as_str());
    let most = if later {
        RUST_VERSION_LATER
    } else {
        RUST_VERSION
    };
    let asks_more = |built: &&Built| {
        let asked = built.rust_version.as_deref();
        asked.is_some_and(|asked| version(asked) > version(stated))
    };
    let mut findings: Vec<String> = one
        .build
        .iter()
        .filter(asks_more)
        .map(|built| {
            let asked = built.rust_version.as_deref().unwrap_or_default();
            let (name, version) = (&built.name, &built.version);
            format!("builds with Rust {stated}, but {name} {version} asks for {asked}")
        })
        .collect();
    if version(stated) > version(most) {
        findings.push(format!("states Rust {stated}; {most} is the most it may"));
    }
    findings
}

/// `1.88` and `1.88.0` are the same version.
fn version(text: &str) -> [u32; 3] {
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or(u32::MAX));
    std::array::from_fn(|_| parts.next().unwrap_or(0))
}

fn manifest(one: &Crate) -> Vec<String> {
    let mut findings = Vec::new();
    if !one.described {
        findings.push("states no licence or no description".to_owned());
    }
    if !one.lints {
        findings
            .push("does not take over the workspace's lints (unsafe code forbidden)".to_owned());
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::house::Named;
    use super::*;

    fn sound(name: &str) -> Crate {
        Crate {
            name: name.to_owned(),
            rust_version: Some("1.88".to_owned()),
            described: true,
            lints: true,
            ..Crate::default()
        }
    }

    fn naming(name: &str, dependency: &str, optional: bool) -> Crate {
        let named = Named {
            name: dependency.to_owned(),
            optional,
        };
        Crate {
            names: vec![named],
            ..sound(name)
        }
    }

    fn built(name: &str, rust_version: Option<&str>) -> Built {
        Built {
            name: name.to_owned(),
            version: "1.2.3".to_owned(),
            rust_version: rust_version.map(str::to_owned),
        }
    }

    fn findings(one: Crate) -> Vec<String> {
        // The whole house is there, so that a crate's neighbours are known as such.
        let mut crates: Vec<_> = FLOORS
            .iter()
            .filter(|(name, _)| *name != one.name)
            .map(|(name, _)| sound(name))
            .collect();
        crates.push(one);
        check(&House { crates })
    }

    #[test]
    fn a_house_that_keeps_the_rules_has_no_findings() {
        assert_eq!(findings(naming("mdm-apns", "mdm-tls", false)), [""; 0]);
    }

    #[test]
    fn flow_crates_never_know_each_other() {
        for (one, other) in [
            ("ade-client", "mdm-scep"),
            ("mdm-apns", "mdm-protocol"),
            ("mdm-scep", "mdm-profiles"),
            ("mdm-protocol", "mdm-profiles"),
            ("mdm-service", "mdm-storage"),
            ("mdm-service", "mdm-apns"),
            ("mdm-storage", "mdm-apns"),
            ("mdm-fake-apple", "ade-client"),
        ] {
            let expected = [format!("{one}: may not know {other}")];
            assert_eq!(findings(naming(one, other, false)), expected);
            // A feature does not make it better.
            assert_eq!(findings(naming(one, other, true)), expected);
        }
    }

    #[test]
    fn the_foundation_knows_no_flow_and_the_floors_below_only() {
        for (one, other) in [
            ("mdm-core", "mdm-plist"),
            ("mdm-plist", "mdm-pki"),
            ("mdm-pki", "mdm-tls"),
            ("mdm-schema", "mdm-pki"),
            ("mdm-transport", "mdm-pki"),
            ("mdm-transport-reqwest", "mdm-tls"),
            ("xtask", "mdm-core"),
        ] {
            assert_eq!(
                findings(naming(one, other, false)),
                [format!("{one}: may not know {other}")]
            );
        }
    }

    #[test]
    fn a_crate_without_a_floor_is_found() {
        let found = findings(sound("mdm-new"));
        assert!(found[0].starts_with("mdm-new: is on no floor"), "{found:?}");
    }

    #[test]
    fn reserved_dependencies_are_found_elsewhere() {
        for (one, dependency) in [
            ("mdm-scep", "openssl"),
            ("mdm-tls", "reqwest"),
            ("mdm-transport-reqwest", "h2"),
            ("mdm-service", "rusqlite"),
            ("mdm-protocol", "tokio"),
        ] {
            let found = findings(naming(one, dependency, false));
            let expected = format!("{one}: may not name {dependency}: that is left to [");
            assert!(found[0].starts_with(&expected), "{found:?}");
        }
    }

    #[test]
    fn only_tokio_may_hide_behind_a_feature() {
        assert_eq!(findings(naming("mdm-service", "tokio", true)), [""; 0]);
        assert_eq!(findings(naming("mdm-service", "rusqlite", true)).len(), 1);
    }

    #[test]
    fn documents_take_cryptography_only_by_their_feature() {
        let feature = |name: &str, item: &str| (name.to_owned(), vec![item.to_owned()]);
        let mut one = naming("mdm-profiles", "mdm-pki", true);
        one.features = [
            feature("crypto", "dep:mdm-pki"),
            feature("vendored", "mdm-pki?/vendored"),
        ]
        .into();
        assert_eq!(findings(one.clone()), [""; 0]);

        one.features.extend([feature("sign", "mdm-pki/vendored")]);
        assert_eq!(
            findings(one),
            ["mdm-profiles: feature sign brings mdm-pki, which is left to feature crypto"]
        );
        assert_eq!(
            findings(naming("mdm-protocol", "mdm-pki", false)),
            ["mdm-protocol: mdm-pki has to be optional (feature crypto)"]
        );
    }

    #[test]
    fn documents_alone_build_no_openssl() {
        let mut one = sound("mdm-protocol");
        one.bare_build = vec![built("openssl-sys", None)];
        assert_eq!(
            findings(one),
            ["mdm-protocol: builds openssl-sys although no feature is on"]
        );
    }

    #[test]
    fn a_second_crypto_library_is_found_however_deep() {
        let mut one = sound("ade-client");
        one.build = vec![
            built("openssl", None),
            built("sha2", None),
            built("rustls", None),
        ];
        assert_eq!(
            findings(one),
            [
                "ade-client: builds sha2 1.2.3: OpenSSL is our only crypto",
                "ade-client: builds rustls 1.2.3: OpenSSL is our only crypto"
            ]
        );
    }

    #[test]
    fn some_may_bring_their_own_hashes_and_nothing_else() {
        let mut one = sound("mdm-storage");
        one.build = ["postgres-protocol", "sha2", "hmac", "ring", "sha1_smol"]
            .map(|name| built(name, None))
            .into();
        assert_eq!(
            findings(one),
            [
                "mdm-storage: builds ring 1.2.3: OpenSSL is our only crypto",
                "mdm-storage: builds sha1_smol 1.2.3: OpenSSL is our only crypto"
            ]
        );
    }

    #[test]
    fn a_dependency_may_not_ask_for_a_newer_rust_than_the_crate_states() {
        let mut one = sound("mdm-plist");
        one.build = vec![built("old", Some("1.88.0")), built("new", Some("1.89"))];
        assert_eq!(
            findings(one.clone()),
            ["mdm-plist: builds with Rust 1.88, but new 1.2.3 asks for 1.89"]
        );
        one.rust_version = Some("1.89".to_owned());
        assert_eq!(
            findings(one),
            ["mdm-plist: states Rust 1.89; 1.88 is the most it may"]
        );
    }

    #[test]
    fn some_crates_may_ask_for_a_later_rust_up_to_a_point() {
        let mut one = sound("mdm-storage");
        one.rust_version = Some("1.95".to_owned());
        assert_eq!(findings(one.clone()), [""; 0]);
        one.rust_version = Some("1.96".to_owned());
        assert_eq!(findings(one.clone()).len(), 1);
        one.rust_version = None;
        assert_eq!(findings(one), ["mdm-storage: states no rust-version"]);
    }

    #[test]
    fn licence_description_and_lints_are_asked_for() {
        let mut one = sound("mdm-plist");
        (one.described, one.lints) = (false, false);
        assert_eq!(findings(one).len(), 2);
    }
}
