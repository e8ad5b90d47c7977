//! Any profile, whatever it holds, is the same after each way of writing and reading it: keys, order, types, values.

use mdm_pki::cms::DecryptPolicy;
use mdm_plist::{Data, Dictionary, Value, date};
use mdm_profiles::{
    Profile,
    encrypt::{Encryption, decrypt, encrypt},
    sign::sign,
    verify::{Require, Trust, open, open_with_key},
};
use proptest::{collection::vec, prelude::*};

use crate::{
    packed::packings,
    peers::{now, rsa_device, signer},
};

/// What XML can hold, with all that has a meaning there.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,12}",
        "\\PC{0,8}",
        "([<>&\"']|]]>|&amp;|<!--|-->|\n|\t| |é|\u{1F600}|\u{202E}|</string>){0,6}",
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter("a number", |real| !real.is_nan())
            .prop_map(Value::Real),
        text().prop_map(Value::String),
        vec(any::<u8>(), 0..80).prop_map(|bytes| Value::Data(Data::new(bytes).into())),
        // Whole seconds of the years that a property list has.
        (-62_135_596_800_i64..253_402_300_800).prop_map(|seconds| {
            let time = chrono::DateTime::from_timestamp(seconds, 0).unwrap();
            Value::Date(date::from_chrono(time).unwrap())
        }),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::Array),
            vec((text(), inner), 0..6)
                .prop_map(|entries| Value::Dictionary(entries.into_iter().collect())),
        ]
    })
}

/// A profile with payloads of any keys, and with any keys beside its own, in any order.
fn profile() -> impl Strategy<Value = Profile> {
    let entries = || vec((text(), value()), 0..5);
    (vec(entries(), 0..4), entries())
        .prop_flat_map(|(payloads, own)| {
            let payloads = payloads
                .into_iter()
                .map(|entries| Value::Dictionary(entries.into_iter().collect()));
            let frame = [
                ("PayloadContent", Value::Array(payloads.collect())),
                ("PayloadType", "Configuration".into()),
                ("PayloadIdentifier", "com.example".into()),
                ("PayloadVersion", 1.into()),
            ];
            let frame = frame.map(|(key, value)| (key.to_owned(), value));
            Just([own, frame.to_vec()].concat()).prop_shuffle()
        })
        .prop_map(|entries| {
            let mut keys: Dictionary = entries.into_iter().collect();
            // Equal keys may have been drawn, and these mean something else.
            keys.retain(|key, _| !["IsEncrypted", "EncryptedPayloadContent"].contains(&&key[..]));
            Profile::from_dictionary(keys).unwrap().0
        })
}

/// As text, so that the order of keys counts at every depth.
fn shown(profile: &Profile) -> String {
    format!(
        "{:?}",
        profile.to_dictionary().into_iter().collect::<Vec<_>>()
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_profile_is_the_same_in_xml_and_binary(profile in profile()) {
        let xml = Profile::decode(&profile.to_xml().unwrap()).unwrap();
        prop_assert_eq!(shown(&xml), shown(&profile));
        let binary = mdm_plist::to_binary(&profile.to_dictionary()).unwrap();
        let binary = Profile::decode(&binary).unwrap();
        prop_assert_eq!(shown(&binary), shown(&profile));
        prop_assert_eq!(binary.to_xml().unwrap(), profile.to_xml().unwrap());
    }

    #[test]
    fn a_profile_is_the_same_signed_in_every_packing(profile in profile()) {
        let (root, identity) = signer();
        let roots = [root.clone()];
        let signed = sign(&profile, identity, now()).unwrap();
        for bytes in packings(&signed) {
            let opened = open(&bytes, &Trust::new(&roots, now())).unwrap();
            prop_assert_eq!(&opened.content, &profile.to_xml().unwrap());
            let found = opened.accept(Require::default()).unwrap();
            prop_assert_eq!(shown(&found), shown(&profile));
        }
    }

    #[test]
    fn a_profile_is_the_same_encrypted_and_signed(profile in profile()) {
        let device = rsa_device();
        let devices = [device.certificate.clone()];
        let encrypted = encrypt(&profile, &devices, &Encryption::default()).unwrap();
        let back = decrypt(&encrypted, &device.key, &DecryptPolicy::default()).unwrap();
        prop_assert_eq!(shown(&back), shown(&profile));
        let (root, identity) = signer();
        let roots = [root.clone()];
        let signed = sign(&encrypted, identity, now()).unwrap();
        let opened = open_with_key(&signed, &Trust::new(&roots, now()), &device.key).unwrap();
        let found = opened.accept(Require::default()).unwrap();
        prop_assert_eq!(shown(&found), shown(&profile));
    }
}
