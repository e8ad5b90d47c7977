//! The whole of SCEP in one process: a server over a root of its own, and a device that enrols.
//!
//! `cargo run -p mdm-scep --example embed`
#![allow(clippy::print_stdout)]

use std::{error::Error, sync::Arc, time::Duration};

use mdm_core::{Clock, SystemClock};
use mdm_pki::{DigestAlgorithm, KeySpec, Name, PrivateKey};
use mdm_scep::{
    Bound, CaTrust, Client, EmbeddedCa, Enrolment, MemoryStore, OneTime, Responder, Server,
    ca::{RootUse, registration_authority, root},
};
use mdm_transport::transport_fn;

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let clock = Arc::new(SystemClock);
    let store = Arc::new(MemoryStore::new());

    // An EC root issues; since SCEP encrypts to RSA, a registration authority speaks for it.
    let root_key = PrivateKey::generate(KeySpec::P256)?;
    let name = Name::from_common_name("Example CA");
    let root = root(name, &root_key, RootUse::BehindRa, YEAR * 10, clock.now())?;
    let ra_key = PrivateKey::generate(KeySpec::Rsa2048)?;
    let name = Name::from_common_name("Example RA");
    let ra = registration_authority(
        name,
        ra_key.public_key(),
        &root,
        &root_key,
        YEAR,
        clock.now(),
    )?;
    let trust = CaTrust::sha256(root.fingerprint(DigestAlgorithm::Sha256)?);

    let challenges = OneTime::new(store.clone());
    let authority = EmbeddedCa::new(vec![root], Arc::new(root_key), store)?;
    let server = Server::builder(
        Arc::new(authority),
        Responder::local(ra, ra_key)?,
        Arc::new(challenges.clone()),
        clock.clone(),
    )
    .build()?;
    println!("capabilities: {:?}", server.capabilities().to_text());

    let bound = Bound::common_name("C02XK0AAJGH5");
    let challenge = challenges.issue("Ada's Mac", bound, clock.now()).await?;

    // A web server would hand each request to `handle`; here the client does so itself.
    let server = Arc::new(server);
    let transport = transport_fn(move |request| {
        let server = server.clone();
        async move { Ok(server.handle(request).await) }
    });
    let url = "https://mdm.example.com/scep".parse()?;
    let client = Client::new(transport, url, trust, clock);
    let enrolment = Enrolment::new(
        PrivateKey::generate(KeySpec::Rsa2048)?,
        Name::from_common_name("C02XK0AAJGH5"),
        Some(challenge),
    )?;
    let certificate = client.enrol(&enrolment).await?.certificate;
    println!(
        "issued: {} by {} until {}",
        certificate.subject(),
        certificate.issuer(),
        certificate.not_after()
    );
    Ok(())
}
