//! Other ways to the enrolment profile than automated enrolment: over the air, and by an account.

use bytes::Bytes;
use http::{StatusCode, header};
use mdm_pki::{DigestAlgorithm, cms};
use mdm_plist::{Dictionary, Value};

use super::{Device, PROFILE, request};
use crate::{Activation, Error, checkin, settings::text, trust::SignedProfile};

const SIGNED: &str = "application/pkcs7-signature";

/// The version of service discovery that is User Enrolment.
const USER_ENROLLMENT: &str = "mdm-byod";

/// The server that an account's domain names.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FoundServer {
    /// `Version`: `mdm-byod` or `mdm-adde`.
    pub version: String,
    /// `BaseURL`: where to ask for the profile.
    pub base_url: String,
}

/// What a server says to a device that asks by an account.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccountAnswer {
    /// The enrolment profile.
    Profile(Bytes),
    /// 401 with this challenge in `WWW-Authenticate`: somebody has to sign in.
    SignIn(String),
}

impl Device {
    /// What the device says of itself when it asks for a profile, signed with the identity that it was built with: the body of a
    /// request for a profile, and in base64 the header `x-apple-aspen-deviceinfo` of one for a page.
    ///
    /// # Errors
    /// [`Error::Pki`] when it cannot be signed.
    pub fn signed_machine_info(&self) -> Result<Vec<u8>, Error> {
        self.sign_as_built(&checkin::machine_info(&self.hardware, true))
    }

    /// Opens a `Profile Service` profile, as a person does who follows a link, and answers it with the attributes that it asks for:
    /// the first phases of over-the-air enrolment. The answer is the next profile.
    ///
    /// # Errors
    /// [`Error::Refused`] and [`Error::NotAProfile`] as in [`Device::ask_for_profile`]; [`Error::Unsigned`],
    /// [`Error::ForeignSigner`] or [`Error::Profile`] for a profile that is no Profile Service.
    pub async fn ask_over_the_air(
        &self,
        link: &str,
        activation: &Activation,
    ) -> Result<Bytes, Error> {
        let opened = request("GET", link, "", "link")?.body(Bytes::new());
        let opened = opened.map_err(|_| Error::Url("link"))?;
        let profile = profile(self.send("link", opened).await?)?;
        let now = self.clock.now();
        let profile = SignedProfile::verify(&profile, &activation.anchors, now)?.profile;
        if text(&profile, "PayloadType") != Some("Profile Service") {
            return Err(Error::Profile("PayloadType"));
        }
        let content = profile.get("PayloadContent").and_then(Value::as_dictionary);
        let content = content.ok_or(Error::Profile("PayloadContent"))?;
        let url = text(content, "URL").ok_or(Error::Profile("URL"))?;
        let known = checkin::machine_info(&self.hardware, true);
        let asked = content.get("DeviceAttributes").and_then(Value::as_array);
        let mut attributes: Dictionary = asked
            .into_iter()
            .flatten()
            .filter_map(Value::as_string)
            .filter_map(|name| Some((name.to_owned(), known.get(name)?.clone())))
            .collect();
        if let Some(challenge) = text(content, "Challenge") {
            checkin::put(&mut attributes, "CHALLENGE", challenge);
        }
        let signed = self.sign_as_built(&attributes)?;
        self.post_signed("attributes", url, signed).await
    }

    /// Asks the domain of an account for its server, at `origin`: `https://` and the domain.
    ///
    /// # Errors
    /// [`Error::Refused`], or [`Error::Url`] for an answer without a server.
    pub async fn discover(&self, origin: &str, account: &str) -> Result<FoundServer, Error> {
        let wrong = |_| Error::Url("origin");
        let mut url = url::Url::parse(origin).map_err(wrong)?;
        url.set_path("/.well-known/com.apple.remotemanagement");
        let family = match self.hardware.is_mac() {
            true => "Mac",
            false => "iPhone",
        };
        url.query_pairs_mut()
            .append_pair("user-identifier", account)
            .append_pair("model-family", family);
        let asked = request("GET", url.as_str(), "", "origin")?.body(Bytes::new());
        let asked = asked.map_err(|_| Error::Url("origin"))?;
        let found = self.send("service discovery", asked).await?;
        let found: serde_json::Value =
            serde_json::from_slice(found.body()).map_err(|_| Error::Url("Servers"))?;
        let server = &found["Servers"][0];
        let text = |key: &'static str| {
            let text = server[key].as_str().map(str::to_owned);
            text.ok_or(Error::Url(key))
        };
        Ok(FoundServer {
            version: text("Version")?,
            base_url: text("BaseURL")?,
        })
    }

    /// Asks a server that was found for the enrolment profile, with an access token once somebody has signed in.
    ///
    /// # Errors
    /// [`Error::Refused`] for any other status than 200 and 401, [`Error::NotAProfile`] for another content type.
    pub async fn ask_by_account(
        &self,
        server: &FoundServer,
        token: Option<&str>,
    ) -> Result<AccountAnswer, Error> {
        let is_named = server.version != USER_ENROLLMENT;
        let signed = self.sign_as_built(&checkin::machine_info(&self.hardware, is_named))?;
        let mut request = request("POST", &server.base_url, SIGNED, "BaseURL")?;
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request
            .body(signed.into())
            .map_err(|_| Error::Url("BaseURL"))?;
        let response = self.transport.send(request).await?;
        match response.status() {
            StatusCode::OK => profile(response).map(AccountAnswer::Profile),
            StatusCode::UNAUTHORIZED => {
                let challenge = response.headers().get(header::WWW_AUTHENTICATE);
                let challenge = challenge.and_then(|challenge| challenge.to_str().ok());
                let challenge = challenge.ok_or(Error::Url("WWW-Authenticate"))?;
                Ok(AccountAnswer::SignIn(challenge.to_owned()))
            }
            status => Err(Error::Refused {
                message: "MachineInfo",
                status: status.as_u16(),
            }),
        }
    }

    fn sign_as_built(&self, content: &Dictionary) -> Result<Vec<u8>, Error> {
        let content = mdm_plist::to_xml(content)?;
        let signed = cms::SignedDataBuilder::new(&content)
            .signer(&self.built_in.certificate, DigestAlgorithm::Sha256)
            .chain(&self.built_in.chain)
            .sign(&self.built_in.key)?;
        Ok(signed)
    }

    /// Posts what the device signed, which a profile answers.
    pub(super) async fn post_signed(
        &self,
        message: &'static str,
        url: &str,
        signed: Vec<u8>,
    ) -> Result<Bytes, Error> {
        let request = request("POST", url, SIGNED, "url")?
            .body(signed.into())
            .map_err(|_| Error::Url("url"))?;
        profile(self.send(message, request).await?)
    }
}

/// The profile in an answer.
fn profile(response: http::Response<Bytes>) -> Result<Bytes, Error> {
    let content_type = response
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if content_type != PROFILE {
        return Err(Error::NotAProfile(content_type.to_owned()));
    }
    Ok(response.into_body())
}
