//! Managed Device Attestation as Apple's servers do it: chains for keys of devices, with every property in every form,
//! and with every defect. DER and CBOR are written here byte by byte, and read nowhere.

pub mod cbor;
mod x509;

use chrono::{DateTime, TimeDelta, Utc};
use mdm_pki::{DigestAlgorithm, Error, KeySpec, PrivateKey, PublicKey, SignatureAlgorithm, digest};
use x509::{Draft, Holder, tlv};

/// Apple's root and the authority below it, made anew, with Apple's names.
///
/// ```
/// use mdm_fake_apple::attestation::{AttestationAuthority, Defect, Form, Kind};
/// use mdm_pki::{KeySpec, PrivateKey};
///
/// let apple = AttestationAuthority::new(chrono::Utc::now())?;
/// let key = PrivateKey::generate(KeySpec::P384)?;
/// let leaf = apple.leaf(key.public_key()).acme("evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ").healthy_mac();
/// let att_obj: Vec<u8> = leaf.cbor()?;
/// let chain: Vec<Vec<u8>> = leaf.clone().property(Kind::Sip, Form::Integer, "1").chain()?;
/// let replayed = leaf.defect(Defect::OtherFreshness).cbor()?;
/// # assert!(att_obj.len() > 500 && chain.len() == 2 && replayed != att_obj);
/// # Ok::<(), mdm_pki::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct AttestationAuthority {
    now: DateTime<Utc>,
    root: Holder,
    sub: Holder,
}

/// A property of the device that Apple attests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The serial number.
    SerialNumber,
    /// The UDID.
    Udid,
    /// In Apple's list and nowhere described: …8.9.3.
    Undescribed,
    /// The SoftwareUpdateDeviceID.
    SoftwareUpdateDeviceId,
    /// The system's version.
    OsVersion,
    /// The version of the Secure Enclave's system.
    SepOsVersion,
    /// The version of the Low-Level Bootloader.
    LlbVersion,
    /// What the server asked for.
    Freshness,
    /// System Integrity Protection: 0 is on.
    Sip,
    /// The security policy of the startup disk.
    SecureBoot,
    /// Kernel extensions of third parties: 0 is none.
    ThirdPartyKexts,
    /// In Apple's list and nowhere described: …8.13.4.
    AlsoUndescribed,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::SerialNumber,
        Self::Udid,
        Self::Undescribed,
        Self::SoftwareUpdateDeviceId,
        Self::OsVersion,
        Self::SepOsVersion,
        Self::LlbVersion,
        Self::Freshness,
        Self::Sip,
        Self::SecureBoot,
        Self::ThirdPartyKexts,
        Self::AlsoUndescribed,
    ];

    /// The extension's object identifier.
    pub fn oid(self) -> &'static str {
        match self {
            Self::SerialNumber => "1.2.840.113635.100.8.9.1",
            Self::Udid => "1.2.840.113635.100.8.9.2",
            Self::Undescribed => "1.2.840.113635.100.8.9.3",
            Self::SoftwareUpdateDeviceId => "1.2.840.113635.100.8.9.4",
            Self::OsVersion => "1.2.840.113635.100.8.10.1",
            Self::SepOsVersion => "1.2.840.113635.100.8.10.2",
            Self::LlbVersion => "1.2.840.113635.100.8.10.3",
            Self::Freshness => "1.2.840.113635.100.8.11.1",
            Self::Sip => "1.2.840.113635.100.8.13.1",
            Self::SecureBoot => "1.2.840.113635.100.8.13.2",
            Self::ThirdPartyKexts => "1.2.840.113635.100.8.13.3",
            Self::AlsoUndescribed => "1.2.840.113635.100.8.13.4",
        }
    }
}

/// How a value stands inside the extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Form {
    /// The bare ASCII text.
    Raw,
    /// A UTF8String.
    Utf8,
    /// A PrintableString.
    Printable,
    /// An IA5String.
    Ia5,
    /// An OCTET STRING around the bare text.
    Octets,
    /// An INTEGER of one byte; the text is the number, and what is none becomes 127.
    Integer,
    /// Nothing at all.
    Blank,
    /// A UTF8String of spaces.
    Spaces,
}

impl Form {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Raw,
        Self::Utf8,
        Self::Printable,
        Self::Ia5,
        Self::Octets,
        Self::Integer,
        Self::Blank,
        Self::Spaces,
    ];

    /// The bytes of a text in this form.
    pub fn bytes(self, text: &str) -> Vec<u8> {
        let text = text.as_bytes();
        match self {
            Self::Raw => text.to_vec(),
            Self::Utf8 => tlv(0x0c, text),
            Self::Printable => tlv(0x13, text),
            Self::Ia5 => tlv(0x16, text),
            Self::Octets => tlv(0x04, text),
            Self::Integer => {
                let number = std::str::from_utf8(text)
                    .ok()
                    .and_then(|it| it.parse().ok());
                tlv(0x02, &[number.unwrap_or(127_i8) as u8])
            }
            Self::Blank => Vec::new(),
            Self::Spaces => tlv(0x0c, b"   "),
        }
    }
}

/// What may be wrong with a chain. Each but [`Self::BlankSerial`] is refused by a verifier that looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Defect {
    /// The device's certificate is over.
    Expired,
    /// The device's certificate is not valid yet.
    NotYetValid,
    /// The authority above it is over.
    SubCaExpired,
    /// There is no freshness.
    NoFreshness,
    /// The freshness is that of another question.
    OtherFreshness,
    /// The right freshness stands in an OCTET STRING of its own, as it does not at Apple's.
    WrappedFreshness,
    /// The freshness stands there twice, the wrong one behind the right one.
    TwoFreshnesses,
    /// The serial number is there and empty.
    BlankSerial,
    /// Issued with the key of another, genuine device certificate, which stands in between.
    SignedByLeaf,
    /// The same names under a root that somebody else made.
    UnknownRoot,
    /// For another key than the one asked for.
    OtherKey,
    /// The signature is another.
    BadSignature,
    /// The device's certificate says that it is an authority.
    LeafIsAuthority,
    /// The authority above does not say that it is one.
    SubCaIsNone,
    /// Signed with SHA-1.
    Sha1,
    /// The authority above did not come along.
    NoSubCa,
    /// The authority above comes first.
    Swapped,
    /// A certificate that has nothing to do with it follows.
    Stray,
}

impl Defect {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Expired,
        Self::NotYetValid,
        Self::SubCaExpired,
        Self::NoFreshness,
        Self::OtherFreshness,
        Self::WrappedFreshness,
        Self::TwoFreshnesses,
        Self::BlankSerial,
        Self::SignedByLeaf,
        Self::UnknownRoot,
        Self::OtherKey,
        Self::BadSignature,
        Self::LeafIsAuthority,
        Self::SubCaIsNone,
        Self::Sha1,
        Self::NoSubCa,
        Self::Swapped,
        Self::Stray,
    ];
}

impl AttestationAuthority {
    /// Makes a root and the authority below it, both valid for years around `now`.
    ///
    /// # Errors
    /// If OpenSSL fails.
    pub fn new(now: DateTime<Utc>) -> Result<Self, Error> {
        let root = Holder::new("Apple Enterprise Attestation Root CA")?;
        let draft = Draft::new(&root.name, root.key.public_key(), years(now, -4, 21));
        let root = root.certified(draft.authority(), None)?;
        let sub = sub_ca(&root, |draft| draft, years(now, -4, 6))?;
        Ok(Self { now, root, sub })
    }

    /// The root certificate in DER.
    pub fn root(&self) -> &[u8] {
        &self.root.der
    }

    /// Begins a certificate for a device's key: valid for 90 days, without any property.
    pub fn leaf(&self, key: &PublicKey) -> Leaf<'_> {
        Leaf {
            authority: self,
            key: key.clone(),
            values: Vec::new(),
            validity: (
                self.now - TimeDelta::minutes(5),
                self.now + TimeDelta::days(90),
            ),
            with_root: false,
            defect: None,
        }
    }
}

/// A device's certificate that is being made.
#[derive(Debug, Clone)]
#[must_use]
pub struct Leaf<'a> {
    authority: &'a AttestationAuthority,
    key: PublicKey,
    values: Vec<(String, Vec<u8>)>,
    validity: (DateTime<Utc>, DateTime<Utc>),
    with_root: bool,
    defect: Option<Defect>,
}

impl Leaf<'_> {
    /// Answers the token of an ACME challenge: the SHA-256 of its text is the freshness.
    pub fn acme(self, token: &str) -> Self {
        // SHA-256 is always there.
        let hash = digest(DigestAlgorithm::Sha256, token.as_bytes()).unwrap_or_default();
        self.extension(Kind::Freshness.oid(), &hash)
    }

    /// Answers the nonce of a DeviceInformation command, which is the freshness.
    pub fn nonce(self, nonce: &[u8]) -> Self {
        self.extension(Kind::Freshness.oid(), nonce)
    }

    /// Names the serial number.
    pub fn serial(self, serial: &str) -> Self {
        self.property(Kind::SerialNumber, Form::Raw, serial)
    }

    /// Names the UDID.
    pub fn udid(self, udid: &str) -> Self {
        self.property(Kind::Udid, Form::Raw, udid)
    }

    /// Names all that Apple names of a Mac that is as it should be.
    pub fn healthy_mac(self) -> Self {
        self.serial("C02AAAAAAAAA")
            .udid("00008103-000A11223344001E")
            .property(Kind::SoftwareUpdateDeviceId, Form::Raw, "J413AP")
            .property(Kind::OsVersion, Form::Raw, "15.1")
            .property(Kind::SepOsVersion, Form::Raw, "22.1")
            .property(Kind::LlbVersion, Form::Raw, "15.1")
            .property(Kind::Sip, Form::Integer, "0")
            .property(Kind::SecureBoot, Form::Raw, "Full Security")
            .property(Kind::ThirdPartyKexts, Form::Integer, "0")
            // The extended key usage 1.2.840.113635.100.4.24, as seen in Apple's.
            .extension(
                "2.5.29.37",
                b"\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x63\x64\x04\x18",
            )
    }

    /// Sets a property in some form.
    pub fn property(self, kind: Kind, form: Form, text: &str) -> Self {
        self.extension(kind.oid(), &form.bytes(text))
    }

    /// Sets any extension: what stands inside its OCTET STRING.
    pub fn extension(self, oid: &str, value: &[u8]) -> Self {
        let mut leaf = self.without(oid);
        leaf.values.push((oid.to_owned(), value.to_vec()));
        leaf
    }

    /// Leaves an extension out.
    pub fn without(mut self, oid: &str) -> Self {
        self.values.retain(|(name, _)| name != oid);
        self
    }

    /// Sets the validity.
    pub fn validity(mut self, from: DateTime<Utc>, to: DateTime<Utc>) -> Self {
        self.validity = (from, to);
        self
    }

    /// Sends the root along.
    pub fn with_root(mut self) -> Self {
        self.with_root = true;
        self
    }

    /// Makes it wrong.
    pub fn defect(mut self, defect: Defect) -> Self {
        self.defect = Some(defect);
        self
    }

    /// The chain in DER, the device's certificate first: what DeviceInformation answers with.
    ///
    /// # Errors
    /// If OpenSSL fails, or an object identifier is none.
    pub fn chain(&self) -> Result<Vec<Vec<u8>>, Error> {
        let now = self.authority.now;
        let (mut root, mut sub) = (self.authority.root.clone(), self.authority.sub.clone());
        match self.defect {
            Some(Defect::UnknownRoot) => {
                AttestationAuthority { root, sub, .. } = AttestationAuthority::new(now)?;
            }
            Some(Defect::SubCaExpired) => sub = sub_ca(&root, |it| it, years(now, -4, -1))?,
            Some(Defect::SubCaIsNone) => {
                sub = sub_ca(&root, |draft| draft.no_constraints(), years(now, -4, 6))?;
            }
            _ => {}
        }
        let mut draft = self.draft()?;
        let mut between = Vec::new();
        let mut issuer = sub.clone();
        match self.defect {
            Some(Defect::SignedByLeaf) => {
                let device = Holder::new("genuine device")?;
                let plain = Draft::new(&device.name, device.key.public_key(), self.validity);
                issuer = device.certified(plain, Some(&sub))?;
                between.push(issuer.der.clone());
            }
            Some(Defect::LeafIsAuthority) => draft = draft.authority(),
            Some(Defect::Sha1) => draft.algorithm = SignatureAlgorithm::EcdsaSha1,
            _ => {}
        }
        let mut leaf = draft.sign(&issuer.name, &issuer.key)?;
        if self.defect == Some(Defect::BadSignature) {
            // Within s, the last number of an ECDSA signature.
            if let Some(byte) = leaf.last_mut() {
                *byte ^= 0x01;
            }
        }
        let mut chain = vec![leaf];
        chain.append(&mut between);
        match self.defect {
            Some(Defect::NoSubCa) => {}
            Some(Defect::Swapped) => chain.insert(0, sub.der.clone()),
            _ => chain.push(sub.der.clone()),
        }
        if self.with_root {
            chain.push(root.der);
        }
        if self.defect == Some(Defect::Stray) {
            chain.push(AttestationAuthority::new(now)?.root.der);
        }
        Ok(chain)
    }

    /// The `attObj` of ACME's `device-attest-01`, decoded.
    ///
    /// # Errors
    /// As [`Self::chain`].
    pub fn cbor(&self) -> Result<Vec<u8>, Error> {
        Ok(cbor::statement("apple", &self.chain()?))
    }

    fn draft(&self) -> Result<Draft, Error> {
        let now = self.authority.now;
        let validity = match self.defect {
            Some(Defect::Expired) => (now - TimeDelta::days(91), now - TimeDelta::days(1)),
            Some(Defect::NotYetValid) => (now + TimeDelta::days(1), now + TimeDelta::days(91)),
            _ => self.validity,
        };
        let key = match self.defect {
            Some(Defect::OtherKey) => PrivateKey::generate(KeySpec::P384)?.public_key().clone(),
            _ => self.key.clone(),
        };
        let mut draft = Draft::new(&x509::name("device"), &key, validity);
        for (oid, value) in &self.values {
            let freshness = oid == Kind::Freshness.oid();
            match self.defect {
                Some(Defect::NoFreshness) if freshness => {}
                Some(Defect::OtherFreshness) if freshness => {
                    let other: Vec<u8> = value.iter().map(|byte| !byte).collect();
                    draft.extend(oid, &other)?;
                }
                Some(Defect::WrappedFreshness) if freshness => {
                    draft.extend(oid, &tlv(0x04, value))?;
                }
                Some(Defect::TwoFreshnesses) if freshness => {
                    draft.extend(oid, value)?;
                    draft.extend(oid, &[0; 32])?;
                }
                Some(Defect::BlankSerial) if oid == Kind::SerialNumber.oid() => {
                    draft.extend(oid, &[])?;
                }
                _ => draft.extend(oid, value)?,
            }
        }
        Ok(draft)
    }
}

fn sub_ca(
    root: &Holder,
    change: impl FnOnce(Draft) -> Draft,
    validity: (DateTime<Utc>, DateTime<Utc>),
) -> Result<Holder, Error> {
    let sub = Holder::new("Apple Enterprise Attestation Sub CA 1")?;
    let draft = Draft::new(&sub.name, sub.key.public_key(), validity).authority();
    sub.certified(change(draft), Some(root))
}

fn years(now: DateTime<Utc>, from: i64, to: i64) -> (DateTime<Utc>, DateTime<Utc>) {
    let years = |count| TimeDelta::days(365 * count);
    (now + years(from), now + years(to))
}
