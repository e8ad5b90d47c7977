//! `cargo xtask bench profiles`: a profile of 4 KB built and signed, against nothing but the signature, as `openssl speed`
//! counts it; and a profile read and looked over, its certificates too, against the `plist` crate reading the same bytes.
//! PKCS #12 is left out there: that its key takes milliseconds to derive from the password is its purpose.

use std::{
    error::Error,
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use mdm_benches::{Case, Comparison, Unit};
use mdm_pki::{Certificate, CertificateBuilder, Identity, KeySpec, KeyUsage, Name, PrivateKey};
use mdm_profiles::{
    Namespace, Profile, ProfileBuilder,
    lint::{LintOptions, lint},
    payload::{Scep, WebClip, scep::ScepContent},
    recipe,
    sign::sign,
    verify::{self, Require, Trust},
};
use mdm_schema::Severity;

/// How much of the signatures that the key can make at most.
const SIGNED: f64 = 0.8;

/// Three times the time of the `plist` crate, and no more.
const LINTED: f64 = 1.0 / 3.0;

/// How long a side signs in one run.
const RUN: Duration = Duration::from_secs(1);

type Failure = Box<dyn Error>;

fn main() -> ExitCode {
    match Bench::new() {
        Ok(bench) => bench.run(),
        Err(failure) => {
            eprintln!("profiles: {failure}");
            ExitCode::FAILURE
        }
    }
}

struct Bench {
    now: DateTime<Utc>,
    root: Certificate,
    signer: Identity,
    /// Profiles to look over, and what they are.
    files: Vec<(&'static str, Vec<u8>)>,
    options: LintOptions,
}

impl Bench {
    fn new() -> Result<Self, Failure> {
        let now = Utc::now();
        let root = authority("Example Root CA", None, now)?;
        let middle = authority("Example Issuing CA", Some(&root), now)?;
        let key = PrivateKey::generate(KeySpec::Rsa2048)?;
        let signer = builder("Example MDM", &key, now).sign(&middle.certificate, &middle.key)?;
        let mut bench = Self {
            now,
            root: root.certificate.clone(),
            signer: Identity::new(signer, vec![middle.certificate.clone()], key)?,
            files: Vec::new(),
            options: LintOptions::new(now).target("ios:18.2,supervised".parse()?),
        };
        let roots = [root.certificate, middle.certificate];
        bench.files = vec![
            ("a certificate", bench.office()?.to_xml()?),
            ("12 certificates", certificates(now)?.to_xml()?),
            ("2 certificates, 98 web clips", many(&roots)?.to_xml()?),
        ];
        Ok(bench)
    }

    /// What a server builds for each device: an identity, a network that it opens, a root, rules.
    fn office(&self) -> Result<Profile, mdm_profiles::Error> {
        let namespace = Namespace::new("mdm.example.com");
        let mut profile = ProfileBuilder::new("com.example.office", namespace).with(|profile| {
            profile.display_name = Some("Example Office".into());
            profile.organization = Some("Example".into());
            profile.description = Some("Network and identity of this device".into());
        });
        let roots = recipe::roots(&mut profile, std::slice::from_ref(&self.root))?;
        let content = ScepContent::rsa_2048("https://ca.example.com/scep")
            .common_name("F9FXH3ABCD01")
            .with(|content| content.challenge = Some("d2c1f9a0b7e34856".to_owned().into()));
        let identity = profile.add("identity", &Scep::new(content))?;
        let servers = ["radius.example.com"];
        let wifi = recipe::wifi_certificate("Example Office", &identity, &roots, &servers);
        profile.add("wifi", &wifi)?;
        profile.build()
    }

    fn signed(&self) -> Result<Vec<u8>, mdm_profiles::Error> {
        sign(&self.office()?, &self.signer, self.now)
    }

    fn run(&self) -> ExitCode {
        let mut comparison = Comparison::new("profiles", || {
            self.agree().map_err(|error| error.to_string())
        })
        .rounds(7)
        .case(
            Case::measured("built and signed, 4 KB", Unit::PerSecond, || {
                self.per_second()
            })
            .measured_peer("openssl speed rsa2048", SIGNED, speed),
        );
        for (name, xml) in &self.files {
            let size = xml.len() as f64 / 1000.0;
            let case = Case::timed(format!("lint, {size:.1} KB, {name}"), || self.linted(xml))
                .peer("plist crate", LINTED, || {
                    plist::Value::from_reader_xml(xml.as_slice())
                });
            comparison = comparison.case(case);
        }
        comparison.run()
    }

    fn linted(&self, xml: &[u8]) -> Option<usize> {
        let profile = Profile::decode(xml).ok()?;
        Some(lint(&profile, &self.options).findings.len())
    }

    /// Signed profiles in a second; no number where one fails.
    fn per_second(&self) -> f64 {
        let (start, mut count) = (Instant::now(), 0_u32);
        while start.elapsed() < RUN {
            match self.signed() {
                Ok(signed) => std::hint::black_box(signed),
                Err(_) => return f64::NAN,
            };
            count += 1;
        }
        f64::from(count) / start.elapsed().as_secs_f64()
    }

    /// What is measured is real: the signature holds, the sizes are those told, both read the same, nothing is wrong.
    fn agree(&self) -> Result<(), Failure> {
        let roots = [self.root.clone()];
        let opened = verify::open(&self.signed()?, &Trust::new(&roots, self.now))?;
        if opened.accept(Require::default())? != self.office()? {
            return Err("the signed profile is another one".into());
        }
        for (name, xml) in &self.files {
            let profile = Profile::decode(xml)?;
            let theirs = plist::Value::from_reader_xml(xml.as_slice())?;
            if theirs.as_dictionary() != Some(profile.keys()) {
                return Err(format!("{name}: the trees differ").into());
            }
            let worst = lint(&profile, &self.options).worst();
            if worst > Some(Severity::Warning) {
                return Err(format!("{name}: {worst:?}").into());
            }
        }
        let size = self.office()?.to_xml()?.len();
        if !(3600..4400).contains(&size) {
            return Err(format!("what is signed has {size} bytes").into());
        }
        if !speed().is_finite() {
            return Err("openssl speed told no number".into());
        }
        Ok(())
    }
}

/// RSA signatures in a second by `openssl speed`, in time that passes, as ours are counted.
fn speed() -> f64 {
    let seconds = RUN.as_secs().to_string();
    let output = Command::new("openssl")
        .args(["speed", "-elapsed", "-seconds", &seconds, "rsa2048"])
        .output();
    let rate = output.ok().and_then(|output| {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        // "rsa 2048 bits 0.000500s 0.000015s   2000.0  66000.0"
        let line = text
            .lines()
            .find(|line| line.starts_with("rsa 2048 bits"))?;
        line.split_whitespace().nth(5)?.parse().ok()
    });
    rate.unwrap_or(f64::NAN)
}

/// A dozen authorities to trust.
fn certificates(now: DateTime<Utc>) -> Result<Profile, Failure> {
    let mut all = Vec::new();
    for number in 0..12 {
        all.push(authority(&format!("Example CA {number}"), None, now)?.certificate);
    }
    let mut profile = ProfileBuilder::new("com.example.roots", Namespace::new("mdm.example.com"));
    recipe::certificate_chain(&mut profile, &all)?;
    Ok(profile.build()?)
}

/// A hundred web clips, as of a portal.
fn many(roots: &[Certificate]) -> Result<Profile, Failure> {
    let mut profile = ProfileBuilder::new("com.example.portal", Namespace::new("mdm.example.com"));
    recipe::certificate_chain(&mut profile, roots)?;
    for number in 0..98 {
        let url = format!("https://portal.example.com/application/{number}");
        let clip = WebClip::new(url, format!("Application {number}"));
        profile.add(&format!("clip.{number}"), &clip)?;
    }
    Ok(profile.build()?)
}

fn authority(
    name: &str,
    issuer: Option<&Identity>,
    now: DateTime<Utc>,
) -> Result<Identity, Failure> {
    let key = PrivateKey::generate(KeySpec::Rsa2048)?;
    let builder = builder(name, &key, now)
        .ca(None)
        .key_usage(KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN);
    let certificate = match issuer {
        None => builder.self_signed(&key)?,
        Some(issuer) => builder.sign(&issuer.certificate, &issuer.key)?,
    };
    Ok(Identity::new(certificate, Vec::new(), key)?)
}

fn builder(name: &str, key: &PrivateKey, now: DateTime<Utc>) -> CertificateBuilder {
    CertificateBuilder::new(Name::from_common_name(name), key.public_key())
        .validity(now - TimeDelta::days(1), now + TimeDelta::days(365))
}
