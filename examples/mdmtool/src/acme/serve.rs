//! `serve`: an ACME server with an authority of its own.

use std::sync::Arc;

use chrono::Utc;
use clap::Args;
use http::Uri;
use mdm_core::SystemClock;
use mdm_pki::{DigestAlgorithm, attestation::Verifier};
use mdm_scep::acme::{HttpValidation, Limits, Server};
use mdm_storage::sqlite::SqliteStore;
use mdm_transport_reqwest::ReqwestTransport;
use serde_json::Value;

use super::{
    devices::{Devices, Known},
    site::AcmeSite,
};
use crate::{
    certificate::fingerprint,
    console::Console,
    failure::{Done, Failure},
    issue::{
        authority::{Authority, AuthorityFiles, impossible},
        books::Books,
        events::{self, Reporter},
        pages::Pages,
        profile::Profile,
        running::Running,
    },
    runtime::interrupted,
    web::{Listen, Web},
};

#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    listen: Listen,
    #[command(flatten)]
    books: Books,
    #[command(flatten)]
    authority: AuthorityFiles,
    #[command(flatten)]
    devices: Devices,
    /// Take orders of host names, and look for the proof on their web servers (http-01). Whoever orders may have this
    /// machine ask any address that a name leads to.
    #[arg(long)]
    http_01: bool,
    /// The port of those web servers; another one than 80 for tests alone.
    #[arg(long, value_name = "PORT", requires = "http_01", default_value_t = 80)]
    http_01_port: u16,
    #[command(flatten)]
    profile: Profile,
}

impl Serve {
    pub(super) async fn run(self, console: &mut Console) -> Done {
        let stop = interrupted();
        let limits = Limits::default();
        // First, so that no authority is made for a server that cannot be.
        let web = self
            .listen
            .bind(self.authority.passphrase(), limits.jws.bytes)
            .await?;
        let devices = self.devices.read()?;
        if devices.is_none() && !self.http_01 {
            return Err(Failure::input(
                "no order could be fulfilled",
                "take those of devices with --attestation-root, or those of host names with --http-01",
            ));
        }
        let authority = self.authority.open(Utc::now())?;
        let store = self.books.open_or_make().await?;
        let (reporter, events) = events::channel();
        let site = self.site(&web, &authority, &store, devices, reporter);
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
        web: &Web,
        authority: &Authority,
        store: &SqliteStore,
        devices: Option<(Known, Verifier)>,
        reporter: Reporter,
    ) -> Result<(AcmeSite, Value), Failure> {
        let books = Arc::new(store.clone());
        let ca = self.profile.authority(authority, books.clone(), |_| {})?;
        let (clock, base) = (Arc::new(SystemClock), self.base_url(web)?);
        let mut server = Server::builder(ca.clone(), books.clone(), books, clock, base)
            .rate_limit(self.profile.rate_limit())
            .observer(Arc::new(reporter));
        if let Some((known, verifier)) = devices {
            server = server.devices(Arc::new(known), verifier);
        }
        if self.http_01 {
            let transport = ReqwestTransport::builder().build()?;
            let port = self.http_01_port;
            let validation = HttpValidation::new(Arc::new(transport)).with(|it| it.port = port);
            server = server.http(validation);
        }
        let server = server.build().map_err(|error| impossible(&error))?;
        let listening = listening(&server, web, authority)?;
        let pages = Pages::new(ca, authority)?;
        Ok((AcmeSite { server, pages }, listening))
    }

    fn base_url(&self, web: &Web) -> Result<Uri, Failure> {
        let url = match &self.profile.public_url {
            Some(url) => url.clone(),
            None => web.url().map_err(Failure::Output)?,
        };
        url.parse().map_err(|_| {
            let next = "give the server's address, such as https://ca.example.com";
            Failure::input("--public-url is no URL", next)
        })
    }
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
