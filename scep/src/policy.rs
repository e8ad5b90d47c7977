//! Which algorithms and keys are taken. MD5 is not among the choices: it is neither read nor written.
//! DES is never written, in any form.

use std::time::Duration;

use mdm_pki::DigestAlgorithm;

/// What a client or a server takes from its peer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// Whether SHA-1 may sign messages. Off unless changed.
    pub sha1: bool,
    /// Whether Triple DES may be read in envelopes. Off unless changed; it is never written.
    pub triple_des: bool,
    /// Whether single DES may be read in envelopes, which needs OpenSSL's legacy provider. Off unless
    /// changed; it is never written, and an answer to it is in AES. micromdm's client and server send it,
    /// whatever their peer offers, and SHA-1 beside it.
    pub legacy_des: bool,
    /// The smallest RSA key that gets a certificate, in bits: 2048 unless changed. A SCEP payload
    /// without `Keysize` makes 1024-bit keys, which needs a lower bound here or `Keysize` there.
    pub min_rsa_bits: usize,
    /// The largest RSA key that gets a certificate, in bits: 8192 unless changed.
    pub max_rsa_bits: usize,
    /// Whether EC keys (P-256, P-384, P-521) get a certificate: yes unless changed. What answers such a key is encrypted with
    /// the challenge in the request (RFC 8894 section 3.1), and one without a challenge is refused.
    pub ec_keys: bool,
    /// How many iterations of PBKDF2 make that encryption's key: 10,000 unless changed; fewer than 1000 count as 1000. A
    /// random challenge needs no more; where people think up challenges, whoever captures an answer can try them.
    pub password_iterations: u32,
    /// Whether a PKCSReq with a challenge may be signed by a self-signed certificate of another key than the CSR's, made for this
    /// one message. Off unless changed: RFC 8894 sections 2.3 and 3.1 want the CSR's own key there. Macs of 2016 made another one
    /// ("MDM SCEP SIGNER"), and so do device simulators that were written against micromdm's servers, such as mdmb.
    ///
    /// What proves possession then is the CSR's own signature alone, which is verified as ever; both keys have to be of the
    /// allowed kinds. The danger is that nothing binds the message to its envelope any more: whoever catches one can sign it anew
    /// under another transaction, and has it spend the challenge of the device, which is then refused. They get the device's
    /// certificate, since the answer is encrypted to the message's signer, but never its key. A request that waits cannot be
    /// polled for, only sent again, since a CertPoll has to be signed by the CSR's key. Renewals are not touched.
    pub throwaway_signer: bool,
    /// Whether GetCert and GetCRL are answered: yes unless changed.
    pub queries: bool,
    /// Whether a certificate renews itself, by RenewalReq or by a PKCSReq that it signs: yes unless changed. Apple's client
    /// never does so; it asks again with a challenge. A certificate that names a device as ACME does never renews itself here:
    /// its key was attested, and the next one would not be. One for host names that ACME has proven does, without another
    /// proof: where one authority serves both protocols, that may be a reason to switch this off.
    pub renewal: bool,
    /// How long before its end a certificate renews itself at the earliest: at any time unless set.
    pub renewal_window: Option<Duration>,
}

impl Policy {
    /// The policy with changes.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Whether this digest may be used in a message's signature.
    pub fn allows_digest(&self, digest: DigestAlgorithm) -> bool {
        match digest {
            DigestAlgorithm::Sha256 | DigestAlgorithm::Sha384 | DigestAlgorithm::Sha512 => true,
            DigestAlgorithm::Sha1 => self.sha1,
            _ => false,
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            sha1: false,
            triple_des: false,
            legacy_des: false,
            min_rsa_bits: 2048,
            max_rsa_bits: 8192,
            ec_keys: true,
            password_iterations: 10_000,
            throwaway_signer: false,
            queries: true,
            renewal: true,
            renewal_window: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_digests_are_off_and_md5_stays_off() {
        let policy = Policy::default();
        assert!(policy.allows_digest(DigestAlgorithm::Sha256));
        assert!(policy.allows_digest(DigestAlgorithm::Sha512));
        assert!(!policy.allows_digest(DigestAlgorithm::Sha1));
        let lenient = policy.with(|policy| policy.sha1 = true);
        assert!(lenient.allows_digest(DigestAlgorithm::Sha1));
        assert!(!lenient.allows_digest(DigestAlgorithm::Md5));
    }
}
