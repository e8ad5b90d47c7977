//! The client: Apple's order of operations over any transport, and every check that Apple's leaves out.

mod ca_certificates;
mod conversation;
mod enrolment;
pub mod requests;
mod url;

use std::sync::Arc;

use mdm_core::Clock;
use mdm_pki::{Certificate, RevocationList, cms::SignedData, random};
use mdm_transport::HttpTransport;

pub use self::{
    ca_certificates::{CaCertificates, CaTrust},
    enrolment::{Enrolled, Enrolment, Polling, Requester},
    requests::{CaCaps, CaCert, NextCaCert, PkiOperation},
    url::ScepUrl,
};
use self::{
    conversation::{Outgoing, Session},
    enrolment::Signing,
};
use crate::{
    attributes::{MessageType, TransactionId},
    capability::{Capabilities, Capability},
    error::Error,
    message::cms_limits,
    policy::Policy,
    subject::{IssuerAndSerial, IssuerAndSubject},
};

/// A SCEP client for one server. It keeps no state: an [`Enrolment`] has all that a retry needs.
#[derive(Debug)]
pub struct Client<T> {
    transport: T,
    url: ScepUrl,
    trust: CaTrust,
    clock: Arc<dyn Clock>,
    policy: Policy,
    ca: Option<String>,
}

impl<T: HttpTransport> Client<T> {
    /// A client of the server at `url`, which is believed as far as `trust` says.
    pub fn new(transport: T, url: ScepUrl, trust: CaTrust, clock: Arc<dyn Clock>) -> Self {
        Self {
            transport,
            url,
            trust,
            clock,
            policy: Policy::default(),
            ca: None,
        }
    }

    /// Which algorithms are taken from the server.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Which of the server's CAs is meant: the `Name` of a SCEP payload.
    #[must_use]
    pub fn ca(mut self, name: impl Into<String>) -> Self {
        self.ca = Some(name.into());
        self
    }

    /// Asks for the server's certificates and checks that they are the trusted ones.
    ///
    /// # Errors
    /// [`Error::Untrusted`], or that of the exchange.
    pub async fn ca_cert(&self) -> Result<CaCertificates, Error> {
        let request = CaCert.to_http(&self.url, self.ca.as_deref())?;
        let response = self.send(request, requests::MAX_CA_CERT).await?;
        CaCertificates::new(CaCert.from_http(response)?, &self.trust)
    }

    /// Asks what the server can do.
    ///
    /// # Errors
    /// That of the exchange.
    pub async fn ca_caps(&self) -> Result<Capabilities, Error> {
        let request = CaCaps.to_http(&self.url, self.ca.as_deref())?;
        let response = self.send(request, CaCaps::META.body_limit).await?;
        CaCaps.from_http(response)
    }

    /// Asks for the certificates that will take the present ones' place: GetNextCACert. They count only if
    /// a trusted CA signed them; the first CA among them is then the next one to trust.
    ///
    /// # Errors
    /// [`Error::Capability`] of a server that announces none; [`Error::Signer`] if no trusted CA signed, a
    /// registration authority for example; [`Error::Algorithm`] by policy; what went wrong.
    pub async fn next_ca_cert(&self) -> Result<CaCertificates, Error> {
        let ca = self.ca_cert().await?;
        if !self.ca_caps().await?.can(&Capability::GetNextCaCert) {
            return Err(Error::Capability(Capability::GetNextCaCert));
        }
        let request = NextCaCert.to_http(&self.url, self.ca.as_deref())?;
        let response = self.send(request, requests::MAX_CA_CERT).await?;
        let outer = NextCaCert.from_http(response)?.with_known(ca.all());
        let [signer] = outer.signers() else {
            return Err(Error::Missing("single signer"));
        };
        self.check_digest(signer.digest_algorithm())?;
        let by = signer.certificate().filter(|by| ca.issuers().contains(by));
        by.filter(|by| by.is_ca()).ok_or(Error::Signer)?;
        outer
            .verify_signature(signer, None)
            .map_err(|_| Error::Signature)?;
        let content = outer.content().ok_or(Error::Missing("certificates"))?;
        let next = SignedData::parse(content, &cms_limits(content.len()))?;
        let next = next.certificates().to_vec();
        if next.len() > requests::MAX_CERTIFICATES {
            return Err(Error::Missing("bounded list of certificates"));
        }
        let anchor = next
            .iter()
            .find(|next| next.is_ca())
            .ok_or(Error::Missing("CA certificate"))?;
        let trust = CaTrust::Certificate(Box::new(anchor.clone()));
        CaCertificates::new(next, &trust)
    }

    /// Gets a certificate: GetCACert, GetCACaps, then PKIOperation with PKCSReq, in Apple's order; or with
    /// RenewalReq, of a server that lists `Renewal`.
    ///
    /// The answer counts only if the server of GetCACert signed it, it repeats transaction and nonce,
    /// and the certificate in it has the enrolment's key and the trusted issuer. After an error
    /// that is [temporary](Error::is_temporary) the same `enrolment` may be tried again: it is the
    /// same request to the server.
    ///
    /// # Errors
    /// [`Error::Refused`] with the server's reason, [`Error::Pending`], or what went wrong.
    pub async fn enrol(&self, enrolment: &Enrolment) -> Result<Enrolled, Error> {
        let session = self.session().await?;
        self.request(&session, enrolment).await
    }

    /// Gets a certificate as [`enrol`](Self::enrol) does, and where the server wants to be asked again,
    /// asks again as Apple's client does: at once, then after each delay, by the client's clock.
    ///
    /// # Errors
    /// As for [`enrol`](Self::enrol); [`Error::Pending`] if it still is after the last time.
    pub async fn enrol_patiently(
        &self,
        enrolment: &Enrolment,
        polling: Polling,
    ) -> Result<Enrolled, Error> {
        let session = self.session().await?;
        let mut outcome = self.request(&session, enrolment).await;
        for attempt in 0..=polling.retries {
            if !matches!(outcome, Err(Error::Pending { .. })) {
                break;
            }
            if attempt > 0 {
                self.clock.sleep(polling.retry_delay).await;
            }
            outcome = self.ask_again(&session, enrolment).await;
        }
        outcome
    }

    /// Asks once whether a pending request has been decided on: CertPoll (RFC 8894 section 3.3.3).
    ///
    /// # Errors
    /// As for [`enrol`](Self::enrol).
    pub async fn poll(&self, enrolment: &Enrolment) -> Result<Enrolled, Error> {
        let session = self.session().await?;
        self.ask_again(&session, enrolment).await
    }

    async fn request(&self, session: &Session, enrolment: &Enrolment) -> Result<Enrolled, Error> {
        let message_type = match enrolment.signer() {
            Signing::Temporary(_) => MessageType::PkcsReq,
            Signing::Renewed(_) if !session.capabilities.can(&Capability::Renewal) => {
                return Err(Error::Capability(Capability::Renewal));
            }
            Signing::Renewed(_) => MessageType::RenewalReq,
        };
        self.exchange(session, enrolment, message_type, enrolment.csr().to_der())
            .await
    }

    async fn ask_again(&self, session: &Session, enrolment: &Enrolment) -> Result<Enrolled, Error> {
        let about = IssuerAndSubject {
            issuer: session.ca.issuing_name(),
            subject: enrolment.csr().subject(),
        };
        self.exchange(session, enrolment, MessageType::CertPoll, &about.to_der())
            .await
    }

    async fn exchange(
        &self,
        session: &Session,
        enrolment: &Enrolment,
        message_type: MessageType,
        content: &[u8],
    ) -> Result<Enrolled, Error> {
        let signer = match enrolment.signer() {
            Signing::Temporary(subject) => self.temporary_signer(enrolment.key(), subject)?,
            Signing::Renewed(old) => old.0.clone(),
        };
        let outgoing = Outgoing {
            message_type,
            transaction_id: enrolment.transaction_id(),
            signer: &signer,
            key: enrolment.signing_key(),
            password: enrolment.csr().challenge_password(),
            content,
            limit: requests::MAX_PKI_MESSAGE,
        };
        let issued = self.converse(session, outgoing).await?;
        let key = enrolment.key().public_key();
        let certificate = issued
            .certificates()
            .iter()
            .find(|certificate| certificate.public_key().is_ok_and(|of| of.same_key(key)))
            .ok_or(Error::Certificate("is of another key"))?;
        let issuer = session
            .ca
            .issuer_of(certificate)
            .ok_or(Error::Certificate("is of another issuer"))?;
        Ok(Enrolled::new(certificate.clone(), issuer.clone()))
    }

    /// Asks for a certificate by its serial number (the content of its DER INTEGER): GetCert.
    ///
    /// # Errors
    /// [`Error::Refused`] with `badCertId` for one that the server does not know; what went wrong.
    pub async fn certificate(
        &self,
        requester: &Requester,
        serial: &[u8],
    ) -> Result<Certificate, Error> {
        let session = self.session().await?;
        let limit = requests::MAX_PKI_MESSAGE;
        let found = self
            .query(&session, requester, MessageType::GetCert, serial, limit)
            .await?;
        let [certificate] = found.certificates() else {
            return Err(Error::Missing("single certificate"));
        };
        if certificate.serial() != serial {
            return Err(Error::Certificate("is of another serial number"));
        }
        if session.ca.issuer_of(certificate).is_none() {
            return Err(Error::Certificate("is of another issuer"));
        }
        Ok(certificate.clone())
    }

    /// Asks for the revocation list that covers the certificate of this serial number: GetCRL. The list is
    /// of a trusted issuer and current by the client's clock.
    ///
    /// # Errors
    /// [`Error::Refused`] with the server's reason; [`Error::RevocationList`] for a list that is not to be
    /// believed; what went wrong.
    pub async fn revocation_list(
        &self,
        requester: &Requester,
        serial: &[u8],
    ) -> Result<RevocationList, Error> {
        let session = self.session().await?;
        let limit = requests::MAX_CRL;
        let found = self
            .query(&session, requester, MessageType::GetCrl, serial, limit)
            .await?;
        let [list] = found.crls() else {
            return Err(Error::Missing("single revocation list"));
        };
        let list = RevocationList::from_der(list, requests::MAX_CRL_ENTRIES)?;
        let issuers = session.ca.issuers();
        if !issuers
            .iter()
            .any(|issuer| list.verify_signed_by(issuer).is_ok())
        {
            return Err(Error::RevocationList("is of another issuer"));
        }
        if !list.is_current_at(self.clock.now()) {
            return Err(Error::RevocationList("is not current"));
        }
        Ok(list)
    }

    async fn query(
        &self,
        session: &Session,
        requester: &Requester,
        message_type: MessageType,
        serial: &[u8],
        limit: usize,
    ) -> Result<SignedData, Error> {
        let about = IssuerAndSerial {
            issuer: session.ca.issuing_name(),
            serial: serial.to_vec(),
        };
        let outgoing = Outgoing {
            message_type,
            transaction_id: &TransactionId::new(hex::encode_upper(random::<16>()?))?,
            signer: requester.certificate(),
            key: requester.key(),
            password: None,
            content: &about.to_der(),
            limit,
        };
        self.converse(session, outgoing).await
    }
}
