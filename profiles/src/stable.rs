//! UUIDs that depend on content alone, so that the same input gives the same bytes.

use mdm_pki::{DigestAlgorithm, digest};
use uuid::Uuid;

/// Where the UUIDs of one vendor's, or one server's, profiles come from.
///
/// Two servers with different namespaces never give the same UUID to different profiles; one server
/// gives the same UUID to the same content, on every run and every machine (RFC 9562, version 5).
///
/// ```
/// use mdm_profiles::Namespace;
///
/// let namespace = Namespace::new("mdm.example.com")?;
/// assert_eq!(namespace.uuid(b"wifi")?, Namespace::new("mdm.example.com")?.uuid(b"wifi")?);
/// assert_ne!(namespace.uuid(b"wifi")?, Namespace::new("mdm.example.org")?.uuid(b"wifi")?);
/// # Ok::<(), mdm_pki::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Namespace(Uuid);

impl Namespace {
    /// A namespace named by text, such as the server's host name.
    ///
    /// # Errors
    /// [`mdm_pki::Error`] where OpenSSL refuses SHA-1 altogether.
    pub fn new(name: &str) -> Result<Self, mdm_pki::Error> {
        version_5(&Uuid::NAMESPACE_DNS, name.as_bytes()).map(Self)
    }

    /// A namespace that is a UUID already.
    pub const fn from_uuid(namespace: Uuid) -> Self {
        Self(namespace)
    }

    /// The namespace's own UUID.
    pub const fn as_uuid(&self) -> &Uuid {
        &self.0
    }

    /// The UUID of `content` in this namespace.
    ///
    /// # Errors
    /// [`mdm_pki::Error`] where OpenSSL refuses SHA-1 altogether.
    pub fn uuid(&self, content: &[u8]) -> Result<Uuid, mdm_pki::Error> {
        version_5(&self.0, content)
    }
}

/// RFC 9562, 5.5. The `uuid` crate's own version 5 would bring a second SHA-1 into the program.
fn version_5(namespace: &Uuid, name: &[u8]) -> Result<Uuid, mdm_pki::Error> {
    let input = [namespace.as_bytes(), name].concat();
    let hash = digest(DigestAlgorithm::Sha1, &input)?;
    let mut bytes = [0; 16];
    for (byte, hashed) in bytes.iter_mut().zip(hash) {
        *byte = hashed;
    }
    Ok(uuid::Builder::from_sha1_bytes(bytes).into_uuid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_5_agrees_with_the_example_of_rfc_9562() {
        let uuid = version_5(&Uuid::NAMESPACE_DNS, b"www.example.com").unwrap();
        assert_eq!(uuid.to_string(), "2ed6657d-e927-568b-95e1-2665a8aea6a2");
    }
}
