//! What needs OpenSSL's legacy provider is a typed error where that is missing: shown in a child process that looks for
//! modules in an empty folder.

use std::process::Command;

use mdm_pki::{
    Error, Identity, PrivateKey,
    cms::{DecryptPolicy, EnvelopedData, EnvelopedDataBuilder, Limits},
};

use crate::support::{Openssl, Pki, skip};

#[test]
fn a_key_under_an_old_cipher_opens_and_one_under_an_unknown_cipher_is_named_so() {
    const TEST: &str =
        "legacy::a_key_under_an_old_cipher_opens_and_one_under_an_unknown_cipher_is_named_so";
    let Some(openssl) = Openssl::find(TEST) else {
        return;
    };
    if !openssl.has_legacy() {
        return skip(TEST, "the legacy provider is missing");
    }
    openssl.write_identity("device", Pki::get().rsa_device());
    for scheme in ["PBE-MD5-DES", "PBE-SHA1-RC4-128", "PBE-SHA1-RC2-40"] {
        let write = |form: &str| {
            openssl.ok(&format!(
                "pkcs8 -topk8 -v1 {scheme} -provider legacy -provider default -in device.key -passout pass:secret \
                 -outform {form} -out old"
            ));
            openssl.read("old")
        };
        let (pem, der) = (write("PEM"), write("DER"));
        assert!(
            PrivateKey::from_pem(&pem, Some("secret")).is_ok(),
            "{scheme}"
        );
        assert!(PrivateKey::from_encrypted_der(&der, "secret").is_ok());
        for wrong in [None, Some("wrong")] {
            let closed = PrivateKey::from_pem(&pem, wrong);
            assert!(
                matches!(closed, Err(Error::Password)),
                "{scheme} {closed:?}"
            );
        }
        let closed = PrivateKey::from_encrypted_der(&der, "wrong");
        assert!(
            matches!(closed, Err(Error::Password)),
            "{scheme} {closed:?}"
        );
    }
    openssl.ok("pkcs8 -topk8 -in device.key -passout pass:secret -outform DER -out new");
    let mut unknown = openssl.read("new");
    let closed = PrivateKey::from_encrypted_der(&unknown, "wrong");
    assert!(matches!(closed, Err(Error::Password)), "{closed:?}");
    // AES-256-CBC becomes an algorithm that is none.
    let aes = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a];
    let at = unknown.windows(aes.len()).position(|at| at == aes).unwrap();
    unknown[at + aes.len() - 1] = 0x63;
    let closed = PrivateKey::from_encrypted_der(&unknown, "secret");
    assert!(
        matches!(closed, Err(Error::Unsupported { .. })),
        "{closed:?}"
    );
}

/// Set for the child: the folder with what it shall open.
const FOLDER: &str = "MDM_PKI_LEGACY_FOLDER";

#[test]
fn without_the_legacy_provider_old_ciphers_are_a_typed_error() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return in_the_child(folder.as_ref());
    }
    const TEST: &str = "legacy::without_the_legacy_provider_old_ciphers_are_a_typed_error";
    let Some(openssl) = Openssl::find(TEST) else {
        return;
    };
    if !openssl.has_legacy() {
        return skip(TEST, "the legacy provider is missing");
    }
    if cfg!(feature = "vendored") {
        return skip(TEST, "a vendored OpenSSL has the legacy provider built in");
    }
    openssl.write_identity("device", Pki::get().rsa_device());
    openssl.write("content", b"content");
    openssl.ok("cms -encrypt -binary -des -provider legacy -provider default -in content -outform DER -out des.der device.crt");
    openssl.ok(
        "pkcs12 -export -legacy -in device.crt -inkey device.key -passout pass:secret -out rc2.p12",
    );
    std::fs::create_dir(openssl.path("empty")).unwrap();
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", TEST])
        .env(FOLDER, openssl.path(""))
        .env("OPENSSL_MODULES", openssl.path("empty"))
        .status()
        .unwrap();
    assert!(status.success());
}

fn in_the_child(folder: &std::path::Path) {
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let key = PrivateKey::from_pem(&read("device.key"), None).unwrap();
    let message = EnvelopedData::parse(&read("des.der"), &Limits::default()).unwrap();
    let policy = DecryptPolicy::default().with(|policy| policy.single_des = true);
    for _ in 0..2 {
        assert!(matches!(
            message.decrypt(&key, &policy),
            Err(Error::LegacyProviderMissing("single DES"))
        ));
    }
    assert!(matches!(
        Identity::from_pkcs12(&read("rc2.p12"), "secret"),
        Err(Error::LegacyProviderMissing(_))
    ));
    // What is not old still works.
    let certificate = mdm_pki::Certificate::from_pem(&read("device.crt")).unwrap();
    let envelope = EnvelopedDataBuilder::new(b"new")
        .recipient(&certificate)
        .encrypt()
        .unwrap();
    let opened = EnvelopedData::parse(&envelope, &Limits::default())
        .unwrap()
        .decrypt(&key, &policy)
        .unwrap();
    assert_eq!(*opened, b"new");
}
