//! What a request must say, so that a challenge that goes astray is worthless for anybody else (VU#971035).

use mdm_pki::{CertificateRequest, GeneralName, Name, Oid, oid};

/// What a request must say for a challenge to hold: all of it. Nothing binds by default.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Bound {
    /// The whole subject, to the byte.
    pub subject: Option<Name>,
    /// The subject's one common name, for devices that add attributes of their own.
    pub common_name: Option<String>,
    /// The alternative names, each of them and no other, in any order; with an empty list none may be asked for.
    pub alt_names: Option<Vec<GeneralName>>,
    /// The subject's one `serialNumber`.
    pub serial_number: Option<String>,
    /// An identifier of the device, such as its UDID: the common name, the `serialNumber` or the `userID` of the subject is
    /// this, and none of the three is anything else, unless it is bound by itself.
    pub device: Option<String>,
}

impl Bound {
    /// Bound to this subject.
    pub fn subject(subject: Name) -> Self {
        Self::default().with(|bound| bound.subject = Some(subject))
    }

    /// Bound to this common name.
    pub fn common_name(common_name: impl Into<String>) -> Self {
        Self::default().with(|bound| bound.common_name = Some(common_name.into()))
    }

    /// Bound to this serial number in the subject.
    pub fn serial_number(serial_number: impl Into<String>) -> Self {
        Self::default().with(|bound| bound.serial_number = Some(serial_number.into()))
    }

    /// Bound to the device of this identifier.
    pub fn device(identifier: impl Into<String>) -> Self {
        Self::default().with(|bound| bound.device = Some(identifier.into()))
    }

    /// With changes: `Bound::device(udid).with(|bound| bound.alt_names = Some(Vec::new()))`.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// What the request says differently.
    pub(crate) fn mismatch(&self, csr: &CertificateRequest) -> Option<&'static str> {
        let subject = csr.subject();
        let differs = [
            (
                "subject",
                self.subject.as_ref().is_some_and(|bound| *bound != subject),
            ),
            (
                "common name",
                is_not_the_one(&subject, oid::COMMON_NAME, self.common_name.as_ref()),
            ),
            (
                "serial number",
                is_not_the_one(&subject, oid::SERIAL_NUMBER, self.serial_number.as_ref()),
            ),
            ("device", self.names_another_device(&subject)),
            ("alternative name", self.asks_for_other_names(csr)),
        ];
        differs
            .into_iter()
            .find_map(|(field, differs)| differs.then_some(field))
    }

    fn names_another_device(&self, subject: &Name) -> bool {
        let Some(device) = &self.device else {
            return false;
        };
        let mut found = false;
        for (kind, value) in subject.attributes() {
            let by_itself = match kind {
                oid::COMMON_NAME => self.common_name.is_some(),
                oid::SERIAL_NUMBER => self.serial_number.is_some(),
                oid::USER_ID => false,
                _ => continue,
            };
            if value == *device {
                found = true;
            } else if !by_itself {
                return true;
            }
        }
        !found
    }

    fn asks_for_other_names(&self, csr: &CertificateRequest) -> bool {
        let Some(bound) = &self.alt_names else {
            return false;
        };
        let asked = csr.subject_alt_names();
        // One that is there and cannot be read is a name all the same.
        let unread = asked.is_empty() && csr.extension(oid::SUBJECT_ALT_NAME).is_some();
        unread
            || asked.len() != bound.len()
            || !asked.iter().all(|name| bound.contains(name))
            || !bound.iter().all(|name| asked.contains(name))
    }
}

/// One and no more: of several, some readers take the first and some the last (VU#971035).
fn is_not_the_one(subject: &Name, kind: Oid, bound: Option<&String>) -> bool {
    let Some(bound) = bound else {
        return false;
    };
    let mut values = subject
        .attributes()
        .filter(|(found, _)| *found == kind)
        .map(|(_, value)| value);
    values.next().as_ref() != Some(bound) || values.next().is_some()
}

#[cfg(test)]
mod tests {
    use mdm_pki::{CertificateRequestBuilder, KeySpec, PrivateKey};

    use super::*;

    /// What differs between the bound and a CSR of this subject with these names.
    fn mismatch(
        bound: &Bound,
        subject: &[(Oid, &str)],
        names: &[GeneralName],
    ) -> Option<&'static str> {
        let key = PrivateKey::generate(KeySpec::P256).unwrap();
        let subject = subject
            .iter()
            .fold(Name::builder(), |name, (kind, text)| {
                name.attribute(*kind, text)
            })
            .build();
        let csr = CertificateRequestBuilder::new(subject);
        let csr = names.iter().fold(csr, |csr, name| csr.san(name.clone()));
        bound.mismatch(&csr.sign(&key).unwrap())
    }

    const CN: Oid = oid::COMMON_NAME;
    const SERIAL: Oid = oid::SERIAL_NUMBER;
    const UID: Oid = oid::USER_ID;
    const O: Oid = oid::ORGANIZATION;

    #[test]
    fn a_serial_number_has_to_be_the_only_one() {
        let bound = Bound::serial_number("C02");
        for (subject, fits) in [
            (&[(SERIAL, "C02")][..], true),
            (&[(CN, "anything"), (SERIAL, "C02")], true),
            (&[(SERIAL, "C03")], false),
            (&[(SERIAL, "C02"), (SERIAL, "C03")], false),
            (&[(SERIAL, "C02"), (SERIAL, "C02")], false),
            (&[(CN, "C02")], false),
            (&[], false),
        ] {
            let expected = (!fits).then_some("serial number");
            assert_eq!(mismatch(&bound, subject, &[]), expected, "{subject:?}");
        }
    }

    #[test]
    fn a_device_is_named_and_no_other_is() {
        let bound = Bound::device("UDID-7");
        for (subject, fits) in [
            (&[(CN, "UDID-7")][..], true),
            (&[(O, "Example"), (UID, "UDID-7")], true),
            (&[(CN, "UDID-7"), (SERIAL, "UDID-7")], true),
            (&[(CN, "UDID-8")], false),
            (&[(CN, "UDID-7"), (CN, "UDID-8")], false),
            (&[(CN, "UDID-7"), (SERIAL, "C02")], false),
            (&[(O, "UDID-7")], false),
            (&[], false),
        ] {
            let expected = (!fits).then_some("device");
            assert_eq!(mismatch(&bound, subject, &[]), expected, "{subject:?}");
        }
        let both = bound.with(|bound| bound.serial_number = Some("C02".to_owned()));
        let subject = [(CN, "UDID-7"), (SERIAL, "C02")];
        assert_eq!(mismatch(&both, &subject, &[]), None);
        let subject = [(CN, "UDID-7"), (SERIAL, "C03")];
        assert_eq!(mismatch(&both, &subject, &[]), Some("serial number"));
        let subject = [(CN, "UDID-8"), (SERIAL, "C02")];
        assert_eq!(mismatch(&both, &subject, &[]), Some("device"));
    }

    #[test]
    fn alternative_names_are_the_bound_ones_in_any_order() {
        let dns = |text: &str| GeneralName::Dns(text.to_owned());
        let bound = |names: &[GeneralName]| {
            Bound::default().with(|bound| bound.alt_names = Some(names.to_vec()))
        };
        let [a, b, c] = [dns("a"), dns("b"), GeneralName::Email("a".to_owned())];
        let both = bound(&[a.clone(), b.clone()]);
        for (asked, fits) in [
            (vec![b.clone(), a.clone()], true),
            (vec![a.clone()], false),
            (vec![a.clone(), a.clone()], false),
            (vec![a.clone(), b.clone(), c.clone()], false),
            (vec![c.clone(), b.clone()], false),
            (vec![], false),
        ] {
            let expected = (!fits).then_some("alternative name");
            assert_eq!(mismatch(&both, &[(CN, "x")], &asked), expected, "{asked:?}");
        }
        assert_eq!(mismatch(&bound(&[]), &[(CN, "x")], &[]), None);
        let asked = mismatch(&bound(&[]), &[(CN, "x")], &[a]);
        assert_eq!(asked, Some("alternative name"));
    }
}
