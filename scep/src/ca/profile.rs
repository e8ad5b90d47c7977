//! What certificates and revocation lists are like (RFC 5280, sections 4 and 5).

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use mdm_pki::{Certificate, GeneralName, KeyAlgorithm, KeyUsage, Oid, oid};

use crate::der::tlv;

/// What the issued certificates are like.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateProfile {
    /// From now to NotAfter: 365 days unless changed, and never past the issuer's or that of an authority above.
    pub validity: Duration,
    /// From NotBefore to now: ten minutes unless changed, because devices with a slow clock throw a
    /// certificate from the future away and have spent their challenge.
    pub backdate: Duration,
    /// What the key may be used for: signatures and key encipherment unless changed. What the kind of key cannot do
    /// is left out (RFC 5480, section 3; RFC 3279, section 2.3.1), and so is what only authorities do: an EC key
    /// never enciphers keys, an RSA key never agrees on one. A request whose key is left with nothing is refused.
    pub key_usage: KeyUsage,
    /// What the certificate is for: TLS clients unless changed. With an empty list it does not say.
    pub extended_key_usages: Vec<Oid>,
    /// What becomes of the alternative names in the request.
    pub subject_alt_names: SanRule,
    /// Where an [`ocsp::Responder`](crate::ocsp::Responder) answers for the certificate: `http` URLs for the extension
    /// authorityInfoAccess. None unless changed.
    pub ocsp_urls: Vec<String>,
    /// Where the issuer's certificate lies, for the same extension. None unless changed.
    pub issuer_urls: Vec<String>,
    /// Where the revocation list lies, which [`publish_crl`](super::publish_crl) answers with: URLs for the extension
    /// cRLDistributionPoints. None unless changed.
    pub crl_urls: Vec<String>,
}

impl CertificateProfile {
    /// The profile with changes.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// From when to when a certificate under this chain is valid.
    pub(super) fn window(
        &self,
        now: DateTime<Utc>,
        chain: &[Certificate],
    ) -> (DateTime<Utc>, DateTime<Utc>) {
        let delta = |duration| TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX);
        let not_before = now.checked_sub_signed(delta(self.backdate)).unwrap_or(now);
        let not_after = now
            .checked_add_signed(delta(self.validity))
            .unwrap_or(DateTime::<Utc>::MAX_UTC);
        let latest = chain.iter().map(Certificate::not_after).min();
        (
            not_before,
            latest.map_or(not_after, |latest| not_after.min(latest)),
        )
    }

    /// What a key of this kind may be used for; `None` if that is nothing.
    pub(super) fn usage_of(&self, key: KeyAlgorithm) -> Option<KeyUsage> {
        let authorities = KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN;
        let cannot = match key {
            KeyAlgorithm::Rsa { .. } => KeyUsage::KEY_AGREEMENT,
            _ => KeyUsage::KEY_ENCIPHERMENT | KeyUsage::DATA_ENCIPHERMENT,
        };
        let usage = self.key_usage.without(authorities | cannot);
        (usage != KeyUsage::default()).then_some(usage)
    }

    /// The extensions that say where more is to be had, with their values in DER.
    pub(super) fn places(&self) -> Vec<(Oid, Vec<u8>)> {
        let mut extensions = Vec::new();
        let access = |method: Oid, url: &String| {
            let method = tlv(0x06, method.as_bytes());
            tlv(0x30, &[method, uri(url)].concat())
        };
        let ocsp = self.ocsp_urls.iter().map(|url| access(OCSP, url));
        let issuers = self.issuer_urls.iter().map(|url| access(CA_ISSUERS, url));
        let accesses: Vec<u8> = ocsp.chain(issuers).flatten().collect();
        if !accesses.is_empty() {
            extensions.push((AUTHORITY_INFO_ACCESS, tlv(0x30, &accesses)));
        }
        if !self.crl_urls.is_empty() {
            // One point with several names: the same list at each of them (section 4.2.1.13).
            let names: Vec<u8> = self.crl_urls.iter().flat_map(|url| uri(url)).collect();
            let point = tlv(0x30, &tlv(0xa0, &tlv(0xa0, &names)));
            extensions.push((CRL_DISTRIBUTION_POINTS, tlv(0x30, &point)));
        }
        extensions
    }
}

impl Default for CertificateProfile {
    fn default() -> Self {
        Self {
            validity: Duration::from_secs(365 * 24 * 60 * 60),
            backdate: Duration::from_secs(10 * 60),
            key_usage: KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_ENCIPHERMENT,
            extended_key_usages: vec![oid::CLIENT_AUTH],
            subject_alt_names: SanRule::default(),
            ocsp_urls: Vec::new(),
            issuer_urls: Vec::new(),
            crl_urls: Vec::new(),
        }
    }
}

/// What becomes of the alternative names in a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SanRule {
    /// They are left out. A device chooses them freely, and elsewhere a principal name logs in.
    #[default]
    Omit,
    /// Those of these kinds are taken over as they are, the others left out.
    Only(Vec<SanKind>),
    /// They are taken over as they are.
    Copy,
}

impl SanRule {
    /// What is left of these names.
    pub(super) fn apply(&self, mut names: Vec<GeneralName>) -> Vec<GeneralName> {
        match self {
            Self::Omit => names.clear(),
            Self::Only(kinds) => names.retain(|name| kinds.contains(&SanKind::of(name))),
            Self::Copy => {}
        }
        names
    }
}

/// A kind of alternative name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SanKind {
    /// A host name.
    Dns,
    /// An e-mail address.
    Email,
    /// A URI.
    Uri,
    /// An IP address.
    Ip,
    /// A Microsoft user principal name: `ntPrincipalName` in Apple's SCEP payload.
    UserPrincipalName,
    /// A distinguished name.
    Directory,
    /// Anything else.
    Other,
}

impl SanKind {
    /// The kind of this name.
    pub fn of(name: &GeneralName) -> Self {
        match name {
            GeneralName::Dns(_) => Self::Dns,
            GeneralName::Email(_) => Self::Email,
            GeneralName::Uri(_) => Self::Uri,
            GeneralName::Ip(_) => Self::Ip,
            GeneralName::UserPrincipalName(_) => Self::UserPrincipalName,
            GeneralName::Directory(_) => Self::Directory,
            _ => Self::Other,
        }
    }
}

/// What the revocation lists are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CrlProfile {
    /// From thisUpdate to nextUpdate: seven days unless changed, and never past the issuer's NotAfter.
    pub lifetime: Duration,
    /// How long a list is handed out before another is signed, if nothing was revoked through this
    /// authority: five minutes unless changed. What other nodes revoke is listed that much later. That there is none,
    /// because too many are revoked, is looked into as seldom.
    pub reuse: Duration,
    /// The most certificates on a list: 10,000 unless changed, about half a megabyte. Where more are
    /// revoked there is no list, since one that leaves some out would be a lie.
    pub entries: usize,
}

impl CrlProfile {
    /// The profile with changes.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

impl Default for CrlProfile {
    fn default() -> Self {
        Self {
            lifetime: Duration::from_secs(7 * 24 * 60 * 60),
            reuse: Duration::from_secs(5 * 60),
            entries: 10_000,
        }
    }
}

/// A uniformResourceIdentifier among GeneralNames.
fn uri(url: &str) -> Vec<u8> {
    tlv(0x86, url.as_bytes())
}

const AUTHORITY_INFO_ACCESS: Oid = Oid::constant("1.3.6.1.5.5.7.1.1");
const CRL_DISTRIBUTION_POINTS: Oid = Oid::constant("2.5.29.31");
const OCSP: Oid = Oid::constant("1.3.6.1.5.5.7.48.1");
const CA_ISSUERS: Oid = Oid::constant("1.3.6.1.5.5.7.48.2");

#[cfg(test)]
mod tests {
    use mdm_pki::{CertificateBuilder, Curve, KeySpec, Name, PrivateKey};

    use super::*;

    #[test]
    fn a_certificate_outlives_no_authority_above_it() {
        let now = DateTime::UNIX_EPOCH;
        let key = PrivateKey::generate(KeySpec::P256).unwrap();
        let ending = |days| {
            CertificateBuilder::new(Name::from_common_name("CA"), key.public_key())
                .validity(now, now + TimeDelta::days(days))
                .self_signed(&key)
                .unwrap()
        };
        let profile = CertificateProfile::default();
        for (chain, days) in [
            (vec![ending(900), ending(800)], 365),
            (vec![ending(100), ending(800)], 100),
            (vec![ending(900), ending(50)], 50),
        ] {
            let (not_before, not_after) = profile.window(now, &chain);
            assert_eq!(not_before, now - TimeDelta::minutes(10));
            assert_eq!(not_after, now + TimeDelta::days(days));
        }
    }

    #[test]
    fn a_key_is_allowed_what_its_kind_can_do_and_no_authoritys_work() {
        let rsa = KeyAlgorithm::Rsa { bits: 2048 };
        let ec = KeyAlgorithm::Ec(Curve::P256);
        let both = CertificateProfile::default();
        let signs = KeyUsage::DIGITAL_SIGNATURE;
        assert_eq!(both.usage_of(rsa), Some(signs | KeyUsage::KEY_ENCIPHERMENT));
        assert_eq!(both.usage_of(ec), Some(signs));
        let all = both.with(|profile| {
            profile.key_usage = signs
                | KeyUsage::KEY_AGREEMENT
                | KeyUsage::DATA_ENCIPHERMENT
                | KeyUsage::KEY_CERT_SIGN
                | KeyUsage::CRL_SIGN;
        });
        assert_eq!(all.usage_of(ec), Some(signs | KeyUsage::KEY_AGREEMENT));
        assert_eq!(all.usage_of(rsa), Some(signs | KeyUsage::DATA_ENCIPHERMENT));
        let opens = all.with(|profile| profile.key_usage = KeyUsage::KEY_ENCIPHERMENT);
        assert_eq!(opens.usage_of(ec), None);
    }

    #[test]
    fn only_the_kinds_that_are_named_are_taken_over() {
        let names = vec![
            GeneralName::Dns("a.example".to_owned()),
            GeneralName::Email("a@example".to_owned()),
            GeneralName::UserPrincipalName("admin@example".to_owned()),
        ];
        assert_eq!(SanRule::Copy.apply(names.clone()), names);
        assert_eq!(SanRule::Omit.apply(names.clone()), []);
        let rule = SanRule::Only(vec![SanKind::Dns, SanKind::Uri]);
        assert_eq!(rule.apply(names.clone()), names[..1]);
    }
}
