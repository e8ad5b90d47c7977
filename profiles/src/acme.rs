//! What an ACME payload needs beside its table: the key that Apple attests.

use mdm_core::Secret;

use crate::payload::acme_certificate::{AcmeCertificate, KeyType};

impl AcmeCertificate {
    /// A P-384 key in the Secure Enclave, which Apple attests to the server at `url`.
    ///
    /// `client_identifier` tells the server which device asks, and is good for one certificate.
    ///
    /// ```
    /// use mdm_profiles::payload::AcmeCertificate;
    ///
    /// let acme = AcmeCertificate::attested("https://mdm.example.com/acme/directory", "once")
    ///     .common_name("%SerialNumber%");
    /// assert_eq!((acme.attest, acme.hardware_bound), (Some(true), true));
    /// ```
    pub fn attested(url: impl Into<String>, client_identifier: impl Into<String>) -> Self {
        let identifier = Secret::new(client_identifier.into());
        Self::new(
            url,
            identifier,
            384,
            KeyType::EcsecPrimeRandom,
            true,
            Vec::new(),
        )
        .with(|acme| acme.attest = Some(true))
    }

    /// Adds a common name to the subject; it may hold a variable such as `%SerialNumber%`, which the
    /// device fills in.
    #[must_use]
    pub fn common_name(self, name: impl Into<String>) -> Self {
        let pair = vec!["CN".to_owned(), name.into()];
        self.with(|acme| acme.subject.push(vec![pair]))
    }
}
