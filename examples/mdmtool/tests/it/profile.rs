//! `mdmtool profile`: from recipes to predictions, over files made here.

mod changes;
mod hostile;
mod lint;
mod new;
mod read;
mod sealed;

use chrono::{TimeDelta, Utc};
use mdm_pki::{CertificateBuilder, Identity, KeySpec, Name, PrivateKey};

use crate::{scep::world::World, told::Told};

/// A folder that `mdmtool profile` runs in.
struct Folder(World);

impl Folder {
    fn new() -> Self {
        Self(World::new())
    }

    /// `mdmtool profile` with these words, split at spaces.
    fn run(&self, line: &str) -> Told {
        let mut command = self.0.tool(&format!("profile {line}"));
        command.output().unwrap().into()
    }

    /// The same with words that have spaces in them.
    fn run_words(&self, words: &[&str]) -> Told {
        let mut command = self.0.tool("profile");
        command.args(words).output().unwrap().into()
    }

    /// What it answers with `--json`, whatever the exit code.
    fn json(&self, line: &str) -> serde_json::Value {
        self.run(&format!("{line} --json")).json()
    }

    /// `name.pem`, `name-key.pem` and `name.p12`, an identity under `issuer` or under itself.
    fn identity(&self, name: &str, issuer: Option<&Identity>) -> Identity {
        self.identity_of(
            name,
            &PrivateKey::generate(KeySpec::Rsa2048).unwrap(),
            issuer,
        )
    }

    fn identity_of(&self, name: &str, key: &PrivateKey, issuer: Option<&Identity>) -> Identity {
        let now = Utc::now();
        let builder = CertificateBuilder::new(Name::from_common_name(name), key.public_key())
            .validity(now - TimeDelta::days(1), now + TimeDelta::days(365));
        let certificate = match issuer {
            Some(issuer) => builder.sign(&issuer.certificate, &issuer.key).unwrap(),
            None => builder.ca(None).self_signed(key).unwrap(),
        };
        let identity = Identity::new(certificate, Vec::new(), key.clone()).unwrap();
        self.0
            .write(&format!("{name}.pem"), identity.certificate.to_pem());
        let pem = identity.key.to_pkcs8_pem().unwrap();
        self.0.write(&format!("{name}-key.pem"), pem.as_bytes());
        let p12 = identity.to_pkcs12("hunter2").unwrap();
        self.0.write(&format!("{name}.p12"), p12.as_slice());
        self.0.write("password", "hunter2\n");
        identity
    }

    /// A profile of one Wi-Fi network with a password.
    fn wifi(&self, file: &str, more: &str) {
        self.0.write("secret", "correct horse\n");
        let line = "new wifi --identifier com.example.office --ssid Office --password-file secret";
        self.run(&format!("{line} --out {file} {more}")).succeeded();
    }
}
