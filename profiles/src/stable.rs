//! UUIDs that depend on content alone, so that the same input gives the same bytes.

use uuid::Uuid;

/// Where the UUIDs of one vendor's, or one server's, profiles come from.
///
/// Two servers with different namespaces never give the same UUID to different profiles; one server
/// gives the same UUID to the same content, on every run and every machine (RFC 9562, version 5).
/// It is a name and proves nothing about the content.
///
/// ```
/// use mdm_profiles::Namespace;
///
/// let namespace = Namespace::new("mdm.example.com");
/// assert_eq!(namespace.uuid(b"wifi"), Namespace::new("mdm.example.com").uuid(b"wifi"));
/// assert_ne!(namespace.uuid(b"wifi"), Namespace::new("mdm.example.org").uuid(b"wifi"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Namespace(Uuid);

impl Namespace {
    /// A namespace named by text, such as the server's host name.
    pub fn new(name: &str) -> Self {
        Self(Uuid::new_v5(&Uuid::NAMESPACE_DNS, name.as_bytes()))
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
    pub fn uuid(&self, content: &[u8]) -> Uuid {
        // OpenSSL's SHA-1 takes a third of the time.
        #[cfg(feature = "crypto")]
        if let Ok(digest) = mdm_pki::digest(
            mdm_pki::DigestAlgorithm::Sha1,
            &[self.0.as_bytes(), content].concat(),
        ) && let Some(digest) = digest.first_chunk()
        {
            return uuid::Builder::from_sha1_bytes(*digest).into_uuid();
        }
        Uuid::new_v5(&self.0, content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_that_of_the_example_of_rfc_9562() {
        let uuid = Namespace::new("www.example.com");
        let known = "2ed6657d-e927-568b-95e1-2665a8aea6a2";
        assert_eq!(uuid.as_uuid().to_string(), known);
    }

    #[test]
    fn content_decides_the_uuid_on_every_machine() {
        let uuid = Namespace::new("mdm.example.com").uuid(b"wifi");
        assert_eq!(uuid.to_string(), "3038e771-c6fe-586c-8039-9c8fa610f513");
    }
}
