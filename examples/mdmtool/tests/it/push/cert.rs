//! Looking at certificates, making requests, signing them, renewing.

use chrono::Utc;
use mdm_apns::certificate::PushCertificateRequest;
use mdm_pki::{CertificateRequest, Identity, PrivateKey};
use serde_json::json;

use super::world::{Folder, OTHER_TOPIC, TOPIC, push_certificate, vendor};

#[test]
fn a_certificate_tells_its_topic_environment_and_end() {
    let folder = Folder::new();
    let identity = push_certificate(TOPIC, 200);
    folder.write_identity("push", &identity);
    folder.write("push.der", identity.certificate.to_der());
    folder.write(
        "push.p12",
        identity.to_pkcs12("hunter2").unwrap().as_slice(),
    );
    folder.write("pass", "hunter2\nsecond line");
    let both = [folder.read("push-key.pem"), folder.read("push.pem")].concat();
    folder.write("both.pem", both);
    for line in [
        "cert info push.pem",
        "cert info both.pem",
        "cert info push.der",
        "cert info push.p12 --passphrase-file pass",
        "cert info push.pem --key push-key.pem",
        "cert info push.der --key push-key.pem",
    ] {
        let told = folder.json(line);
        assert_eq!(told["topic"], TOPIC);
        assert_eq!(told["environment"], "production");
        assert_eq!(told["days_left"], 200);
        assert_eq!(told["renewal"], "fine");
        assert_eq!(told["sha256"].as_str().unwrap().len(), 64);
    }
    let told = folder.run(&format!("cert info push.pem --topic {TOPIC}"));
    told.succeeded();
    assert!(
        told.stdout.contains(&format!("topic        {TOPIC}")),
        "{told:?}"
    );
    let told = folder.run_with("cert info -", &folder.read("push.pem"));
    told.succeeded();
    let told = folder
        .command("cert info push.p12")
        .env("MDMTOOL_PASSPHRASE", "hunter2")
        .output();
    assert!(told.unwrap().status.success());
}

#[test]
fn a_certificate_that_nears_its_end_says_what_to_do() {
    let folder = Folder::new();
    for (ends_in, renewal, said) in [
        (29, "due", "ends in 29 days: renew it. Make a request"),
        (6, "urgent", "ends in 6 days: renew it this week"),
        (0, "critical", "ends in"),
        (-3, "expired", "ended on"),
    ] {
        folder.write_identity("push", &push_certificate(TOPIC, ends_in));
        let told = folder.run("cert info push.pem");
        told.failed(1, &["the push certificate: ", said, "press Renew"]);
        assert!(told.stdout.contains(TOPIC), "{told:?}");
        let told = folder.run("cert info push.pem --json");
        told.error(1, "certificate");
        let document: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
        assert_eq!(document["renewal"], renewal);
        assert_eq!(document["days_left"], ends_in);
    }
    folder.write_identity("push", &push_certificate(TOPIC, 29));
    folder.run("cert info push.pem --warn-days 20").succeeded();
    folder.write_identity("push", &push_certificate(TOPIC, 99));
    folder
        .run("cert info push.pem --warn-days 100")
        .failed(1, &["renew it"]);
}

#[test]
fn a_certificate_of_another_topic_key_or_kind_is_told_apart() {
    let folder = Folder::new();
    folder.write_identity("push", &push_certificate(TOPIC, 200));
    folder.write_identity("other", &push_certificate(OTHER_TOPIC, 200));
    let told = folder.run(&format!("cert info push.pem --topic {OTHER_TOPIC}"));
    told.failed(1, &[TOPIC, OTHER_TOPIC]);
    let told = folder.run("cert info push.pem --key other-key.pem");
    told.failed(2, &["does not belong"]);
    folder.write_identity("app", &push_certificate("com.example.app", 200));
    folder
        .run("cert info app.pem")
        .failed(2, &["com.example.app", "not one of MDM"]);
    let [root, ..] = vendor();
    folder.write_identity("root", &root);
    folder.run("cert info root.pem").failed(2, &["no user ID"]);
}

#[test]
fn a_request_is_made_with_a_key_that_only_its_owner_may_read() {
    let folder = Folder::new();
    let line = "cert csr --email admin@example.com --country de --organization Example";
    let told = folder.json(line);
    assert_eq!(
        told,
        json!({"key": "./push-key.pem", "encrypted": false, "csr": "./push-csr.pem"})
    );
    let csr = CertificateRequest::from_pem(&folder.read("push-csr.pem")).unwrap();
    csr.verify().unwrap();
    assert_eq!(
        csr.subject().to_string(),
        "emailAddress=admin@example.com,CN=MDM push,O=Example,C=DE"
    );
    let key = PrivateKey::from_pem(&folder.read("push-key.pem"), None).unwrap();
    assert_eq!(csr.public_key().unwrap(), *key.public_key());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(folder.path("push-key.pem")).unwrap();
        assert_eq!(mode.permissions().mode() & 0o777, 0o600);
    }
    // Never over another key.
    folder.run(line).failed(2, &["cannot write"]);
    assert!(PrivateKey::from_pem(&folder.read("push-key.pem"), None).is_ok());

    folder.write("pass", "hunter2\n");
    let told = folder.run(&format!("{line} --key k --csr c --passphrase-file pass"));
    told.succeeded();
    told.holds_none_of(&["hunter2", "PRIVATE KEY"]);
    assert!(told.stdout.contains("keep the key"));
    assert!(PrivateKey::from_pem(&folder.read("k"), None).is_err());
    assert!(PrivateKey::from_pem(&folder.read("k"), Some("hunter2")).is_ok());

    for (line, words) in [
        (
            "cert csr --email admin --country DE --out x",
            "e-mail address",
        ),
        ("cert csr --email a@b.c --country DEU --out x", "country"),
        (
            "cert csr --email a@b.c --country DE --key n/k",
            "cannot write",
        ),
    ] {
        folder.run(line).failed(2, &[words]);
    }
    folder.write("empty", "");
    let line = format!("{line} --key e --csr f --passphrase-file empty");
    folder.run(&line).failed(2, &["passphrase"]);
    assert!(!folder.path("e").exists());
}

#[test]
fn a_vendor_signs_a_request_for_apples_portal() {
    let folder = Folder::new();
    let [root, middle, vendor] = vendor();
    folder.write_identity("vendor", &vendor);
    let all = [middle.certificate.to_pem(), root.certificate.to_pem()].concat();
    folder.write("apple.pem", all);
    folder.write("wwdr.cer", middle.certificate.to_der());
    folder.write("root.cer", root.certificate.to_der());
    folder.write("vendor.cer", vendor.certificate.to_der());
    folder
        .run("cert csr --email a@b.c --country DE")
        .succeeded();

    let vendor_files = "--cert vendor.pem --key vendor-key.pem";
    let line = format!("cert sign-csr push-csr.pem {vendor_files} --authority apple.pem");
    let told = folder.json(&line);
    assert_eq!(told["upload"], "push-upload.b64");
    assert_eq!(told["customer"], "emailAddress=a@b.c,CN=MDM push,C=DE");
    assert_eq!(told["chain"].as_array().unwrap().len(), 3);
    let request = PushCertificateRequest::read(&folder.read("push-upload.b64")).unwrap();
    request.verify(Utc::now()).unwrap();
    let csr = CertificateRequest::from_pem(&folder.read("push-csr.pem")).unwrap();
    assert_eq!(request.csr(), &csr);

    let told = folder.run_with(
        "cert sign-csr - --cert vendor.cer --key vendor-key.pem --authority root.cer --authority wwdr.cer --out two",
        csr.to_der(),
    );
    told.succeeded();
    assert!(told.stdout.contains("press Renew"), "{told:?}");
    assert_eq!(folder.read("two"), folder.read("push-upload.b64"));

    let with_chain = Identity::new(vendor.certificate, vec![middle.certificate], vendor.key);
    let p12 = with_chain.unwrap().to_pkcs12("hunter2").unwrap();
    folder.write("vendor.p12", p12.as_slice());
    let line_of_p12 =
        "cert sign-csr push-csr.pem --cert vendor.p12 --authority root.cer --out of-p12";
    let told = folder
        .command(line_of_p12)
        .env("MDMTOOL_PASSPHRASE", "hunter2")
        .output();
    assert!(told.unwrap().status.success());
    assert_eq!(folder.read("of-p12"), folder.read("push-upload.b64"));

    folder.run(&line).failed(2, &["cannot write"]);
    let out = "--out three";
    for (line, words) in [
        (
            format!("cert sign-csr push-csr.pem {vendor_files} {out}"),
            ["is missing", "--authority"],
        ),
        (
            format!("cert sign-csr push-csr.pem {vendor_files} --authority wwdr.cer {out}"),
            ["Test Developer Relations", "--authority"],
        ),
        (
            format!("cert sign-csr push-csr.pem --cert vendor.pem --key push-key.pem {out}"),
            ["does not belong", "--key"],
        ),
        (
            format!("cert sign-csr push-csr.pem --cert vendor.pem {out}"),
            ["holds no key", "--key"],
        ),
        (
            format!("cert sign-csr vendor.pem {vendor_files} --authority apple.pem {out}"),
            ["holds no request", "cert csr"],
        ),
        (
            format!("cert sign-csr push-csr.pem {vendor_files} --authority push-csr.pem {out}"),
            ["holds no certificate", "PEM or DER"],
        ),
    ] {
        folder.run(&line).failed(2, &words);
    }
    let mut forged = csr.to_der().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let line = format!("cert sign-csr - {vendor_files} --authority apple.pem {out}");
    folder
        .run_with(&line, &forged)
        .failed(2, &["not signed by its own key"]);
    assert!(!folder.path("three").exists());
}

#[test]
fn a_new_certificate_in_place_of_a_renewed_one_is_found_out() {
    let folder = Folder::new();
    folder.write_identity("old", &push_certificate(TOPIC, 20));
    folder.write_identity("renewed", &push_certificate(TOPIC, 385));
    folder.write_identity("new", &push_certificate(OTHER_TOPIC, 385));
    let told = folder.json("cert renew-check old.pem renewed.pem");
    assert_eq!(told["renews"], true);
    let told = folder.run("cert renew-check old.pem new.pem");
    told.failed(1, &["strand every device", "Apple Account"]);
    assert!(told.stdout.contains(OTHER_TOPIC), "{told:?}");
    let error = folder.run("cert renew-check old.pem new.pem --json");
    error.error(1, "certificate");
    folder
        .run("cert renew-check renewed.pem old.pem")
        .failed(1, &["no later than"]);
    folder
        .run("cert renew-check old.pem nowhere.pem")
        .failed(2, &["cannot read nowhere.pem"]);
}
