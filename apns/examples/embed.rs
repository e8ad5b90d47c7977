//! Sends one MDM push, with nothing of the family but this crate and its foundation.
//!
//!     cargo run -p mdm-apns --example embed -- IDENTITY.pem TOKEN_HEX MAGIC [HOST PORT ROOT.pem]
//!
//! IDENTITY.pem holds the push certificate and its private key. Without a host the push goes to
//! Apple.
#![allow(clippy::print_stdout)]

use std::{env, error::Error, fs};

use mdm_apns::{Client, Config, Outcome, Push, PushCertificate};
use mdm_core::{PushMagic, PushToken};
use mdm_pki::{Certificate, Identity};
use mdm_tls::Roots;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (config, identity, token, magic) = match arguments[..] {
        [identity, token, magic] => (Config::production(), identity, token, magic),
        [identity, token, magic, host, port, root] => {
            let root = Certificate::from_pem(&fs::read(root)?)?;
            let config = Config::new(host, port.parse()?).roots(Roots::Only(vec![root]));
            (config, identity, token, magic)
        }
        _ => return Err("usage: IDENTITY.pem TOKEN_HEX MAGIC [HOST PORT ROOT.pem]".into()),
    };
    let pem = fs::read(identity)?;
    let certificate = PushCertificate::new(Identity::from_pem(&pem, &pem, None)?)?;
    println!("topic {}", certificate.topic());
    println!("valid until {}", certificate.not_after());

    let (client, driver) = Client::new(config, certificate)?;
    tokio::spawn(driver.run());
    let push = Push::new(PushToken::new(hex::decode(token)?), PushMagic::new(magic));
    match client.push(&push).await? {
        Outcome::Delivered { .. } => println!("the service took it"),
        Outcome::RetryAfter { delay, .. } => println!("send it again in {delay:?}"),
        outcome => println!("not taken: {outcome:?}"),
    }
    Ok(())
}
