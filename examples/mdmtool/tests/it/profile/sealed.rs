//! `sign`, `verify`, `encrypt` and `decrypt`.

use super::Folder;

#[test]
fn a_signature_is_told_layer_by_layer() {
    let folder = Folder::new();
    let root = folder.identity("root", None);
    folder.identity("signer", Some(&root));
    folder.identity("other", None);
    folder.wifi("wifi", "");
    let sign = "sign wifi --cert signer.pem --key signer-key.pem --chain root.pem";
    folder.run(&format!("{sign} --out signed")).succeeded();

    let told = folder.run("verify signed --root root.pem");
    told.succeeded();
    for words in [
        "signer     CN=signer",
        "signature  holds",
        "chain      leads to CN=root",
        "validity   the signer's until ",
        "allowed    anybody may sign",
        "the signature counts",
    ] {
        assert!(told.stdout.contains(words), "{words}: {}", told.stdout);
    }
    let document = folder.json("verify signed --root root.pem");
    assert_eq!(document["accepted"], true);
    assert_eq!(document["identifier"], "com.example.office");
    let signer = &document["signers"][0];
    assert_eq!(signer["signature"], "valid");
    assert_eq!(signer["validity"], "valid");
    assert_eq!(signer["chain"], serde_json::json!(["CN=signer", "CN=root"]));

    let told = folder.run("verify signed");
    told.succeeded();
    assert!(
        told.stdout.contains("not judged without --root"),
        "{}",
        told.stdout
    );
    let told = folder.run("verify signed --root other.pem");
    told.failed_quietly();
    assert!(told.stdout.contains("no trusted root"), "{}", told.stdout);
    let told = folder.run("verify signed --root root.pem --at 2099-01-01T00:00:00Z");
    told.failed_quietly();
    assert!(told.stdout.contains("expired"), "{}", told.stdout);
    folder
        .run("verify signed --pin root.pem --at 2099-01-01T00:00:00Z")
        .succeeded();
    let print = signer["certificate"]["sha256"].as_str().unwrap().to_owned();
    folder
        .run(&format!("verify signed --root root.pem --signer {print}"))
        .succeeded();
    let wrong = print.replace(char::is_numeric, "0");
    let told = folder.run(&format!(
        "verify signed --root root.pem --signer {wrong} --json"
    ));
    assert_eq!(told.json()["rejected"], "the signer may not sign profiles");
    folder
        .run("verify signed --signer ab")
        .failed(2, &["fingerprint"]);
    let told = folder.run("verify wifi");
    told.failed_quietly();
    assert!(told.stdout.contains("not signed"), "{}", told.stdout);

    let mut altered = folder.0.read("signed");
    let at = altered
        .windows(6)
        .position(|window| window == b"Office")
        .unwrap();
    altered[at] = b'o';
    folder.0.write("altered", altered);
    let told = folder.run("verify altered --root root.pem");
    told.failed_quietly();
    assert!(
        told.stdout.contains("the content was altered"),
        "{}",
        told.stdout
    );
    let told = folder.run("show altered");
    assert!(told.stdout.contains("does not hold"), "{}", told.stdout);
}

#[test]
fn signing_takes_any_form_of_identity_and_the_same_time_makes_the_same_bytes() {
    let folder = Folder::new();
    folder.identity("signer", None);
    folder.wifi("wifi", "");
    let at = chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ");
    for (out, signer) in [
        ("a", "--cert signer.pem --key signer-key.pem"),
        ("b", "--cert signer.p12 --passphrase-file password"),
    ] {
        folder
            .run(&format!("sign wifi {signer} --at {at} --out {out}"))
            .succeeded();
        folder
            .run(&format!("verify {out} --root signer.pem --at {at}"))
            .succeeded();
    }
    assert_eq!(folder.0.read("a"), folder.0.read("b"));
    let pem = folder.run(&format!(
        "sign wifi --cert signer.pem --key signer-key.pem --at {at} --pem"
    ));
    assert!(pem.stdout.starts_with("-----BEGIN CMS-----"));
    let signer = "--cert signer.pem --key signer-key.pem";
    let document = folder.json(&format!("sign wifi {signer} --out c"));
    assert_eq!(document["packing"], "cms");
    assert_eq!(document["signer"]["subject"], "CN=signer");

    let told = folder.run(&format!("sign a {signer} --out d"));
    told.failed(2, &["signed already", "--resign"]);
    folder
        .run(&format!("sign a {signer} --resign --out d --at {at}"))
        .succeeded();
    assert_eq!(folder.0.read("a"), folder.0.read("d"));
    folder
        .run(&format!("sign wifi {signer} --out a"))
        .failed(2, &["cannot write a"]);
    folder.0.write("text", "hello");
    folder
        .run(&format!("sign text {signer} --out e"))
        .failed(2, &["text"]);
    let told = folder.run(&format!(
        "sign wifi {signer} --at 2099-01-01T00:00:00Z --out f"
    ));
    assert!(told.stderr.contains("not valid at that time"), "{told:?}");

    folder.run("fmt a").failed(2, &["signed", "--unsigned"]);
    let told = folder.run("fmt a --unsigned");
    assert_eq!(told.stdout.as_bytes(), folder.0.read("wifi"));
}

#[test]
fn payloads_are_encrypted_to_a_device_and_opened_with_its_key() {
    let folder = Folder::new();
    folder.identity("device", None);
    folder.identity("other", None);
    folder.wifi("wifi", "");
    folder
        .run("encrypt wifi --to device.pem --out sealed")
        .succeeded();
    let sealed = String::from_utf8(folder.0.read("sealed")).unwrap();
    assert!(sealed.contains("EncryptedPayloadContent") && !sealed.contains("SSID_STR"));

    let told = folder.run("show sealed");
    assert!(
        told.stdout.contains("encrypted, give --key"),
        "{}",
        told.stdout
    );
    let told = folder.run("lint sealed");
    assert!(told.stderr.contains("were not looked at"), "{told:?}");
    let told = folder.run("show sealed --key device-key.pem");
    assert!(told.stdout.contains("SSID_STR"), "{}", told.stdout);
    folder
        .run("show sealed --key other-key.pem")
        .failed(2, &["sealed", "--key"]);
    folder
        .run("decrypt sealed --key device-key.pem --out open")
        .succeeded();
    folder.run("diff wifi open").succeeded();
    folder.run("decrypt sealed").failed(2, &["stays closed"]);
    folder
        .run("decrypt wifi --key device-key.pem")
        .failed(2, &["not encrypted"]);
    folder
        .run("encrypt sealed --to device.pem")
        .failed(2, &["sealed"]);

    let signer = "--cert device.pem --key device-key.pem";
    folder
        .run(&format!("sign sealed {signer} --out both"))
        .succeeded();
    folder.run("verify both --root device.pem").succeeded();
    folder
        .run("decrypt both --key device-key.pem --out again")
        .succeeded();
    assert_eq!(folder.0.read("again"), folder.0.read("open"));
    folder
        .run("encrypt both --to device.pem")
        .failed(2, &["signed", "--unsigned"]);
    folder
        .run("lint sealed --key device-key.pem --fail-on info --level info")
        .failed_quietly();

    let oaep = "encrypt wifi --to device.pem --to other.pem --key-transport oaep-sha256 --aes-128 --out two";
    folder.run(oaep).succeeded();
    for key in ["device-key.pem", "other-key.pem"] {
        let told = folder.run(&format!("decrypt two --key {key}"));
        assert_eq!(told.stdout.as_bytes(), folder.0.read("open"));
    }
}
