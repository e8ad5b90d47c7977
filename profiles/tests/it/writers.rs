//! Profiles that others write, verified, decoded and written again: `@zone-eu/mobileconfig` of npm, which signs them with
//! a CMS of its own, and `pymobileconfig` of PyPI. `cargo xtask peers` installs both.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use mdm_pki::cms::DecryptPolicy;
use mdm_plist::Dictionary;
use mdm_profiles::{
    Profile,
    encrypt::{Encryption, decrypt, encrypt},
    sign::sign,
    verify::{Require, Trust, open},
};
use mdm_schema::{Rule, Severity};

use crate::{
    peers::{OpenSsl, now, rsa_device, signer, succeeded},
    programs::{found, missing},
};

/// The folder of a peer that `cargo xtask peers` installs; `None`, once said so, without it.
fn installed(peer: &str, program: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = root.join(".peers").join(peer);
    if !folder.is_dir() {
        missing(peer);
        return None;
    }
    found(program).then_some(folder)
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/writers")
        .join(name)
}

/// The tree of what somebody wrote is the same after all that we do with a profile.
fn survives(xml: &[u8]) -> Profile {
    let tree: Dictionary = mdm_plist::from_slice(xml).unwrap();
    let profile = Profile::decode(xml).unwrap();
    assert_eq!(profile.to_dictionary(), tree);
    let order = |tree: &Dictionary| format!("{:?}", tree.keys().collect::<Vec<_>>());

    let written: Dictionary = mdm_plist::from_slice(&profile.to_xml().unwrap()).unwrap();
    assert_eq!((order(&written), &written), (order(&tree), &tree));
    let binary = mdm_plist::to_binary(&profile.to_dictionary()).unwrap();
    assert_eq!(Profile::decode(&binary).unwrap(), profile);

    let (root, identity) = signer();
    let roots = [root.clone()];
    let signed = sign(&profile, identity, now()).unwrap();
    let opened = open(&signed, &Trust::new(&roots, now())).unwrap();
    assert_eq!(opened.accept(Require::default()).unwrap(), profile);

    let device = rsa_device();
    let devices = [device.certificate.clone()];
    let encrypted = encrypt(&profile, &devices, &Encryption::default()).unwrap();
    let back = decrypt(&encrypted, &device.key, &DecryptPolicy::default()).unwrap();
    assert_eq!(back.to_xml().unwrap(), profile.to_xml().unwrap());
    profile
}

/// What is wrong by the tables, the mistakes of others: path and rule.
fn mistakes(profile: &Profile) -> Vec<(String, Rule)> {
    let findings = profile.validate(None).into_iter();
    findings
        .filter(|finding| finding.severity > Severity::Info)
        .map(|finding| (finding.path, finding.rule))
        .collect()
}

#[test]
fn what_mobileconfig_of_npm_signs_is_verified_and_read() {
    let (Some(folder), Some(openssl)) = (installed("npm", "node"), OpenSsl::find()) else {
        return;
    };
    let (root, identity) = signer();
    openssl.write_identity("signer", identity);
    succeeded(
        Command::new("node")
            .env("NODE_PATH", folder.join("node_modules"))
            .arg(script("zone_eu.js"))
            .args(["signer.crt", "signer.chain", "signer.key"].map(|name| openssl.path(name)))
            .arg(openssl.path("")),
    );
    let roots = [root.clone()];
    for name in ["email", "carddav", "caldav", "wifi", "own", "own-512"] {
        let signed = openssl.read(&format!("{name}.der"));
        let opened = open(&signed, &Trust::new(&roots, now())).unwrap();
        let [layers] = opened.signers.as_slice() else {
            panic!("{name}: one signer");
        };
        assert_eq!(
            layers.signer.as_ref(),
            Some(&identity.certificate),
            "{name}"
        );
        assert!(layers.signature.is_ok(), "{name}: {:?}", layers.signature);
        let xml = opened.content.clone();
        let profile = opened.accept(Require::default()).unwrap();
        assert_eq!(survives(&xml), profile, "{name}");
        if !name.starts_with("own") {
            assert_eq!(xml, openssl.read(&format!("{name}.xml")), "{name}");
        }
        let name_shown = profile.display_name().unwrap();
        assert!(
            name_shown.starts_with("Ünïcödé <&>"),
            "{name}: {name_shown}"
        );
        let mistakes = mistakes(&profile);
        let expected = match name {
            // Three keys that its template sets and Apple's payload does not have.
            "wifi" => ["PayloadEnabled", "AuthenticationMethod", "Interface"]
                .map(|key| (format!("PayloadContent[0].{key}"), Rule::UnknownKey))
                .to_vec(),
            _ => Vec::new(),
        };
        assert_eq!(mistakes, expected, "{name}");
        // The signature is over these bytes alone.
        let mut altered = signed.clone();
        let at = altered
            .windows(8)
            .position(|w| w == b"Payload<")
            .unwrap_or_else(|| {
                altered
                    .windows(13)
                    .position(|w| w == b"Configuration")
                    .unwrap()
            });
        altered[at] ^= 1;
        let opened = open(&altered, &Trust::new(&roots, now()));
        assert!(opened.is_err() || opened.unwrap().accept(Require::default()).is_err());
    }
}

#[test]
fn what_pymobileconfig_writes_is_read_and_written_again() {
    let (Some(folder), Some(openssl)) = (installed("python", "python3"), OpenSsl::find()) else {
        return;
    };
    openssl.write("root.crt", signer().0.to_pem());
    let p12 = rsa_device().to_pkcs12("hunter2").unwrap();
    openssl.write("device.p12", &*p12);
    succeeded(
        Command::new("python3")
            .env("PYTHONPATH", folder)
            .arg(script("zippy.py"))
            .args(["root.crt", "device.p12"].map(|name| openssl.path(name)))
            .arg(openssl.path("")),
    );
    let read = |name: &str| survives(&fs::read(openssl.path(&format!("{name}.xml"))).unwrap());
    let certificates = read("certificates");
    assert_eq!(mistakes(&certificates), []);
    let root = certificates.payload("com.apple.security.root").unwrap();
    let der = root.keys()["PayloadContent"].as_data();
    assert_eq!(der, Some(signer().0.to_der()));
    let identity = certificates.payload("com.apple.security.pkcs12").unwrap();
    let p12 = identity.keys()["PayloadContent"].as_data().unwrap();
    let identity = mdm_pki::Identity::from_pkcs12(p12, "hunter2").unwrap();
    assert_eq!(identity.certificate, rsa_device().certificate);

    // Apple's payload has a space in these two, so the device would make a key of its default size.
    let key = |name: &str| format!("PayloadContent[0].PayloadContent.{name}");
    let found = mistakes(&read("scep"));
    assert_eq!(
        found,
        [
            (key("KeyType"), Rule::UnknownKey),
            (key("KeyUsage"), Rule::UnknownKey)
        ]
    );
    let app = read("app");
    let keys = app
        .payload("com.apple.configuration.managed")
        .unwrap()
        .keys();
    assert_eq!(keys["count"].as_unsigned_integer(), Some(1 << 63));
}
