//! The home screen.

use clap::Args;
use mdm_profiles::{payload::home_screen_layout::IconItem, recipe};

use super::{build, frame::Frame, impossible};
use crate::{console::Console, failure::Done};

#[derive(Debug, Args)]
pub(crate) struct HomeScreen {
    /// A page, several times for several: icons with commas between them. An icon is an app's bundle
    /// identifier, the URL of a web clip, or a folder as NAME=ICON+ICON.
    #[arg(long = "page", value_name = "ICONS", required = true)]
    pages: Vec<String>,
    /// The Dock, written the same.
    #[arg(long, value_name = "ICONS")]
    dock: Option<String>,
    #[command(flatten, next_help_heading = "The profile")]
    frame: Frame,
}

impl HomeScreen {
    pub(super) fn run(self, console: &mut Console) -> Done {
        build(&self.frame, console, |profile| {
            let pages = self.pages.iter().map(|page| icons(page));
            let dock = self.dock.as_deref().map(icons).unwrap_or_default();
            let layout = recipe::home_screen(pages, dock);
            let added = profile.add("homescreen", &layout);
            added.map(drop).map_err(impossible)
        })
    }
}

fn icons(page: &str) -> Vec<IconItem> {
    page.split(',')
        .filter(|icon| !icon.is_empty())
        .map(icon)
        .collect()
}

fn icon(text: &str) -> IconItem {
    if text.contains("://") {
        return recipe::web_clip(text);
    }
    match text.split_once('=') {
        Some((name, inside)) => recipe::folder(name, inside.split('+').map(recipe::app)),
        None => recipe::app(text),
    }
}
