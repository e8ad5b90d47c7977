//! `enroll`: a key and a certificate for it, of a device that attests the key or of host names.

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use mdm_core::{Secret, SystemClock};
use mdm_pki::{GeneralName, KeySpec};
use mdm_scep::acme::{
    AcmeUrl, Client, Registration,
    client::{CertificateChain, Error, Offer, Session},
    identifier::{Identifier, IdentifierType},
    jws::ExternalAccountKey,
    resource::NewOrder,
};
use mdm_transport_reqwest::ReqwestTransport;
use mdmtool::{input, one_line};
use serde_json::json;
use tokio::sync::oneshot;

use super::{
    advice,
    answers::{Answers, Shown},
    order::OrderFile,
};
use crate::{
    attest,
    console::Console,
    failure::{Done, Failure},
    files::{self, Passphrase},
    issue::{
        names::{KeyKind, Subject},
        own::{self, Outcome},
    },
    kind::Kind,
    runtime::interrupted,
    text::{self, hex},
    web,
};

/// What a browser of no use sends to this program's own web server, in bytes.
const MAX_BODY: usize = 4096;

#[derive(Debug, Args)]
pub(super) struct Enroll {
    /// The URL of the server's directory: DirectoryURL of an ACME payload.
    #[arg(long, value_name = "URL")]
    directory: String,
    /// Trust the certificates in this file, PEM or DER, for the server's TLS, beside the system's.
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,
    /// Take a directory without TLS, for tests on one machine: whoever listens can answer in the server's place.
    #[arg(long)]
    insecure: bool,
    #[command(flatten)]
    account: Account,
    /// What the certificate is for: permanent-identifier:VALUE for a device, which is the ClientIdentifier of its
    /// payload, or dns:NAME, which may be given several times.
    #[arg(long = "identifier", value_name = "KIND:VALUE", required = true, value_parser = identifier)]
    identifiers: Vec<Identifier>,
    /// The subject, as in CN=device 7: empty if nothing is said. A server has its own mind about it.
    #[arg(long, value_name = "NAME")]
    subject: Option<Subject>,
    /// Where the private key goes. One that is there already is used, so that the same command goes on where
    /// another was interrupted.
    #[arg(long, value_name = "FILE")]
    key_out: PathBuf,
    /// What key to make: p256 if nothing is said.
    #[arg(long, value_name = "KIND")]
    key: Option<KeyKind>,
    #[command(flatten)]
    passphrase: Passphrase,
    #[command(flatten)]
    outcome: Outcome,
    /// Where the certificate goes with all that stand above it, PEM, as web servers want it.
    #[arg(long, value_name = "FILE")]
    chain_out: Option<PathBuf>,
    /// Take the chain that leads to the authority of this common name, if the server has several and one that does.
    #[arg(long, value_name = "NAME")]
    preferred_chain: Option<String>,
    #[command(flatten)]
    proof: Proof,
}

/// Who asks.
#[derive(Debug, Args)]
struct Account {
    /// The account's key, PEM or DER; one on P-256 is made if it is not there.
    #[arg(long, value_name = "FILE")]
    account_key: PathBuf,
    /// How to reach whoever holds the account, such as mailto:admin@example.com.
    #[arg(long = "contact", value_name = "URL")]
    contacts: Vec<String>,
    /// Agree to the terms of service that the server names.
    #[arg(long)]
    agree_tos: bool,
    /// The name of the key that the server's operator handed out, for servers that want one.
    #[arg(long, value_name = "NAME", requires = "eab_key_file")]
    eab_kid: Option<String>,
    /// That key, in base64url: the first line of this file, or - for standard input.
    #[arg(long, value_name = "FILE", requires = "eab_kid")]
    eab_key_file: Option<PathBuf>,
}

/// How the identifiers are proven.
#[derive(Debug, Args)]
struct Proof {
    /// The attestation of the key: attObj as CBOR, base64 or JSON, or - for standard input. Without it the token to
    /// attest the key for is told, and the same command with it goes on.
    #[arg(long, value_name = "FILE")]
    attestation: Option<PathBuf>,
    /// Answer as a device does that cannot attest.
    #[arg(long, conflicts_with = "attestation")]
    unattested: bool,
    /// Answer on this address and port for host names (http-01), to which port 80 of theirs has to lead.
    #[arg(long, value_name = "ADDRESS:PORT")]
    http_01: Option<std::net::SocketAddr>,
}

impl Enroll {
    pub(super) async fn run(self, console: &mut Console) -> Done {
        let stdin = [
            self.root.as_deref(),
            self.account.eab_key_file.as_deref(),
            self.passphrase.file(),
            self.proof.attestation.as_deref(),
        ];
        files::take_stdin_once(stdin.into_iter().flatten())?;
        self.outcome.must_be_free(self.chain_out.as_ref())?;
        let client = self.client()?;
        let registration = self.account.registration()?;
        let shown = Shown::default();
        let answers = self.proof.answers(&shown)?;
        let web = self.proof.listen().await?;
        let account = own::key(
            &self.account.account_key,
            None,
            KeySpec::P256,
            &self.passphrase,
        )?;
        let key = own::key(&self.key_out, self.key, KeySpec::P256, &self.passphrase)?;
        let subject = self.subject.as_ref().map(|subject| subject.0.clone());
        let names = alternative_names(&self.identifiers);
        let request = self
            .outcome
            .request(&key, &subject.unwrap_or_default(), &names, None)?;
        let certificate = self.outcome.certificate();
        let order = OrderFile::beside(certificate, &self.directory, &self.identifiers);

        let asked = async {
            let registered = client.register(Arc::new(account), &registration).await?;
            let session = &registered.session;
            self.complete(session, &order, &request, &answers).await
        };
        match (beside(web, shown, asked).await, answers.wanted()) {
            (Ok(chain), _) => {
                // First, so that the same command goes on where this cannot be written.
                if let Some(file) = &self.chain_out {
                    input::write_new(file, chain.to_pem().as_bytes())?;
                }
                let issuer = chain.issuers.first();
                let told = self.outcome.keep(&chain.leaf, issuer, &self.key_out)?;
                order.forget();
                console.answer(&told, || text::fields(&told, &[]))
            }
            (Err(Stopped::Server(Error::Solver(_))), Some(offer)) => self.wanting(&offer, console),
            (Err(Stopped::Server(error)), _) => {
                if error.is_refused() || matches!(error, Error::Order { .. }) {
                    order.forget();
                    self.outcome.forget();
                }
                Err(advice::of_server(&error))
            }
            (Err(Stopped::Here(failure)), _) => Err(failure),
        }
    }

    /// Takes up the order that was begun, or places one.
    async fn complete(
        &self,
        session: &Session<ReqwestTransport>,
        order: &OrderFile,
        request: &mdm_pki::CertificateRequest,
        answers: &Answers,
    ) -> Result<CertificateChain, Stopped> {
        let url = match order.begun() {
            Some(url) => url,
            None => {
                let placed = NewOrder::new(self.identifiers.iter().cloned());
                let placed = session.new_order(&placed).await?;
                order.keep(&placed.url)?;
                placed.url
            }
        };
        let chain = session.complete(&url, request, answers).await?;
        match &self.preferred_chain {
            Some(name) if !chain.leads_to(name) => {
                let other = session.alternate(&chain, |other| other.leads_to(name));
                Ok(other.await?.unwrap_or(chain))
            }
            _ => Ok(chain),
        }
    }

    /// Tells what the key has to be attested for.
    fn wanting(&self, offer: &Offer, console: &mut Console) -> Done {
        let document = json!({
            "identifier": offer.identifier.value,
            "token": offer.token,
            "freshness": hex(offer.freshness()),
            "key": self.key_out.display().to_string(),
        });
        console.answer(&document, || text::fields(&document, &[]))?;
        Err(Failure::told(
            Kind::Attestation,
            "the key has to be attested first",
            "have it attested with this freshness, which is the SHA-256 of the token, and go on with the same \
             command and --attestation; --unattested answers as a device does that cannot",
        ))
    }

    fn client(&self) -> Result<Client<ReqwestTransport>, Failure> {
        let url = match self.insecure {
            true => AcmeUrl::insecure(&self.directory),
            false => AcmeUrl::new(&self.directory),
        };
        let url = url.map_err(|error| advice::of_server(&error))?;
        let mut builder = ReqwestTransport::builder();
        if let Some(file) = &self.root {
            builder = builder.root(&files::read(file)?);
        }
        Ok(Client::new(builder.build()?, url, Arc::new(SystemClock)))
    }
}

impl Account {
    fn registration(&self) -> Result<Registration, Failure> {
        let external = match (&self.eab_kid, &self.eab_key_file) {
            (Some(kid), Some(file)) => {
                let key: Secret<String> = files::first_line(file)?;
                let key = ExternalAccountKey::from_base64url(kid.as_str(), key.expose());
                Some(key.map_err(|error| {
                    let next = "give name and key as the server's operator handed them out";
                    Failure::input(one_line(&error), next)
                })?)
            }
            _ => None,
        };
        Ok(Registration::new().with(|it| {
            it.contact.clone_from(&self.contacts);
            it.terms_of_service_agreed = self.agree_tos;
            it.external_account = external;
        }))
    }
}

impl Proof {
    fn answers(&self, shown: &Shown) -> Result<Answers, Failure> {
        let attestation = match &self.attestation {
            None => None,
            Some(file) => {
                let found = attest::att_obj(&files::read(file)?);
                Some(found.ok_or_else(|| {
                    let next = "give ACME's attObj: CBOR, base64, or the payload's JSON";
                    Failure::input(format!("{} holds no attestation", file.display()), next)
                })?)
            }
        };
        let shown = self.http_01.map(|_| shown.clone());
        Ok(Answers::new(attestation, self.unattested, shown))
    }

    async fn listen(&self) -> Result<Option<web::Web>, Failure> {
        match self.http_01 {
            None => Ok(None),
            Some(address) => Ok(Some(web::plain(address, MAX_BODY).await?)),
        }
    }
}

/// Asks while the web server, if there is one, shows what is to be seen, and until somebody interrupts.
async fn beside(
    web: Option<web::Web>,
    shown: Shown,
    asked: impl Future<Output = Result<CertificateChain, Stopped>>,
) -> Result<CertificateChain, Stopped> {
    let (done, stop) = oneshot::channel::<()>();
    let asked = async {
        let answer = tokio::select! {
            answer = asked => answer,
            () = interrupted() => {
                let next = "key and order stay; the same command goes on from there";
                Err(Failure::told(Kind::Interrupted, "interrupted", next).into())
            }
        };
        drop(done);
        answer
    };
    let served = async {
        if let Some(web) = web {
            web.serve(Arc::new(shown), async { drop(stop.await) }).await;
        }
    };
    tokio::join!(asked, served).0
}

/// Why there is no certificate: the server's doing, or something here.
enum Stopped {
    Server(Error),
    Here(Failure),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Server(error)
    }
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self::Here(failure)
    }
}

/// What the request names: the hosts; a device's identifier is the server's to write.
fn alternative_names(identifiers: &[Identifier]) -> Vec<GeneralName> {
    let hosts = identifiers
        .iter()
        .filter(|identifier| identifier.kind == IdentifierType::Dns);
    hosts
        .map(|host| GeneralName::Dns(host.value.clone()))
        .collect()
}

fn identifier(text: &str) -> Result<Identifier, &'static str> {
    let wrong = "an identifier is permanent-identifier:VALUE or dns:NAME";
    match text.split_once(':') {
        Some((_, "")) | None => Err(wrong),
        Some(("dns", name)) => Ok(Identifier::dns(name)),
        Some(("permanent-identifier", value)) => Ok(Identifier::permanent_identifier(value)),
        Some(_) => Err(wrong),
    }
}
