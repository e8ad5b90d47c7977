//! Device assignment embedded in a program of its own: opens a server token and lists the devices.
//!
//! ```text
//! cargo run -p ade-client --example embed -- keygen
//! cargo run -p ade-client --example embed -- list TOKEN.p7m
//! ```

#![allow(clippy::print_stdout)]

use std::{env, error::Error, fs, io::Write, sync::Arc};

use ade_client::{
    Client, TokenKeyPair,
    endpoint::{FetchDevices, GetAccount},
};
use chrono::Utc;
use mdm_core::SystemClock;
use mdm_transport_reqwest::ReqwestTransport;

const USER_AGENT: &str = "ade-embed/0.1";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["keygen"] => keygen(),
        ["list", token] => list(token).await,
        _ => Err("usage: embed keygen | embed list TOKEN.p7m".into()),
    }
}

/// The certificate goes to Apple's portal, the key stays here.
fn keygen() -> Result<(), Box<dyn Error>> {
    let pair = TokenKeyPair::generate("ade-embed", Utc::now())?;
    fs::write("ade-certificate.pem", pair.certificate_pem())?;
    let mut file = fs::OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    let mut file = file.write(true).create_new(true).open("ade-key.pem")?;
    file.write_all(pair.private_key_pem()?.as_bytes())?;
    println!("upload ade-certificate.pem and download the token");
    Ok(())
}

async fn list(token: &str) -> Result<(), Box<dyn Error>> {
    let pair =
        TokenKeyPair::from_pem(&fs::read("ade-certificate.pem")?, &fs::read("ade-key.pem")?)?;
    let token = pair.open(&fs::read(token)?)?;
    let transport = ReqwestTransport::builder().build()?;
    let client = Client::builder(transport, Arc::new(SystemClock), token, USER_AGENT).build()?;

    let account = client.send(&GetAccount::new()).await?;
    println!("server {:?}", account.server_name.unwrap_or_default());

    let mut request = FetchDevices::first();
    loop {
        let page = client.send(&request).await?;
        for device in &page.devices {
            let serial = device.serial_number.as_ref().map_or("?", |s| s.as_str());
            let status = device.profile_status.as_ref().map_or("", |s| s.as_str());
            println!("{serial}\t{status}");
        }
        match page.cursor {
            Some(cursor) if page.more_to_follow => request = FetchDevices::after(cursor),
            _ => return Ok(()),
        }
    }
}
