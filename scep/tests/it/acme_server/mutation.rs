//! Every byte of a request that ends in a certificate, changed.

use mdm_pki::Name;

use super::{
    raw::jws,
    world::{World, csr, ec},
};

#[tokio::test]
async fn no_changed_byte_of_a_finalize_yields_a_certificate() {
    let world = World::new();
    let key = ec();
    let (client, order) = world.ready(&key).await;
    let url = order["finalize"].as_str().unwrap();
    let header = client.header(url).await;
    let payload = serde_json::to_vec(&csr(&key, Name::default())).unwrap();
    let good = serde_json::to_vec(&jws(&header, &payload, &client.key)).unwrap();
    let mut answers = 0;
    for index in 0..good.len() {
        for mask in [1, 0x20, 0x80] {
            let mut changed = good.clone();
            changed[index] ^= mask;
            let answer = client.post_body(url, changed).await;
            assert!(answer.status.is_client_error(), "byte {index}: {answer:?}");
            answers += 1;
        }
    }
    assert_eq!(world.permits.issued(), 0);
    assert!(answers > 2000);
    // Its nonce is still good: nothing of all that was signed.
    client.post_body(url, good).await.ok(200);
    assert_eq!(world.permits.issued(), 1);
}

#[tokio::test]
async fn no_changed_byte_of_a_csr_yields_a_certificate() {
    let world = World::new();
    let key = ec();
    let (client, order) = world.ready(&key).await;
    let url = order["finalize"].as_str().unwrap();
    let good = super::raw::unb64(csr(&key, Name::default())["csr"].as_str().unwrap());
    for index in 0..good.len() {
        let mut changed = good.clone();
        changed[index] ^= 1;
        let payload = serde_json::json!({"csr": super::raw::b64(changed)});
        client.post(url, payload).await.problem(400, "badCSR");
    }
    assert_eq!(world.permits.issued(), 0);
}
