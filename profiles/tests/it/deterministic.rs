//! The same input gives the same bytes in any process: another folder, time zone, locale, hash seed.

use std::{env, fs, process::Command};

use mdm_profiles::{
    Namespace, ProfileBuilder, Variables,
    payload::{CertificateRoot, Scep, scep::ScepContent},
};

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

/// Does nothing but in a process that the test below started.
#[test]
fn writes_where_it_is_told() {
    let Some(out) = env::var_os(OUT) else {
        return;
    };
    let pem = fs::read(&out).unwrap();
    fs::write(&out, [built(), signed(&pem)].concat()).unwrap();
}

#[test]
fn every_process_writes_the_same_bytes() {
    let pem = identity();
    let wanted = [built(), signed(&pem)].concat();
    let folder = env::temp_dir();
    for (number, zone, locale) in [
        (1, "Pacific/Kiritimati", "de_DE.UTF-8"),
        (2, "America/New_York", "tr_TR.UTF-8"),
    ] {
        let out = folder.join(format!("mdm-profiles-{}-{number}", std::process::id()));
        fs::write(&out, &pem).unwrap();
        let status = Command::new(env::current_exe().unwrap())
            .args(["--exact", "deterministic::writes_where_it_is_told"])
            .current_dir(if number == 1 {
                folder.as_path()
            } else {
                "/".as_ref()
            })
            .env(OUT, &out)
            .env("TZ", zone)
            .env("LC_ALL", locale)
            .env("LANG", locale)
            .output()
            .unwrap();
        assert!(status.status.success());
        let found = fs::read(&out);
        fs::remove_file(&out).unwrap();
        assert_eq!(found.unwrap(), wanted);
    }
}
