//! OAuth 1.0a with HMAC-SHA1 (RFC 5849), as far as `/session` needs it.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderValue, Method, Uri};
use mdm_pki::DigestAlgorithm;
use mdm_transport::{BuildError, percent_encode};
use zeroize::Zeroizing;

use crate::{Error, ServerToken};

/// The realm that Apple's documentation shows. It is not part of what is signed.
const REALM: &str = "ADM";

/// Writes the `Authorization` header for a request without a form body.
///
/// `nonce` must never be used twice with the same `timestamp` (seconds since 1970). The value is
/// marked sensitive.
///
/// # Errors
/// [`Error::Build`] if `uri` is not absolute or a value of the token cannot be in a header,
/// [`Error::Signing`] if OpenSSL offers no HMAC-SHA1.
pub fn authorization(
    method: &Method,
    uri: &Uri,
    token: &ServerToken,
    nonce: &str,
    timestamp: i64,
) -> Result<HeaderValue, Error> {
    let timestamp = timestamp.to_string();
    let mut parameters = vec![
        ("oauth_consumer_key", token.consumer_key.as_str()),
        ("oauth_token", token.access_token.expose()),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", &timestamp),
        ("oauth_nonce", nonce),
        ("oauth_version", "1.0"),
    ];
    let base = signature_base_string(method, uri, &parameters)?;
    let signature = sign(
        &base,
        token.consumer_secret.expose(),
        token.access_secret.expose(),
    )?;
    parameters.push(("oauth_signature", &signature));

    let mut header = Zeroizing::new(format!("OAuth realm=\"{REALM}\""));
    for (name, value) in parameters {
        header.push_str(&format!(", {name}=\"{}\"", percent_encode(value)));
    }
    let mut header =
        HeaderValue::from_str(&header).map_err(|error| BuildError::Http(error.into()))?;
    header.set_sensitive(true);
    Ok(header)
}

/// The text that is signed (section 3.4.1), from the request and all parameters but the realm and
/// the signature.
fn signature_base_string(
    method: &Method,
    uri: &Uri,
    parameters: &[(&str, &str)],
) -> Result<String, BuildError> {
    let mut pairs: Vec<(String, String)> = parameters
        .iter()
        .map(|(name, value)| (percent_encode(name), percent_encode(value)))
        .collect();
    for pair in uri
        .query()
        .unwrap_or("")
        .split('&')
        .filter(|pair| !pair.is_empty())
    {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        pairs.push((recode(name), recode(value)));
    }
    // Sorted after encoding, by name and then by value (section 3.4.1.3.2).
    pairs.sort();
    let normalized = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join("&");
    Ok(format!(
        "{}&{}&{}",
        method.as_str().to_ascii_uppercase(),
        percent_encode(&base_string_uri(uri)?),
        percent_encode(&normalized)
    ))
}

/// Scheme and host in lower case, the port unless it is the scheme's own, the path (section 3.4.1.2).
fn base_string_uri(uri: &Uri) -> Result<String, BuildError> {
    let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else {
        return Err(BuildError::invalid("uri", "must be absolute to be signed"));
    };
    let scheme = scheme.to_ascii_lowercase();
    let host = host.to_ascii_lowercase();
    let port = match (scheme.as_str(), uri.port_u16()) {
        (_, None) | ("http", Some(80)) | ("https", Some(443)) => String::new(),
        (_, Some(port)) => format!(":{port}"),
    };
    Ok(format!("{scheme}://{host}{port}{}", uri.path()))
}

/// Undoes a query's encoding and applies OAuth's.
fn recode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        let byte = match (first, tail) {
            (b'+', _) => b' ',
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    rest = after;
                    high << 4 | low
                }
                _ => b'%',
            },
            (other, _) => *other,
        };
        bytes.push(byte);
    }
    percent_encode_bytes(&bytes)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

/// A query need not be UTF-8 once decoded.
fn percent_encode_bytes(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => percent_encode(text),
        Err(_) => bytes
            .iter()
            .map(|byte| match byte {
                0..=0x7f => percent_encode(char::from(*byte).encode_utf8(&mut [0; 4])),
                _ => format!("%{byte:02X}"),
            })
            .collect(),
    }
}

/// HMAC-SHA1 over the base string (section 3.4.2), in base64.
fn sign(base: &str, consumer_secret: &str, token_secret: &str) -> Result<String, Error> {
    let key = Zeroizing::new(format!(
        "{}&{}",
        percent_encode(consumer_secret),
        percent_encode(token_secret)
    ));
    let mac = mdm_pki::hmac(DigestAlgorithm::Sha1, key.as_bytes(), base.as_bytes())?;
    Ok(STANDARD.encode(mac))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_section_3_4_1_gives_its_base_string() {
        let uri = "http://EXAMPLE.COM:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b"
            .parse()
            .unwrap();
        let parameters = [
            ("oauth_consumer_key", "9djdj82h48djs9d2"),
            ("oauth_token", "kkk9d7dh3k39sjv7"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "137131201"),
            ("oauth_nonce", "7d8f3e4a"),
            // The example's form body: c2&a3=2+q
            ("c2", ""),
            ("a3", "2 q"),
        ];
        let base = signature_base_string(&Method::POST, &uri, &parameters).unwrap();
        assert_eq!(
            base,
            "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q\
             %26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26c2%3D%26oauth_consumer_\
             key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_m\
             ethod%3DHMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk\
             9d7dh3k39sjv7"
        );
    }

    #[test]
    fn the_examples_of_section_1_2_give_their_signatures() {
        // The request for temporary credentials has no token yet, so its secret is empty.
        let initiate = signature_base_string(
            &Method::POST,
            &"https://photos.example.net/initiate".parse().unwrap(),
            &[
                ("oauth_consumer_key", "dpf43f3p2l4k3l03"),
                ("oauth_signature_method", "HMAC-SHA1"),
                ("oauth_timestamp", "137131200"),
                ("oauth_nonce", "wIjqoS"),
                ("oauth_callback", "http://printer.example.com/ready"),
            ],
        )
        .unwrap();
        assert_eq!(
            sign(&initiate, "kd94hf93k423kf44", "").unwrap(),
            "74KNZJeDHnMBp0EMJ9ZHt/XKycU="
        );

        let token = signature_base_string(
            &Method::POST,
            &"https://photos.example.net/token".parse().unwrap(),
            &[
                ("oauth_consumer_key", "dpf43f3p2l4k3l03"),
                ("oauth_token", "hh5s93j4hdidpola"),
                ("oauth_signature_method", "HMAC-SHA1"),
                ("oauth_timestamp", "137131201"),
                ("oauth_nonce", "walatlh"),
                ("oauth_verifier", "hfdp7dh39dks9884"),
            ],
        )
        .unwrap();
        assert_eq!(
            sign(&token, "kd94hf93k423kf44", "hdhd0244k9j7ao03").unwrap(),
            "gKgrFCywp7rO0OXSjdot/IHF7IU="
        );

        let photos = signature_base_string(
            &Method::GET,
            &"http://photos.example.net/photos?file=vacation.jpg&size=original"
                .parse()
                .unwrap(),
            &[
                ("oauth_consumer_key", "dpf43f3p2l4k3l03"),
                ("oauth_token", "nnch734d00sl2jdk"),
                ("oauth_signature_method", "HMAC-SHA1"),
                ("oauth_timestamp", "137131202"),
                ("oauth_nonce", "chapoH"),
            ],
        )
        .unwrap();
        assert_eq!(
            sign(&photos, "kd94hf93k423kf44", "pfkkdhi9sl3r4s00").unwrap(),
            "MdpQcU8iPSUjWoN/UDMsK2sui9I="
        );
    }

    #[test]
    fn the_port_is_signed_unless_it_is_the_schemes_own() {
        for (uri, expected) in [
            (
                "https://Host.example:443/session",
                "https://host.example/session",
            ),
            (
                "https://host.example:8443/session",
                "https://host.example:8443/session",
            ),
            ("http://host.example:443/s", "http://host.example:443/s"),
            ("https://host.example", "https://host.example/"),
        ] {
            assert_eq!(base_string_uri(&uri.parse().unwrap()).unwrap(), expected);
        }
        assert!(base_string_uri(&"/session".parse().unwrap()).is_err());
    }

    #[test]
    fn broken_escapes_in_a_query_are_taken_as_they_stand() {
        for (text, expected) in [
            ("%zz", "%25zz"),
            ("%4", "%254"),
            ("a+b", "a%20b"),
            ("%FFA", "%FFA"),
        ] {
            assert_eq!(recode(text), expected, "{text}");
        }
    }

    #[test]
    fn the_header_is_one_line_has_the_realm_and_is_sensitive() {
        let token = ServerToken::new("CK_1", "CS_1", "AT_1", "AS_1");
        let uri = "https://mdmenrollment.apple.com/session".parse().unwrap();
        let header = authorization(&Method::GET, &uri, &token, "n1", 1_700_000_000).unwrap();
        let text = header.to_str().unwrap();
        assert!(
            text.starts_with(
                "OAuth realm=\"ADM\", oauth_consumer_key=\"CK_1\", oauth_token=\"AT_1\""
            ),
            "{text}"
        );
        assert!(text.contains("oauth_timestamp=\"1700000000\""));
        assert!(text.contains("oauth_version=\"1.0\""));
        assert!(!text.contains("CS_1") && !text.contains("AS_1"));
        assert!(header.is_sensitive());
    }
}
