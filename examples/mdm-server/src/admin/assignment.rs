//! Accounts of device assignment: linked with Apple's portal, given the profile that points devices here.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
};
use mdm_sdk::{
    ade::{
        self,
        model::{DerCertificate, Profile, SkipKey},
        record::{AccountId, AccountRecord},
        service::{Installing, Refusal},
        sync::RoundKind,
    },
    pki::Certificate,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Problem, json::date};
use crate::server::App;

/// Most accounts that are listed.
const MOST: usize = 1_000;

/// All accounts.
pub(super) async fn list(State(app): State<App>) -> Result<Json<Value>, Problem> {
    let mut shown = Vec::new();
    for account in app.ade.store().accounts(None, MOST).await? {
        shown.push(told(&app.ade.account(&account).await?));
    }
    Ok(Json(json!({ "accounts": shown })))
}

/// Makes the account if it is not there; answers with the certificate for Apple's portal.
pub(super) async fn link(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Problem> {
    let account = named(&name)?;
    match app.ade.add_account(&account).await {
        Ok(_) | Err(ade::Error::Refused(Refusal::AccountExists(_))) => {}
        Err(error) => return Err(error.into()),
    }
    let certificate = app.ade.stage_key(&account, "mdm-server").await?;
    Ok(Json(json!({ "certificate": certificate })))
}

/// Takes the file that the portal gave for the certificate.
pub(super) async fn token(
    State(app): State<App>,
    Path(name): Path<String>,
    file: Bytes,
) -> Result<Json<Value>, Problem> {
    let account = named(&name)?;
    let installed = app
        .ade
        .install_token(&account, &file, Installing::SameServer);
    Ok(Json(told(&installed.await?)))
}

/// What devices are told at activation, beside where to ask.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewProfile {
    name: String,
    supervised: Option<bool>,
    mandatory: Option<bool>,
    removable: Option<bool>,
    await_device_configured: Option<bool>,
    /// Whether somebody signs in while the device is set up: yes where there are accounts, unless said.
    sign_in: Option<bool>,
    #[serde(default)]
    skip_setup_items: Vec<String>,
}

/// Defines the profile that new devices of the account get, and those that want the one before it.
pub(super) async fn profile(
    State(app): State<App>,
    Path(name): Path<String>,
    Json(new): Json<NewProfile>,
) -> Result<Json<Value>, Problem> {
    let account = named(&name)?;
    let anchors = app.anchors.iter().map(Certificate::to_der);
    let anchors: Vec<_> = anchors.map(DerCertificate::new).collect();
    let has_accounts = app.sign_in.is_some();
    let signs_in = new.sign_in.unwrap_or(has_accounts);
    if signs_in && !has_accounts {
        return Err(Problem::invalid("there are no accounts to sign in with"));
    }
    let urls = app.portal.urls();
    let profile = Profile::new(new.name, urls.automated());
    let profile = profile.with(|profile| {
        profile.configuration_web_url = signs_in.then(|| urls.page());
        profile.is_supervised = new.supervised;
        profile.is_mandatory = new.mandatory;
        profile.is_mdm_removable = new.removable;
        profile.await_device_configured = new.await_device_configured;
        profile.anchor_certs = Some(anchors);
        if !new.skip_setup_items.is_empty() {
            let items = new
                .skip_setup_items
                .iter()
                .map(|item| SkipKey::from(item.as_str()));
            profile.skip_setup_items = Some(items.collect());
        }
    });
    let defined = match app.ade.account(&account).await?.default_profile {
        Some(former) => {
            let replacing = app.ade.replace_profile(&account, &former, profile, None);
            replacing.await?
        }
        None => {
            let defined = app.ade.define_profile(&account, profile, None).await?;
            let uuid = Some(defined.uuid.as_str());
            app.ade.set_default_profile(&account, uuid).await?;
            defined
        }
    };
    Ok(Json(json!({ "profile_uuid": defined.uuid })))
}

/// Asks Apple what changed, and assigns what is to be assigned.
pub(super) async fn sync(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Problem> {
    let account = named(&name)?;
    let report = app.ade.sync(&account, RoundKind::Delta).await?;
    if let Some(error) = report.error {
        return Err(error.into());
    }
    Ok(Json(told(&app.ade.account(&account).await?)))
}

fn named(name: &str) -> Result<AccountId, Problem> {
    AccountId::new(name).map_err(Problem::invalid)
}

/// An account without its secrets.
fn told(account: &AccountRecord) -> Value {
    let known = account.known.as_ref().map(|known| &known.account);
    let token = account.credentials.as_ref().map(|it| &it.token);
    json!({
        "id": account.id.to_string(),
        "server_name": known.and_then(|it| it.server_name.as_ref()),
        "org_name": known.and_then(|it| it.org_name.as_ref()),
        "default_profile": account.default_profile,
        "token_expires_at": token.and_then(|it| it.access_token_expiry).map(date),
        "current_as_of": account.sync.current.map(date),
        "trouble": account.trouble.as_ref().map(|trouble| json!({
            "kind": trouble.kind.as_str(),
            "detail": trouble.detail,
            "since": date(trouble.since),
        })),
    })
}
