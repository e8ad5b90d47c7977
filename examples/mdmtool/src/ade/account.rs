//! `account`: which server and organization the token is for.

use std::fmt::Write;

use ade_client::{ServerToken, endpoint::GetAccount, model::Account};
use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::json;

use super::{
    Done,
    console::Console,
    online::Online,
    text::{self, written},
};

/// From how many days before its end a token is worth a remark.
const SOON: i64 = 30;

#[derive(Debug, Args)]
pub(super) struct Show {
    #[command(flatten)]
    online: Online,
}

impl Show {
    pub(super) async fn run(self, console: &mut Console) -> Done {
        let (client, token) = self.online.connect()?;
        let account = client.send(&GetAccount::new()).await?;
        let now = Utc::now();
        let days = days_left(&token, now);
        let told = serde_json::to_value(&account).map_err(mdmtool::Error::from)?;
        let document = json!({
            "account": told,
            "token": {
                "consumer_key": token.consumer_key,
                "expires": token.access_token_expiry.map(written),
                "days_left": days,
            },
        });
        console.answer(&document, || {
            let mut text = text::fields(&told, &["urls"]);
            for (path, maximum) in limits(&account) {
                let _ = writeln!(text, "{path}: at most {maximum} at once");
            }
            if let Some(end) = token.access_token_expiry {
                let _ = writeln!(text, "the token ends on {}", written(end));
            }
            text
        })?;
        if let Some(days) = days.filter(|days| *days <= SOON) {
            let when = match days {
                ..0 => "has ended".to_owned(),
                _ => format!("ends in {days} days"),
            };
            console.note(&format!(
                "the token {when}: download a new one in Apple's portal, and put it in this one's \
                 place at once, since that ends this one"
            ));
        }
        Ok(())
    }
}

fn limits(account: &Account) -> impl Iterator<Item = (String, u32)> {
    let urls = account.urls.iter().flatten();
    urls.filter_map(|url| {
        let maximum = url.limit.as_ref()?.maximum?;
        Some((text::printable(url.uri.as_deref()?), maximum))
    })
}

fn days_left(token: &ServerToken, now: DateTime<Utc>) -> Option<i64> {
    Some(
        (token.access_token_expiry? - now)
            .num_seconds()
            .div_euclid(86_400),
    )
}
