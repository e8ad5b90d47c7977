//! Every byte of a valid request is changed in turn: a certificate comes out only where the bytes
//! still mean the very request.

use mdm_scep::{PkiMessage, PkiStatus};

use crate::world::{World, csr, rsa_key, DEVICE_KEY};

/// Sends the message with each byte changed, and checks that no other certificate ever comes of it.
///
/// Returns how many changed messages still got one: those that mean the same.
async fn mutate(world: &World, message: &[u8], mask: u8) -> usize {
    let key = rsa_key(DEVICE_KEY);
    let mut same = 0;
    for place in 0..message.len() {
        let mut changed = message.to_vec();
        changed[place] ^= mask;
        let issued = world.store.issued();
        let response = world.post(changed).await;
        assert!([200, 400].contains(&response.status().as_u16()), "byte {place}");
        if response.status() != 200 {
            assert_eq!(world.store.issued(), issued, "byte {place}");
            continue;
        }
        let reply = PkiMessage::parse(response.body(), 1 << 20).unwrap();
        reply.verify().unwrap();
        if reply.attributes.status == Some(PkiStatus::Success) {
            same += 1;
            let certificate = crate::world::Reply {
                bytes: response.into_body(),
                message: reply,
            }
            .certificates(&key)
            .remove(0);
            assert!(certificate.public_key().unwrap().same_key(key.public_key()));
            assert_eq!(certificate.subject().common_name().as_deref(), Some("device 7"));
        } else {
            assert_eq!(world.store.issued(), issued, "byte {place}");
        }
    }
    same
}

#[tokio::test]
async fn no_changed_byte_of_a_message_yields_a_certificate_of_its_own() {
    let world = World::new();
    for mask in [0x01, 0x80] {
        let challenge = world.challenge().await;
        let raw = world.request(&challenge);
        let same = mutate(&world, &raw.build(), mask).await;
        // At most the one certificate that the challenge stands for, and that to the right key.
        assert!(world.store.issued() <= 2);
        assert!(same <= 8, "{same} changed messages were taken for the original");
    }
}

#[tokio::test]
async fn no_changed_byte_of_a_csr_yields_a_certificate() {
    let world = World::new();
    let challenge = world.challenge().await;
    let key = rsa_key(DEVICE_KEY);
    let csr = csr(&key, "device 7", Some(challenge.expose()));
    let good = world.request(&challenge);
    for place in 0..csr.to_der().len() {
        let raw = good.clone().with(|raw| raw.content[place] ^= 1);
        world.refused(&raw, mdm_scep::FailInfo::BadMessageCheck).await;
    }
    assert_eq!(world.store.issued(), 0);
    world.ask(good.build()).await.certificates(&key);
}
