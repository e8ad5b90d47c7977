//! The tokens that bring devices into Apple's beta programmes.
//!
//! <https://developer.apple.com/documentation/devicemanagement/getseedbuildtokenresponse>

use mdm_core::Secret;

use super::{device::OperatingSystem, loose::loose};

loose! {
    /// The beta programmes that the organization may enrol its devices in.
    pub struct BetaEnrollmentTokens {
        /// One for each programme.
        beta_enrollment_tokens = "betaEnrollmentTokens": Vec<BetaEnrollmentToken>,
        /// The same under their former name; not documented, but seen.
        seed_build_tokens = "seedBuildTokens": Vec<BetaEnrollmentToken>,
    }
}

impl BetaEnrollmentTokens {
    /// The tokens under the name that Apple documents, else those under the former one.
    pub fn tokens(&self) -> &[BetaEnrollmentToken] {
        [&self.beta_enrollment_tokens, &self.seed_build_tokens]
            .into_iter()
            .flatten()
            .find(|tokens| !tokens.is_empty())
            .map_or(&[], Vec::as_slice)
    }
}

loose! {
    /// A beta programme.
    pub struct BetaEnrollmentToken {
        /// What a device enrols with.
        token: Secret<String>,
        /// The programme's name.
        title: String,
        /// The operating system.
        os: OperatingSystem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_odd_item_costs_no_token() {
        let json = r#"{"betaEnrollmentTokens":[{"token":"t1","title":"iOS 27","os":"iOS"},"odd",
            {"title":"no token"}]}"#;
        let tokens: BetaEnrollmentTokens = serde_json::from_str(json).unwrap();
        assert_eq!(tokens.tokens().len(), 2);
        assert!(!format!("{tokens:?}").contains("t1"));
        let value: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_value(&tokens).unwrap(), value);
    }

    #[test]
    fn tokens_are_found_under_both_names_and_not_shown() {
        for json in [
            r#"{"betaEnrollmentTokens":[{"token":"t1","title":"iOS 27","os":"homePodOS"}]}"#,
            r#"{"betaEnrollmentTokens":[],"seedBuildTokens":[{"token":"t1","title":"iOS 27","os":"homePodOS"}]}"#,
        ] {
            let tokens: BetaEnrollmentTokens = serde_json::from_str(json).unwrap();
            let [token] = tokens.tokens() else {
                panic!("{tokens:?}")
            };
            assert_eq!(token.token.as_ref().unwrap().expose(), "t1");
            assert!(token.os.as_ref().unwrap().is_known());
            assert!(!format!("{tokens:?}").contains("t1"));
            assert_eq!(serde_json::to_string(&tokens).unwrap(), json);
        }
        assert!(BetaEnrollmentTokens::default().tokens().is_empty());
    }
}
