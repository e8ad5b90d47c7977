//! `beta-tokens`: the beta programmes that devices can be enrolled in.

use ade_client::{endpoint::GetBetaEnrollmentTokens, model::BetaEnrollmentToken};
use clap::Args;
use serde_json::{Value, json};

use super::{
    Done,
    console::Console,
    online::Online,
    text,
    token::{REDACTED, Redact},
};

#[derive(Debug, Args)]
pub(super) struct BetaTokens {
    #[command(flatten)]
    redact: Redact,
    #[command(flatten)]
    online: Online,
}

impl BetaTokens {
    pub(super) async fn run(self, console: &mut Console) -> Done {
        let client = self.online.client()?;
        let answer = client.send(&GetBetaEnrollmentTokens::new()).await?;
        let tokens: Vec<Value> = answer
            .tokens()
            .iter()
            .map(|token| self.told(token))
            .collect();
        console.answer(&json!({"tokens": tokens}), || {
            if tokens.is_empty() {
                return "no beta programme".to_owned();
            }
            let lines: Vec<String> = tokens.iter().map(line).collect();
            lines.join("\n")
        })
    }

    fn told(&self, token: &BetaEnrollmentToken) -> Value {
        let secret = token.token.as_ref().map(|token| match self.redact.redact {
            true => REDACTED,
            false => token.expose().as_str(),
        });
        json!({
            "os": token.os.as_ref().map(|os| os.as_str()),
            "title": token.title,
            "token": secret,
        })
    }
}

fn line(token: &Value) -> String {
    let text = |key: &str| token[key].as_str().unwrap_or("-").to_owned();
    text::printable(&format!(
        "{:<10} {}  {}",
        text("os"),
        text("title"),
        text("token")
    ))
}
