//! What needs OpenSSL's legacy provider is a typed error where that is missing: shown in a child process that looks for
//! modules in an empty folder.

use std::process::Command;

use mdm_pki::{
    Error, Identity, PrivateKey,
    cms::{DecryptPolicy, EnvelopedData, EnvelopedDataBuilder, Limits},
};

use crate::support::{Openssl, Pki, skip};

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
