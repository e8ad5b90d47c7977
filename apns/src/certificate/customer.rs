//! The customer's part: a key, and the certificate signing request made with it.

use mdm_pki::{
    CertificateRequest, CertificateRequestBuilder, KeySpec, Name, PrivateKey, PublicKey,
    SignatureAlgorithm, Signer, oid,
};

use super::{UnfitKey, check_key};

/// The longest common name and organization, in characters (X.520, `ub-common-name`).
pub const MAX_NAME_CHARS: usize = 64;
/// The longest e-mail address, in bytes (RFC 5280, `ub-emailaddress-length`).
pub const MAX_EMAIL_BYTES: usize = 255;

/// A request for a push certificate: what a customer sends to the vendor of the MDM server.
///
/// The names in it are for people: Apple's portal puts its own subject, with the topic, into the
/// certificate. They are those that Keychain Access writes: common name, e-mail address, country.
///
/// ```
/// use mdm_apns::certificate::CustomerRequest;
///
/// let (key, request) = CustomerRequest::new("Example MDM push", "admin@example.com", "DE").generate()?;
/// request.verify()?;
/// assert_eq!(request.public_key()?, *key.public_key());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CustomerRequest {
    /// The common name (CN): 1 to 64 characters.
    pub common_name: String,
    /// Whom to reach (emailAddress): up to 255 bytes of ASCII with an `@`.
    pub email: String,
    /// The country (C): two letters.
    pub country: String,
    /// The organization (O), if it shall be named: 1 to 64 characters.
    pub organization: Option<String>,
}

/// Why no request could be made.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CustomerRequestError {
    /// A name cannot be part of a request.
    #[error("{field}: {reason}")]
    Invalid {
        /// Which.
        field: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Apple's portal does not take the key.
    #[error(transparent)]
    Key(#[from] UnfitKey),
    /// The key does not sign with SHA-256, or making or signing failed.
    #[error(transparent)]
    Pki(#[from] mdm_pki::Error),
}

impl CustomerRequest {
    /// A request with these names.
    pub fn new(
        common_name: impl Into<String>,
        email: impl Into<String>,
        country: impl Into<String>,
    ) -> Self {
        Self {
            common_name: common_name.into(),
            email: email.into(),
            country: country.into(),
            organization: None,
        }
    }

    /// Changes some of the names in place of a struct literal.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Makes a new key, RSA with 2048 bits, and the request with it.
    ///
    /// # Errors
    /// [`CustomerRequestError::Invalid`]; [`CustomerRequestError::Pki`] when OpenSSL fails.
    pub fn generate(&self) -> Result<(PrivateKey, CertificateRequest), CustomerRequestError> {
        self.subject()?;
        let key = PrivateKey::generate(KeySpec::Rsa2048)?;
        let request = self.sign(&key)?;
        Ok((key, request))
    }

    /// Signs the request with a key at hand.
    ///
    /// # Errors
    /// [`CustomerRequestError::Invalid`], [`CustomerRequestError::Key`],
    /// [`CustomerRequestError::Pki`].
    pub fn sign(&self, key: &PrivateKey) -> Result<CertificateRequest, CustomerRequestError> {
        Ok(self.builder(key.public_key())?.sign(key)?)
    }

    /// Signs the request with a key that lives elsewhere.
    ///
    /// # Errors
    /// As [`Self::sign`].
    pub async fn sign_with(
        &self,
        signer: &dyn Signer,
    ) -> Result<CertificateRequest, CustomerRequestError> {
        Ok(self.builder(signer.public_key())?.sign_with(signer).await?)
    }

    fn builder(&self, key: &PublicKey) -> Result<CertificateRequestBuilder, CustomerRequestError> {
        check_key(key)?;
        let builder = CertificateRequestBuilder::new(self.subject()?);
        Ok(builder.signature_algorithm(SignatureAlgorithm::RsaPkcs1Sha256))
    }

    fn subject(&self) -> Result<Name, CustomerRequestError> {
        check_text("common name", &self.common_name)?;
        let is_email = self.email.is_ascii()
            && self.email.len() <= MAX_EMAIL_BYTES
            && !self
                .email
                .bytes()
                .any(|byte| byte.is_ascii_control() || byte == b' ')
            && self
                .email
                .split_once('@')
                .is_some_and(|(user, host)| !user.is_empty() && !host.is_empty());
        if !is_email {
            return Err(invalid("e-mail address", "it is none, or over 255 bytes"));
        }
        let country = self.country.to_ascii_uppercase();
        if country.len() != 2 || !country.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(invalid("country", "it is not a code of two letters"));
        }
        let mut name = Name::builder().country(&country);
        if let Some(organization) = &self.organization {
            check_text("organization", organization)?;
            name = name.organization(organization);
        }
        Ok(name
            .common_name(&self.common_name)
            .attribute(oid::EMAIL_ADDRESS, &self.email)
            .build())
    }
}

fn check_text(field: &'static str, text: &str) -> Result<(), CustomerRequestError> {
    if text.trim().is_empty() {
        return Err(invalid(field, "it is empty"));
    }
    if text.chars().count() > MAX_NAME_CHARS {
        return Err(invalid(field, "it is over 64 characters"));
    }
    if text.chars().any(char::is_control) {
        return Err(invalid(field, "it holds a control character"));
    }
    Ok(())
}

fn invalid(field: &'static str, reason: &'static str) -> CustomerRequestError {
    CustomerRequestError::Invalid { field, reason }
}
