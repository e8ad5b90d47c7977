use ade_client::{TokenError, endpoint::GetAccount};
use mdm_fake_apple::ade::Fault;

use super::*;

#[tokio::test]
async fn the_way_of_a_token_from_the_key_pair_to_the_account() {
    let scene = Scene::new(Config::default().with(|config| {
        config.server_name = "Our MDM".to_owned();
    }))
    .await;
    let account = scene.client.send(&GetAccount::new()).await.unwrap();
    assert_eq!(account.server_name.as_deref(), Some("Our MDM"));
    assert_eq!(account.server_uuid.as_ref().unwrap().len(), 32);
    assert_eq!(account.maximum("/server/devices"), Some(1000));
}

#[tokio::test]
async fn q01_the_file_is_indefinite_ber_and_opens_with_its_own_key_alone() {
    let scene = Scene::new(Config::default()).await;
    let certificate = scene.pair.certificate_pem();
    let file = scene
        .apple
        .new_server_token(certificate.as_bytes())
        .unwrap();
    let text = String::from_utf8(file.clone()).unwrap();
    assert!(text.starts_with("Content-Type: application/pkcs7-mime;"));
    // 30 80 06 09 2A 86: a SEQUENCE of indefinite length around an object identifier.
    assert!(text.contains("\r\n\r\nMIAGCSqG"), "{text}");
    let token = scene.pair.open(&file).unwrap();
    assert!(token.consumer_key.starts_with("CK_"));
    let expiry = token.access_token_expiry.unwrap();
    assert!((360..370).contains(&(expiry - Utc::now()).num_days()));
    let other = TokenKeyPair::generate("other", Utc::now()).unwrap();
    assert_eq!(other.open(&file), Err(TokenError::WrongKey));
}

#[tokio::test]
async fn a_renewed_token_is_of_the_same_server_and_ends_the_one_before() {
    let scene = Scene::new(Config::default()).await;
    let first = new_token(&scene.apple, &scene.pair);
    let second = new_token(&scene.apple, &scene.pair);
    assert_eq!(first.consumer_key, second.consumer_key);
    let error = client(&scene.apple, first)
        .send(&GetAccount::new())
        .await
        .unwrap_err();
    assert!(error.is_token_superseded(), "{error}");
    let renewed = client(&scene.apple, second);
    assert!(renewed.send(&GetAccount::new()).await.is_ok());
}

#[tokio::test]
async fn the_end_of_a_token_is_told_by_its_reason() {
    let scene = Scene::new(Config::default()).await;
    scene.client.send(&GetAccount::new()).await.unwrap();
    scene.apple.fault(Fault::ExpireToken);
    let error = scene.client.send(&GetAccount::new()).await.unwrap_err();
    assert!(error.is_token_expired(), "{error}");
    scene.apple.fault(Fault::RevokeToken);
    let error = scene.client.send(&GetAccount::new()).await.unwrap_err();
    assert!(error.is_token_revoked(), "{error}");
    let renewed = client(&scene.apple, new_token(&scene.apple, &scene.pair));
    assert!(renewed.send(&GetAccount::new()).await.is_ok());
}

#[tokio::test]
async fn a_token_with_a_wrong_secret_is_refused_by_its_signature() {
    let scene = Scene::new(Config::default()).await;
    let mut token = new_token(&scene.apple, &scene.pair);
    token.access_secret = mdm_core::Secret::new("AS_wrong".to_owned());
    let error = client(&scene.apple, token)
        .send(&GetAccount::new())
        .await
        .unwrap_err();
    assert_eq!(error.code().unwrap().as_str(), "signature_invalid");
    assert_eq!(scene.apple.count("/session"), 1);
}
