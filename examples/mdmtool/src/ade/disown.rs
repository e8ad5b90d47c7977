//! `disown`: gives devices up, for good.

use clap::Args;
use serde_json::Map;

use super::{
    Done, console::Console, failure::Failure, online::Online, serials::Serials, text,
    verdicts::Verdicts,
};

#[derive(Debug, Args)]
pub(super) struct Disown {
    #[command(flatten)]
    serials: Serials,
    /// Yes, these devices are to leave the organization for good.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    online: Online,
}

impl Disown {
    pub(super) async fn run(self, console: &mut Console) -> Done {
        let serials = self.serials.read()?;
        if !self.yes {
            return Err(Failure::input(
                format!(
                    "{} would leave the organization for good: nothing brings a disowned device back \
                     but its seller or Apple Configurator",
                    text::count(serials.len(), "device")
                ),
                "say --yes if that is meant; `profile remove` only takes the profile away",
            ));
        }
        let client = self.online.client()?;
        let verdicts = Verdicts::collect("disowned", &serials, console, async |batch| {
            client.disown(batch).await
        })
        .await;
        verdicts.tell(Map::new(), console)
    }
}
