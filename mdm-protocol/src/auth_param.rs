//! Parameters of HTTP authentication: a scheme, then names with values (RFC 9110, section 11.2).

use crate::error::Error;

/// The longest text that is read, in bytes.
const MAX_BYTES: usize = 16 * 1024;

/// The parameters after the scheme, in order, names in small letters. A name that stands twice is an error.
pub(crate) fn parse(
    key: &'static str,
    scheme: &str,
    text: &str,
) -> Result<Vec<(String, String)>, Error> {
    if text.len() > MAX_BYTES {
        return Err(Error::TooLarge {
            what: key,
            bytes: text.len(),
            limit: MAX_BYTES,
        });
    }
    let invalid = |problem| Error::Invalid { key, problem };
    let text = text.trim();
    let rest = text
        .get(..scheme.len())
        .filter(|start| start.eq_ignore_ascii_case(scheme))
        .and_then(|_| text.get(scheme.len()..))
        .filter(|rest| rest.starts_with([' ', '\t']))
        .ok_or_else(|| invalid("of another scheme"))?;
    let mut found: Vec<(String, String)> = Vec::new();
    let mut rest = rest.trim_start_matches([' ', '\t', ',']);
    while !rest.is_empty() {
        let (name, after) = rest
            .split_once('=')
            .ok_or_else(|| invalid("without the value of a parameter"))?;
        let name = name.trim().to_ascii_lowercase();
        let (value, after) = value(after.trim_start()).ok_or_else(|| invalid("not closed"))?;
        if found.iter().any(|(known, _)| *known == name) {
            return Err(invalid("ambiguous: a parameter stands twice"));
        }
        found.push((name, value));
        let after = after.trim_start();
        if !after.is_empty() && !after.starts_with(',') {
            return Err(invalid("without a comma between parameters"));
        }
        rest = after.trim_start_matches([' ', '\t', ',']);
    }
    Ok(found)
}

/// A quoted or a bare value, and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        let (bare, after) = text.split_at(end);
        return Some((bare.to_owned(), after));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, quoted.get(at + 1..)?)),
            '\\' => value.push(chars.next()?.1),
            c => value.push(c),
        }
    }
    None
}

/// `name="value"`, with what a quoted string cannot hold escaped or left out.
pub(crate) fn quoted(name: &str, value: &str) -> String {
    let mut text = format!("{name}=\"");
    for c in value.chars().filter(|c| !c.is_control()) {
        if matches!(c, '"' | '\\') {
            text.push('\\');
        }
        text.push(c);
    }
    text.push('"');
    text
}

/// The value of a parameter.
pub(crate) fn find<'a>(found: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut named = found.iter().filter(|(known, _)| known == name);
    named.next().map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_quoted_and_bare_and_written_back() {
        let found = parse(
            "x",
            "Digest",
            r#"digest Realm="a \"b\", c" , qop=auth,nc=01"#,
        )
        .unwrap();
        assert_eq!(find(&found, "realm"), Some(r#"a "b", c"#));
        assert_eq!(find(&found, "qop"), Some("auth"));
        assert_eq!(find(&found, "nc"), Some("01"));
        assert_eq!(quoted("realm", "a \"b\"\r\n"), r#"realm="a \"b\"""#);
    }

    #[test]
    fn what_is_no_list_of_parameters_is_refused() {
        for text in [
            "",
            "Basic realm=x",
            "Digestrealm=x",
            "Digest realm",
            "Digest realm=\"x",
            "Digest realm=\"x\\",
            "Digest realm=\"x\" nonce=\"y\"",
            "Digest realm=x, realm=y",
        ] {
            assert!(parse("x", "Digest", text).is_err(), "{text}");
        }
        assert!(
            parse(
                "x",
                "Digest",
                &format!("Digest a={}", "b".repeat(MAX_BYTES))
            )
            .is_err()
        );
    }
}
