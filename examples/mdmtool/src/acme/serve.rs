//! `serve`: an ACME server with an authority of its own.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use http::Uri;
use mdm_core::SystemClock;
use mdm_pki::{Certificate, DigestAlgorithm, attestation::Verifier};
use mdm_scep::acme::{HttpValidation, Limits, Server};
use mdmtool::one_line;
use serde_json::Value;

use super::{
    devices::{Devices, Known},
    hosts::Hosts,
    site::AcmeSite,
};
use crate::{
    certificate::fingerprint,
    console::Console,
    failure::{Done, Failure},
    files,
    issue::{
        authority::{Authority, impossible},
        events::{self, Reporter},
        pages::Pages,
        place::{Opened, Place},
        running::Running,
    },
    runtime::interrupted,
    web::Web,
};

#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    devices: Devices,
    #[command(flatten)]
    hosts: Hosts,
    /// Offer the certificates with this chain too: certificates in PEM, the authority's own as another one signed it in front,
    /// then those above it. Can be given several times.
    #[arg(long, value_name = "FILE")]
    alternate_chain: Vec<PathBuf>,
}

impl Serve {
    pub(super) async fn run(self, console: &mut Console) -> Done {
        let stop = interrupted();
        let devices = self.devices.read()?;
        let hosts = self.hosts.validation();
        if devices.is_none() && hosts.is_none() {
            return Err(Failure::input(
                "no order could be fulfilled",
                "take those of devices with --attestation-root, or those of host names with --http-01",
            ));
        }
        let opened = self.place.open(Limits::default().jws.bytes).await?;
        let (reporter, events) = events::channel();
        let site = self.site(&opened, devices, hosts, reporter);
        let Opened { web, store, .. } = opened;
        let done = async {
            let (site, listening) = site?;
            let running = Running {
                web,
                site: Arc::new(site),
                events,
                store: &store,
            };
            running.until(stop, &listening, console).await
        };
        let done = done.await;
        store.close().await;
        done
    }

    fn site(
        &self,
        opened: &Opened,
        devices: Option<(Known, Verifier)>,
        hosts: Option<HttpValidation>,
        reporter: Reporter,
    ) -> Result<(AcmeSite, Value), Failure> {
        let Opened {
            web,
            authority,
            store,
        } = opened;
        let profile = &self.place.profile;
        let books = Arc::new(store.clone());
        let mut ca = profile.authority(authority, books.clone(), |_| {})?;
        for file in &self.alternate_chain {
            ca = ca.alternate_chain(chain(file)?).map_err(|error| {
                let next = "give the authority's own certificate, signed by another one, in front, then those above it";
                Failure::input(format!("{}: {}", file.display(), one_line(&error)), next)
            })?;
        }
        let ca = Arc::new(ca);
        let (clock, base) = (Arc::new(SystemClock), self.base_url(web)?);
        let mut server = Server::builder(ca.clone(), books.clone(), books, clock, base)
            .policy(self.hosts.policy())
            .rate_limit(profile.rate_limit())
            .observer(Arc::new(reporter));
        if let Some((known, verifier)) = devices {
            server = server.devices(Arc::new(known), verifier);
        }
        if let Some(validation) = hosts {
            server = server.http(validation);
        }
        let server = server.build().map_err(|error| impossible(&error))?;
        let listening = listening(&server, web, authority)?;
        let pages = Pages::new(ca, authority)?;
        Ok((AcmeSite { server, pages }, listening))
    }

    fn base_url(&self, web: &Web) -> Result<Uri, Failure> {
        let url = match &self.place.profile.public_url {
            Some(url) => url.clone(),
            None => web.url().map_err(Failure::Output)?,
        };
        url.parse().map_err(|_| {
            let next = "give the server's address, such as https://ca.example.com";
            Failure::input("--public-url is no URL", next)
        })
    }
}

/// The certificates of a file.
fn chain(file: &Path) -> Result<Vec<Certificate>, Failure> {
    Certificate::stack_from_pem(&files::read(file)?).map_err(|error| {
        let next = "give a file of certificates in PEM";
        Failure::input(format!("{}: {}", file.display(), one_line(&error)), next)
    })
}

/// The first line: where the server is, and which authority it has.
fn listening(server: &Server, web: &Web, authority: &Authority) -> Result<Value, Failure> {
    let ca = &authority.issuer.certificate;
    let mut event = events::event("listening");
    event.insert("url".to_owned(), web.url().map_err(Failure::Output)?.into());
    event.insert("directory".to_owned(), server.directory_url().into());
    event.insert("ca".to_owned(), ca.subject().to_string().into());
    let sha256 = fingerprint(ca, DigestAlgorithm::Sha256);
    event.insert("fingerprint".to_owned(), sha256.into());
    Ok(Value::Object(event))
}
