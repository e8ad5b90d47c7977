//! Apple's word for a key of the device: what it says, and what may be wrong with it.

use std::sync::Arc;

use mdm_fake_apple::attestation::{AttestationAuthority, Defect, Form, Kind, Leaf};
use mdm_pki::PublicKey;

use crate::{Error, Hardware};

/// The part of Apple that vouches for this device's keys, and the state in which it finds the device.
///
/// It says what the [`Hardware`] is, and of a Mac that it is as it should be, unless told otherwise. The chains are the
/// fake Apple's own bytes: nothing that reads them has made them.
///
/// ```
/// use std::sync::Arc;
/// use mdm_fake_apple::attestation::{AttestationAuthority, Defect, Form, Kind};
/// use mdm_simulator::Attester;
///
/// let apple = Arc::new(AttestationAuthority::new(chrono::Utc::now())?);
/// let without_sip = Attester::new(apple.clone()).property(Kind::Sip, Form::Integer, "1");
/// let replaying = Attester::new(apple).defect(Defect::OtherFreshness);
/// # Ok::<(), mdm_pki::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Attester {
    apple: Arc<AttestationAuthority>,
    withholds: bool,
    values: Vec<(Kind, Option<(Form, String)>)>,
    defect: Option<Defect>,
}

impl Attester {
    /// Vouches for the device as it is.
    pub fn new(apple: Arc<AttestationAuthority>) -> Self {
        Self {
            apple,
            withholds: false,
            values: Vec::new(),
            defect: None,
        }
    }

    /// Names neither serial number nor UDID, as in User Enrollment.
    pub fn user_enrollment(mut self) -> Self {
        self.withholds = true;
        self
    }

    /// Says this of the device instead.
    pub fn property(mut self, kind: Kind, form: Form, text: &str) -> Self {
        self.values.push((kind, Some((form, text.to_owned()))));
        self
    }

    /// Says nothing about this.
    pub fn without(mut self, kind: Kind) -> Self {
        self.values.push((kind, None));
        self
    }

    /// Makes the chain wrong.
    pub fn defect(mut self, defect: Defect) -> Self {
        self.defect = Some(defect);
        self
    }

    /// The answer to an ACME challenge with this token, in CBOR.
    pub(crate) fn statement(
        &self,
        hardware: &Hardware,
        key: &PublicKey,
        token: &str,
    ) -> Result<Vec<u8>, mdm_pki::Error> {
        self.finish(self.describe(hardware, key).acme(token)).cbor()
    }

    /// The answer to a DeviceInformation command with this nonce: a chain in DER.
    pub(crate) fn chain(
        &self,
        hardware: &Hardware,
        key: &PublicKey,
        nonce: Option<&[u8]>,
    ) -> Result<Vec<Vec<u8>>, Error> {
        let leaf = self.describe(hardware, key);
        let leaf = match nonce {
            Some(nonce) => leaf.nonce(nonce),
            None => leaf,
        };
        Ok(self.finish(leaf).chain()?)
    }

    fn describe(&self, hardware: &Hardware, key: &PublicKey) -> Leaf<'_> {
        let mut leaf = self.apple.leaf(key);
        if hardware.is_mac() {
            leaf = leaf
                .healthy_mac()
                .property(Kind::LlbVersion, Form::Raw, &hardware.os_version);
        }
        leaf = leaf
            .property(Kind::OsVersion, Form::Raw, &hardware.os_version)
            .property(Kind::SepOsVersion, Form::Raw, &hardware.os_version);
        if self.withholds {
            return leaf
                .without(Kind::SerialNumber.oid())
                .without(Kind::Udid.oid());
        }
        leaf.serial(hardware.serial_number.as_str())
            .udid(hardware.udid.as_str())
    }

    fn finish<'a>(&self, leaf: Leaf<'a>) -> Leaf<'a> {
        let leaf = self
            .values
            .iter()
            .fold(leaf, |leaf, (kind, value)| match value {
                Some((form, text)) => leaf.property(*kind, *form, text),
                None => leaf.without(kind.oid()),
            });
        match self.defect {
            Some(defect) => leaf.defect(defect),
            None => leaf,
        }
    }
}
