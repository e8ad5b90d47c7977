//! mdmcert.download: a request sent to a server that plays it, and what is mailed.

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::mpsc,
    thread,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::Utc;
use mdm_apns::certificate::Vendor;
use mdm_pki::{Certificate, CertificateRequest, cms::EnvelopedDataBuilder};
use serde_json::Value;

use super::world::{Folder, vendor};
use crate::told::Told;

/// A server that answers one request; its URL, and the request's head and body.
fn server(status: &'static str, answer: &'static str) -> (String, mpsc::Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut buffer = [0; 4096];
        let (head, body) = loop {
            let read = stream.read(&mut buffer).unwrap();
            assert!(read > 0, "the request ends early");
            request.extend_from_slice(&buffer[..read]);
            let text = String::from_utf8_lossy(&request);
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            if let Ok(body) = serde_json::from_str(body) {
                break (head.to_owned(), body);
            }
        };
        let _ = write!(
            stream,
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}",
            answer.len()
        );
        let _ = tell.send((head, body));
    });
    (url, told)
}

fn asked(folder: &Folder, url: &str) -> Told {
    folder.run(&format!(
        "cert mdmcert-request push-csr.pem --email admin@example.com --api-key-file api-key --url {url}"
    ))
}

#[test]
fn a_request_is_asked_for_and_what_is_mailed_is_opened() {
    let folder = Folder::new();
    folder
        .run("cert csr --email a@b.c --country DE")
        .succeeded();
    folder.write("api-key", "hunter2-key\n");
    let (url, request) = server("200 OK", r#"{"result": "success"}"#);
    let told = asked(&folder, &url);
    told.succeeded();
    told.holds_none_of(&["hunter2"]);
    assert!(told.stdout.contains("mdmcert-decrypt"), "{told:?}");
    let (head, body) = request.recv().unwrap();
    assert!(
        head.starts_with("POST /api/v1/signrequest HTTP/1.1"),
        "{head}"
    );
    assert!(
        head.to_lowercase().contains("user-agent: mdmtool/"),
        "{head}"
    );
    assert_eq!(body["email"], "admin@example.com");
    assert_eq!(body["key"], "hunter2-key");
    let field = |name: &str| STANDARD.decode(body[name].as_str().unwrap()).unwrap();
    assert_eq!(field("csr"), folder.read("push-csr.pem"));
    assert_eq!(field("encrypt"), folder.read("mdmcert-cert.pem"));

    // The service signs, encrypts and mails.
    let [root, middle, signer] = vendor();
    let authorities = [root.certificate, middle.certificate];
    let csr = CertificateRequest::from_pem(&field("csr")).unwrap();
    let signing = Vendor::new(signer.certificate.clone(), &authorities).unwrap();
    let signed = signing.sign(&csr, &signer.key, Utc::now()).unwrap();
    let upload = signed.to_upload().unwrap();
    let to = Certificate::from_pem(&field("encrypt")).unwrap();
    let mail = |content: &str| -> String {
        let envelope = EnvelopedDataBuilder::new(content.as_bytes()).recipient(&to);
        let der = envelope.encrypt().unwrap();
        der.iter().map(|byte| format!("{byte:02X}")).collect()
    };
    folder.write("mail", format!("{}\r\n", mail(&upload)));
    let line = "cert mdmcert-decrypt mail --cert mdmcert-cert.pem --key mdmcert-key.pem";
    let told = folder.json(&format!("{line} --csr push-csr.pem"));
    assert_eq!(told["valid"], true);
    assert_eq!(folder.read("push-upload.b64"), upload.as_bytes());

    folder.write_identity("signer", &signer);
    folder
        .run("cert mdmcert-decrypt mail --cert signer.pem --key signer-key.pem --out o")
        .failed(2, &["does not open", "mdmcert-key.pem"]);
    folder
        .run("cert csr --email a@b.c --country DE --key k2 --csr csr2")
        .succeeded();
    folder
        .run(&format!("{line} --csr csr2 --out o"))
        .failed(2, &["answers another request"]);
    folder.write("mail", mail("no request"));
    folder
        .run(&format!("{line} --out o"))
        .failed(2, &["as it was mailed"]);
    folder.write("mail", &mail(&upload)[..2000]);
    folder.run(&format!("{line} --out o")).failed(2, &["whole"]);
    assert!(!folder.path("o").exists());

    // What does not hold is written all the same, and said.
    let plist = String::from_utf8(signed.to_plist().unwrap()).unwrap();
    let signature = STANDARD.encode(signed.signature());
    let forged = plist.replace(&signature, &STANDARD.encode([1; 256]));
    folder.write("mail", mail(&forged));
    let told = folder.run(&format!("{line} --out forged --json"));
    told.error(1, "certificate");
    assert!(told.stdout.contains("\"valid\": false"), "{told:?}");
    assert_eq!(folder.read("forged"), forged.as_bytes());
}

#[test]
fn a_refusal_is_told_and_the_next_request_uses_the_same_key() {
    let folder = Folder::new();
    folder
        .run("cert csr --email a@b.c --country DE")
        .succeeded();
    folder.write("api-key", "hunter2-key");
    let no = r#"{"result": "failure", "reason": "Invalid email address."}"#;
    let (url, _request) = server("200 OK", no);
    let told = asked(&folder, &url);
    told.failed(1, &["Invalid email address.", "Register the address"]);
    told.holds_none_of(&["hunter2"]);
    let key = folder.read("mdmcert-key.pem");
    let (url, _request) = server("500 INTERNAL SERVER ERROR", "<html>");
    asked(&folder, &url).failed(1, &["status 500"]);
    let (url, request) = server("200 OK", r#"{"result": "success"}"#);
    asked(&folder, &url).succeeded();
    assert_eq!(folder.read("mdmcert-key.pem"), key);
    let (_, body) = request.recv().unwrap();
    let encrypt = STANDARD.encode(folder.read("mdmcert-cert.pem"));
    assert_eq!(body["encrypt"], encrypt);

    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    asked(&folder, &url).failed(1, &["--url"]);
    asked(&folder, "not-a-url").failed(2, &["--url"]);
    folder
        .run("cert mdmcert-request push-csr.pem --email a@b.c")
        .failed(2, &["no API key", "MDMCERT_API_KEY"]);
    folder.write("api-key", "");
    asked(&folder, &url).failed(2, &["key: it is empty"]);
}
