//! `assign`: gives devices a profile.

use clap::Args;
use serde_json::Map;

use super::{Done, console::Console, online::Online, serials::Serials, verdicts::Verdicts};

#[derive(Debug, Args)]
pub(super) struct Assign {
    /// The profile, as `profile define` told.
    #[arg(value_name = "PROFILE_UUID")]
    profile: String,
    #[command(flatten)]
    serials: Serials,
    #[command(flatten)]
    online: Online,
}

impl Assign {
    pub(super) async fn run(self, console: &mut Console) -> Done {
        let serials = self.serials.read()?;
        let client = self.online.client()?;
        let profile = self.profile.as_str();
        let verdicts = Verdicts::collect("assigned", &serials, console, async |batch| {
            client.assign(profile, batch).await
        })
        .await;
        let mut document = Map::new();
        document.insert("profile_uuid".to_owned(), profile.into());
        verdicts.tell(document, console)
    }
}
