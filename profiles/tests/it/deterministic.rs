//! The same input gives the same bytes in any process: another folder, time zone, locale, clock, hash seed.

use std::{
    collections::HashSet,
    env, fs,
    hash::{BuildHasher, RandomState},
    path::Path,
    process::Command,
};

use mdm_profiles::{
    Namespace, ProfileBuilder, Variables,
    payload::{CertificateRoot, Scep, scep::ScepContent},
};

use crate::programs::found;

const OUT: &str = "MDM_PROFILES_OUT";

/// A profile with something of everything that could depend on where it is built.
fn built() -> Vec<u8> {
    let mut variables = Variables::new();
    for name in ["A", "B", "C", "D"] {
        variables.set(name, name.to_lowercase()).unwrap();
    }
    let namespace = Namespace::new("mdm.example.com");
    let mut profile = ProfileBuilder::new("com.example", namespace).with(|profile| {
        profile.variables = Some(variables);
        profile.display_name = Some("Ünïcödé $A".into());
        profile.removal_date = Some("2027-06-30T22:30:00Z".parse().unwrap());
        profile.duration_until_removal = Some(std::time::Duration::from_millis(1500));
        for tag in ["de", "default", "en", "fr", "ja"] {
            profile.consent_text.insert(tag.into(), format!("{tag} $B"));
        }
    });
    for number in 0..20_u8 {
        let root = CertificateRoot::new([number]);
        profile.add(&format!("root.{number}"), &root).unwrap();
    }
    let content = ScepContent::rsa_2048("https://example.com/$C").common_name("$D");
    profile.add("scep", &Scep::new(content)).unwrap();
    profile.build().unwrap().to_xml().unwrap()
}

#[cfg(feature = "crypto")]
fn signed(pem: &[u8]) -> Vec<u8> {
    let identity = mdm_pki::Identity::from_pem(pem, pem, None).unwrap();
    let now = "2026-11-05T09:00:00Z".parse().unwrap();
    mdm_profiles::sign::sign_bytes(&built(), &identity, now).unwrap()
}

#[cfg(not(feature = "crypto"))]
fn signed(_: &[u8]) -> Vec<u8> {
    Vec::new()
}

#[cfg(feature = "crypto")]
fn identity() -> Vec<u8> {
    use mdm_pki::{CertificateBuilder, KeySpec, Name, PrivateKey};

    let key = PrivateKey::generate(KeySpec::Rsa2048).unwrap();
    let start = "2026-01-01T00:00:00Z".parse().unwrap();
    let certificate = CertificateBuilder::new(Name::from_common_name("Signer"), key.public_key())
        .validity(start, start + chrono::TimeDelta::days(365))
        .self_signed(&key)
        .unwrap();
    let key = key.to_pkcs8_pem().unwrap();
    format!("{}{}", certificate.to_pem(), key.as_str()).into_bytes()
}

#[cfg(not(feature = "crypto"))]
fn identity() -> Vec<u8> {
    Vec::new()
}

/// What else a process has that could find its way into the bytes: its clock, and the seed of its hash maps.
#[derive(Debug, PartialEq, Eq)]
struct World {
    year: String,
    seed: u64,
}

impl World {
    fn own() -> Self {
        let year = chrono::Utc::now().format("%Y").to_string();
        let seed = RandomState::new().hash_one(0);
        Self { year, seed }
    }
}

/// Does nothing but in a process that the test below started.
#[test]
fn writes_where_it_is_told() {
    let Some(out) = env::var_os(OUT) else {
        return;
    };
    let out = Path::new(&out);
    let pem = fs::read(out.join("pem")).unwrap();
    fs::write(out.join("bytes"), [built(), signed(&pem)].concat()).unwrap();
    let World { year, seed } = World::own();
    fs::write(out.join("world"), format!("{year} {seed}")).unwrap();
}

#[test]
fn every_process_writes_the_same_bytes() {
    let pem = identity();
    let wanted = [built(), signed(&pem)].concat();
    let here = World::own();
    let mut worlds = vec![here];
    for (program, folder, zone, locale) in [
        (None, "/usr", "Pacific/Kiritimati", "de_DE.UTF-8"),
        (Some("faketime"), "/", "America/New_York", "tr_TR.UTF-8"),
    ] {
        let own = env::current_exe().unwrap();
        let mut command = match program {
            None => Command::new(own),
            Some(program) if found(program) => {
                let mut command = Command::new(program);
                command.arg("2031-12-31 23:59:59").arg(own);
                // Only the date: what waits for a time to pass goes on as ever.
                command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
                command
            }
            Some(_) => continue,
        };
        let out = tempfile::tempdir().unwrap();
        fs::write(out.path().join("pem"), &pem).unwrap();
        let output = command
            .args(["--exact", "deterministic::writes_where_it_is_told"])
            .current_dir(if Path::new(folder).is_dir() {
                folder
            } else {
                "."
            })
            .env(OUT, out.path())
            .env("TZ", zone)
            .env("LC_ALL", locale)
            .env("LANG", locale)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        assert_eq!(fs::read(out.path().join("bytes")).unwrap(), wanted);
        let world = fs::read_to_string(out.path().join("world")).unwrap();
        let (year, seed) = world.split_once(' ').unwrap();
        worlds.push(World {
            year: year.to_owned(),
            seed: seed.parse().unwrap(),
        });
    }
    // They were other worlds indeed.
    let seeds: HashSet<u64> = worlds.iter().map(|world| world.seed).collect();
    assert_eq!(seeds.len(), worlds.len(), "{worlds:?}");
    if let [_, _, late] = worlds.as_slice() {
        assert!(["2031", "2032"].contains(&late.year.as_str()), "{worlds:?}");
    }
}
