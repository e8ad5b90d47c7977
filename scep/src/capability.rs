//! What a server can do, as GetCACaps lists it (RFC 8894 section 3.5.2), and what a client chooses
//! from the list.

use mdm_core::open_enum;

use crate::error::Error;

open_enum! {
    /// One keyword of the list.
    pub enum Capability {
        /// AES-128-CBC in envelopes.
        Aes = "AES",
        /// Triple DES in envelopes.
        Des3 = "DES3",
        /// The operation GetNextCACert.
        GetNextCaCert = "GetNextCACert",
        /// PKIOperation by POST.
        PostPkiOperation = "POSTPKIOperation",
        /// RenewalReq messages.
        Renewal = "Renewal",
        /// SHA-1 as digest.
        Sha1 = "SHA-1",
        /// SHA-256 as digest.
        Sha256 = "SHA-256",
        /// SHA-512 as digest.
        Sha512 = "SHA-512",
        /// AES, POST and SHA-256 together. Apple's client ignores it, so all three are listed too.
        ScepStandard = "SCEPStandard",
    }
}

/// The longest GetCACaps answer read, in bytes.
pub const MAX_BYTES: usize = 4096;

/// A server's capabilities, in the order listed, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities(Vec<Capability>);

impl Capabilities {
    /// No capability: to Apple's client a server of SHA-1, Triple DES and GET.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a GetCACaps body: keywords on lines that end in LF, CRLF or CR, unknown ones kept.
    ///
    /// # Errors
    /// [`Error::TooLarge`] over [`MAX_BYTES`], [`Error::Content`] for what is not lines of text.
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        if body.len() > MAX_BYTES {
            return Err(Error::TooLarge { limit: MAX_BYTES });
        }
        let text = std::str::from_utf8(body).map_err(|_| Error::content("capabilities", body))?;
        let text = text.trim_start_matches('\u{feff}');
        // A web page in place of the list is a misconfigured server, not one without capabilities.
        if text.trim_start().starts_with('<') {
            return Err(Error::content("capabilities", body));
        }
        Ok(text
            .split(['\r', '\n'])
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(Capability::from)
            .collect())
    }

    /// The body of a GetCACaps answer: one keyword a line, LF, no trailing space.
    pub fn to_text(&self) -> String {
        self.0
            .iter()
            .map(|capability| format!("{capability}\n"))
            .collect()
    }

    /// Adds a keyword, once.
    pub fn insert(&mut self, capability: Capability) {
        if !self.0.contains(&capability) {
            self.0.push(capability);
        }
    }

    /// Whether the keyword is listed.
    pub fn lists(&self, capability: &Capability) -> bool {
        self.0.contains(capability)
    }

    /// Whether the server can do it: listed, or implied by [`Capability::ScepStandard`].
    pub fn can(&self, capability: &Capability) -> bool {
        let implied = matches!(
            capability,
            Capability::Aes | Capability::PostPkiOperation | Capability::Sha256
        );
        self.lists(capability) || (implied && self.lists(&Capability::ScepStandard))
    }

    /// The keywords in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Capability> {
        self.0.iter()
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(keywords: I) -> Self {
        let mut capabilities = Self::new();
        for keyword in keywords {
            capabilities.insert(keyword);
        }
        capabilities
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_as_they_like_and_unknown_keywords_stay() {
        for body in [
            "AES\nSHA-256\nFancy\n",
            "AES\r\nSHA-256\r\nFancy",
            "\u{feff}AES \rSHA-256\r\n\r\nFancy\nAES",
        ] {
            let capabilities = Capabilities::parse(body.as_bytes()).unwrap();
            assert_eq!(capabilities.to_text(), "AES\nSHA-256\nFancy\n");
            assert!(capabilities.can(&Capability::Aes));
            assert!(!capabilities.can(&Capability::PostPkiOperation));
        }
    }

    #[test]
    fn keywords_are_case_sensitive_as_apples_client_reads_them() {
        assert!(!Capabilities::parse(b"aes").unwrap().can(&Capability::Aes));
    }

    #[test]
    fn scep_standard_implies_the_mandatory_set_and_no_more() {
        let capabilities = Capabilities::parse(b"SCEPStandard").unwrap();
        for capability in [
            Capability::Aes,
            Capability::PostPkiOperation,
            Capability::Sha256,
        ] {
            assert!(capabilities.can(&capability) && !capabilities.lists(&capability));
        }
        for capability in [
            Capability::Sha512,
            Capability::Renewal,
            Capability::Sha1,
            Capability::Des3,
        ] {
            assert!(!capabilities.can(&capability));
        }
    }

    #[test]
    fn a_web_page_binary_and_an_endless_list_are_refused() {
        assert!(matches!(
            Capabilities::parse(b" <!DOCTYPE html>"),
            Err(Error::Content { .. })
        ));
        assert!(matches!(
            Capabilities::parse(&[0xff, 0xfe]),
            Err(Error::Content { .. })
        ));
        let endless = vec![b'\n'; MAX_BYTES + 1];
        assert!(matches!(
            Capabilities::parse(&endless),
            Err(Error::TooLarge { .. })
        ));
        assert!(
            Capabilities::parse(&endless[1..])
                .unwrap()
                .to_text()
                .is_empty()
        );
    }
}
