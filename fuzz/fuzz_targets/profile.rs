//! Any bytes as what somebody uploads for a profile: plain, signed, encrypted, with anything around. What is accepted is
//! what was signed, and what is read can be written and read again.
#![no_main]

use std::sync::OnceLock;

use chrono::{DateTime, TimeDelta, Utc};
use libfuzzer_sys::fuzz_target;
use mdm_fuzz::spliced;
use mdm_pki::{
    Certificate, CertificateBuilder, Identity, KeySpec, Name, PrivateKey,
    cms::{DecryptPolicy, EnvelopedDataBuilder},
};
use mdm_plist::Value;
use mdm_profiles::{
    Profile,
    encrypt::{Encryption, decrypt, encrypt},
    sign::sign,
    verify::{Require, Trust, open, open_answer, open_with_key},
};

const PROFILE: &[u8] =
    b"<dict><key>PayloadContent</key><array><dict><key>a</key><string>b</string></dict></array>
    <key>PayloadType</key><string>Configuration</string></dict>";

struct World {
    now: DateTime<Utc>,
    signer: Identity,
    roots: [Certificate; 1],
    /// One on a curve, one with RSA.
    devices: [Identity; 2],
    plain: Profile,
    encrypted: Profile,
    signed: Vec<u8>,
}

fuzz_target!(|data: &[u8]| {
    let world = world();
    let Some((mode, data)) = data.split_first() else {
        return;
    };
    let device = &world.devices[usize::from(mode >> 7)];
    match mode % 6 {
        0 => world.open(data, device),
        1 => world.open(&spliced(&world.signed, data), device),
        2 => world.open(&spliced(PROFILE, data), device),
        3 => world.envelope(spliced(world.sealed(), data), device),
        4 => world.envelope(data.to_vec(), device),
        _ => {
            let envelope = EnvelopedDataBuilder::new(data)
                .recipient(&world.devices[1].certificate)
                .encrypt()
                .expect("an envelope");
            world.envelope(envelope, &world.devices[1]);
        }
    }
});

impl World {
    fn new() -> Self {
        let now: DateTime<Utc> = DateTime::from_timestamp(1_780_000_000, 0).expect("a time");
        let identity = |name, spec| {
            let key = PrivateKey::generate(spec).expect("a key");
            let certificate =
                CertificateBuilder::new(Name::from_common_name(name), key.public_key())
                    .validity(now, now + TimeDelta::days(1))
                    .ca(None)
                    .self_signed(&key)
                    .expect("a certificate");
            Identity::new(certificate, Vec::new(), key).expect("an identity")
        };
        let signer = identity("Signer", KeySpec::P256);
        let devices = [
            identity("Curve", KeySpec::P256),
            identity("Device", KeySpec::Rsa1024),
        ];
        let plain = Profile::decode(PROFILE).expect("a profile");
        let recipients = [&devices[0], &devices[1]].map(|device| device.certificate.clone());
        let encrypted = encrypt(&plain, &recipients, &Encryption::default()).expect("encrypted");
        Self {
            now,
            roots: [signer.certificate.clone()],
            devices,
            signed: sign(&encrypted, &signer, now).expect("signed"),
            plain,
            encrypted,
            signer,
        }
    }

    fn sealed(&self) -> &[u8] {
        let sealed = self.encrypted.keys().get("EncryptedPayloadContent");
        sealed.and_then(Value::as_data).expect("an envelope")
    }

    fn open(&self, bytes: &[u8], device: &Identity) {
        let trust = Trust::new(&self.roots, self.now).with(|trust| trust.pinned = &self.roots);
        let _ = open_answer(bytes, &trust);
        if let Ok(opened) = open(bytes, &trust) {
            written(&opened.profile);
            if let Ok(profile) = opened.accept(Require::default()) {
                assert!(profile == self.encrypted, "accepted what nobody signed");
            }
        }
        if let Ok(opened) = open_with_key(bytes, &trust, &device.key) {
            assert!(!opened.profile.is_encrypted(), "still encrypted");
            written(&opened.profile);
            if let Ok(profile) = opened.accept(Require::default()) {
                assert!(profile == self.plain, "decrypted to something else");
            }
        }
    }

    fn envelope(&self, envelope: Vec<u8>, device: &Identity) {
        let mut profile = self.encrypted.clone();
        let key = "EncryptedPayloadContent".to_owned();
        profile.keys_mut().insert(key, Value::Data(envelope));
        if let Ok(opened) = decrypt(&profile, &device.key, &DecryptPolicy::default()) {
            written(&opened);
        }
        let again = sign(&profile, &self.signer, self.now).expect("signed");
        let trust = Trust::new(&self.roots, self.now);
        assert!(open(&again, &trust).expect("opened").profile == profile);
    }
}

/// What was read is written, and read again.
fn written(profile: &Profile) {
    if let Ok(xml) = profile.to_xml() {
        assert!(Profile::decode(&xml).is_ok(), "not read again");
    }
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(World::new)
}
