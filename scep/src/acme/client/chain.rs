//! The certificate that came of an order (RFC 8555 section 9.1).

use bytes::Bytes;
use mdm_pki::{Certificate, PublicKey, pem};

use super::{Error, exchange::Answer};

/// The most chains of a certificate that are looked at beside the first.
pub const MAX_ALTERNATES: usize = 8;

/// The most certificates of a chain.
pub const MAX_CERTIFICATES: usize = 16;

/// A certificate and those above it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CertificateChain {
    /// The certificate of the CSR's key.
    pub leaf: Certificate,
    /// Those that came with it, each perhaps the issuer of the one before; the root mostly is not among them.
    pub issuers: Vec<Certificate>,
    /// Where the same certificate is with other chains.
    pub alternates: Vec<String>,
}

impl CertificateChain {
    pub(super) fn from_answer(answer: &Answer, key: &PublicKey) -> Result<Self, Error> {
        let alternates = answer.links("alternate").map(ToOwned::to_owned);
        Self::read(&answer.body, key, alternates.collect())
    }

    /// Reads a chain for this key: certificates and nothing else, the key's own first.
    fn read(body: &Bytes, key: &PublicKey, alternates: Vec<String>) -> Result<Self, Error> {
        let wrong = || Error::Content {
            expected: "certificate chain",
            body: body.clone(),
        };
        let blocks = pem::decode(body).map_err(|_| wrong())?;
        if blocks.len() > MAX_CERTIFICATES {
            return Err(wrong());
        }
        let mut certificates = blocks.into_iter().map(|block| {
            // RFC 8555 section 11.4: a key, for one, would be nobody's business.
            let only = (block.label == "CERTIFICATE").then_some(block.der);
            only.and_then(|der| Certificate::from_der(&der).ok())
                .ok_or_else(wrong)
        });
        let leaf = certificates.next().ok_or_else(wrong)??;
        let issuers = certificates.collect::<Result<_, _>>()?;
        if !leaf.public_key()?.same_key(key) {
            return Err(Error::Certificate("is of another key"));
        }
        Ok(Self {
            leaf,
            issuers,
            alternates,
        })
    }

    /// Whether an authority of this common name stands in the chain or above it: the subject of an issuer, or who issued the last.
    pub fn leads_to(&self, common_name: &str) -> bool {
        let last = self.issuers.last().unwrap_or(&self.leaf).issuer();
        let mut names = self.issuers.iter().map(Certificate::subject).chain([last]);
        names.any(|name| name.common_name().as_deref() == Some(common_name))
    }

    /// The whole chain in PEM, the leaf first.
    pub fn to_pem(&self) -> String {
        std::iter::once(&self.leaf)
            .chain(&self.issuers)
            .map(Certificate::to_pem)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};
    use mdm_pki::{CertificateBuilder, KeySpec, Name, PrivateKey};

    use super::*;

    #[test]
    fn a_chain_is_of_certificates_alone_and_begins_with_the_keys_own() {
        let key = PrivateKey::generate(KeySpec::P256).unwrap();
        let other = PrivateKey::generate(KeySpec::P256).unwrap();
        let certificate = |key: &PrivateKey| {
            CertificateBuilder::new(Name::from_common_name("x"), key.public_key())
                .validity(Utc::now(), Utc::now() + TimeDelta::days(1))
                .self_signed(key)
                .unwrap()
        };
        let (mine, above) = (certificate(&key).to_pem(), certificate(&other).to_pem());
        let read = |pem: &str| {
            let body = Bytes::from(pem.to_owned());
            CertificateChain::read(&body, key.public_key(), Vec::new())
        };
        let chain = read(&format!("{mine}\n{above}")).unwrap();
        assert_eq!(chain.issuers.len(), 1);
        assert_eq!(chain.to_pem(), format!("{mine}{above}"));
        assert!(chain.leads_to("x") && !chain.leads_to("y") && !chain.leads_to(""));
        assert!(matches!(
            read(&format!("{above}{mine}")),
            Err(Error::Certificate(_))
        ));
        let secret = key.to_pkcs8_pem().unwrap();
        for wrong in [
            String::new(),
            "<html>".to_owned(),
            format!("{mine}{}", *secret),
            mine.replace("CERTIFICATE", "X509 CRL"),
            pem::encode("CERTIFICATE", b"\x30\x00"),
            mine.repeat(MAX_CERTIFICATES + 1),
        ] {
            assert!(
                matches!(read(&wrong), Err(Error::Content { .. })),
                "{wrong}"
            );
        }
    }
}
