//! Account-driven enrolment: somebody types their work account into a device, which finds this server, has
//! them sign in, and asks for the profile with an access token.
//!
//! Source: Apple, "Account-driven enrollment", "Discover authentication servers".

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use mdm_core::Secret;
use mdm_pki::{DigestAlgorithm, digest};
use mdm_protocol::{
    ddm::json,
    enroll::{
        AuthenticationChallenge, DiscoveredServer, DiscoveryQuery, DiscoveryVersion,
        ServiceDiscovery, WellKnownFailed, authentication_results,
    },
};

use super::{
    AccountDriven, Discovered, Inner, SignIn, Visit,
    device_info::{machine_info, parameter},
    hand_out::{Asking, random_name},
    ticket::Ticket,
};
use crate::{
    Account, Denial, EnrollmentId, Unavailable, Way,
    service::answer::{self, Refused},
};

impl Inner {
    /// What is offered, and who signs people in.
    fn offers_accounts(&self) -> Result<(&AccountDriven, &dyn SignIn), Refused> {
        match (&self.account_driven, &self.sign_in) {
            (Some(offer), Some(sign_in)) if self.devices.is_some() => Ok((offer, &**sign_in)),
            _ => Err(Refused::Status(StatusCode::NOT_FOUND)),
        }
    }
}

/// Service discovery.
pub(super) async fn discover(
    portal: &Inner,
    request: &Request<Bytes>,
) -> Result<Response<Bytes>, Refused> {
    let (offer, sign_in) = portal.offers_accounts()?;
    let query = DiscoveryQuery::from_query(request.uri().query().unwrap_or_default());
    let here = |version: DiscoveryVersion| {
        let url = portal.urls.account_driven(&version);
        ServiceDiscovery::new(DiscoveredServer::new(version, url))
    };
    let found = match sign_in.discover(&query).await? {
        Discovered::Default => here(offer.version.clone()),
        Discovered::Here(version) => here(version),
        Discovered::Elsewhere(found) => found,
        Discovered::Refused(denial) => return well_known_failed(&denial),
    };
    let body = serde_json::to_vec(&found).map_err(mdm_protocol::Error::from)?;
    Ok(answer::json(body))
}

fn well_known_failed(denial: &Denial) -> Result<Response<Bytes>, Refused> {
    tracing::warn!(
        reason = denial.reason.as_str(),
        description = denial.description.as_deref(),
        "service discovery refused"
    );
    let body = WellKnownFailed::new().with(|body| {
        body.message = Some(denial.message().to_owned());
        body.description.clone_from(&denial.description);
    });
    let mut response = answer::json(json::to_vec(&body)?);
    *response.status_mut() = StatusCode::FORBIDDEN;
    Ok(response)
}

/// The device asks for its profile: without an access token it is told where to get one.
pub(super) async fn profile(
    portal: &Inner,
    version: DiscoveryVersion,
    request: &Request<Bytes>,
) -> Result<Response<Bytes>, Refused> {
    let (offer, sign_in) = portal.offers_accounts()?;
    let info = machine_info(portal, request)?;
    let Some(token) = bearer(request) else {
        return challenge(portal, offer);
    };
    let account = match &offer.oauth2 {
        Some(_) => sign_in.account(&token).await?,
        None => match portal.tickets.open(token.expose(), portal.now()) {
            Some(Ticket::Access { account, .. }) => Some(account),
            _ => None,
        },
    };
    let Some(account) = account else {
        return challenge(portal, offer);
    };
    // A token is good for one enrolment, and for as many attempts at it as it takes (Q16): it always
    // leads to the same invitation, which one device spends.
    let name = name_of(&token)?;
    let spender = portal.service.0.store.invitation(&name).await?;
    if let Some(spent_by) = spender.and_then(|invitation| invitation.spent_by) {
        let udid = info.udid.as_ref();
        let same = udid.and_then(|udid| EnrollmentId::device(udid.as_str()).ok());
        if same != Some(spent_by) {
            return challenge(portal, offer);
        }
    }
    let way = match version {
        DiscoveryVersion::Adde => Way::AccountDrivenDevice,
        _ => Way::AccountDrivenUser,
    };
    let asking = Asking::new(way).with(|asking| {
        asking.machine_info = Some(info);
        asking.account = Some(account);
        asking.name = Some(name);
    });
    portal.hand_out(asking).await
}

/// 401, to a device that is not enrolled.
fn challenge(portal: &Inner, offer: &AccountDriven) -> Result<Response<Bytes>, Refused> {
    let challenge = match &offer.oauth2 {
        Some(server) => AuthenticationChallenge::OAuth2(server.clone()),
        None => AuthenticationChallenge::web(portal.urls.sign_in()),
    };
    let value = HeaderValue::from_str(&challenge.to_string()).map_err(Unavailable::new)?;
    let mut response = answer::empty(StatusCode::UNAUTHORIZED);
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, value);
    Ok(response)
}

/// Longest access token that is read, in bytes.
const MAX_TOKEN_BYTES: usize = 8 << 10;

fn bearer(request: &Request<Bytes>) -> Option<Secret<String>> {
    let value = request
        .headers()
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?;
    let (scheme, token) = value.trim().split_once(' ')?;
    let token = token.trim();
    let fits = !token.is_empty() && token.len() <= MAX_TOKEN_BYTES;
    (scheme.eq_ignore_ascii_case("Bearer") && fits).then(|| Secret::new(token.to_owned()))
}

/// The name of the invitation that a token leads to, which does not betray the token.
fn name_of(token: &Secret<String>) -> Result<String, Unavailable> {
    let text = format!("mdm-service invitation of {}", token.expose());
    let digest = digest(DigestAlgorithm::Sha256, text.as_bytes()).map_err(Unavailable::new)?;
    Ok(URL_SAFE_NO_PAD.encode(digest.get(..16).unwrap_or_default()))
}

/// `url` of `apple-as-web`: the vendor's page.
pub(super) async fn sign_in(
    portal: &Inner,
    request: &Request<Bytes>,
) -> Result<Response<Bytes>, Refused> {
    let (offer, sign_in) = portal.offers_accounts()?;
    if offer.oauth2.is_some() {
        return Err(Refused::Status(StatusCode::NOT_FOUND));
    }
    let visit = Visit {
        ticket: portal.tickets.seal(Ticket::SignIn, portal.now())?,
        way: Way::AccountDrivenUser,
        machine_info: None,
        user_identifier: parameter(request.uri(), "user-identifier"),
    };
    Ok(sign_in.page(&visit).await?)
}

/// Somebody signed in on that page: the device takes its token from the address.
pub(super) fn signed_in(portal: &Inner, account: Account) -> Result<Response<Bytes>, Refused> {
    let once = random_name()?;
    let ticket = Ticket::Access { account, once };
    let token = portal.tickets.seal(ticket, portal.now())?;
    let location = authentication_results(&token);
    let location = HeaderValue::from_str(&location).map_err(Unavailable::new)?;
    let mut response = answer::empty(StatusCode::PERMANENT_REDIRECT);
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}
