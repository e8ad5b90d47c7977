//! The list of what was issued.

use mdm_pki::RevocationReason;
use mdm_scep::{
    Store,
    store::{GrantKind, Revocation},
};

use super::cluster::database;
use crate::scep::{NOW, certificate, issue, key, spend};

#[tokio::test]
async fn issued_certificates_are_listed_page_by_page_with_what_became_of_them() {
    let Some(database) = database().await else {
        return;
    };
    let store = database.open().await;
    let key = key();
    let mut issued = Vec::new();
    for n in 0..5 {
        issue(&store, n).await.unwrap();
        let certificate = certificate(&key);
        spend(&store, n, certificate.clone()).await.unwrap();
        issued.push(certificate);
    }
    let revocation = Revocation::new(NOW, RevocationReason::KeyCompromise);
    store.revoke(issued[3].serial(), revocation).await.unwrap();

    let mut listed = Vec::new();
    let mut behind = 0;
    loop {
        let page = store.issued_certificates(behind, 2).await.unwrap();
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { break };
        behind = last.place;
        listed.extend(page);
    }
    let certificates: Vec<_> = listed
        .iter()
        .map(|it| it.record.certificate.clone())
        .collect();
    assert_eq!(certificates, issued);
    let labels: Vec<_> = listed.iter().map(|it| it.label.as_str()).collect();
    let expected = ["device 0", "device 1", "device 2", "device 3", "device 4"];
    assert_eq!(labels, expected);
    let by_challenge = Some(GrantKind::Challenge);
    assert!(
        listed
            .iter()
            .all(|it| it.issued_at == NOW && it.record.granted == by_challenge)
    );
    let revoked: Vec<_> = listed.iter().map(|it| it.record.revoked).collect();
    assert_eq!(revoked, [None, None, None, Some(revocation), None]);
}
