//! Where apps stand on the home screen.

use crate::payload::{
    HomeScreenLayout,
    home_screen_layout::{IconItem, IconItemType},
};

/// A home screen: pages of icons, and a dock of up to six, four on an iPhone.
///
/// Apps that it does not name follow on pages of their own.
///
/// ```
/// use mdm_profiles::recipe::{app, folder, home_screen, web_clip};
///
/// let tools = folder("Tools", [app("com.apple.calculator"), app("com.apple.mobilenotes")]);
/// let pages = [vec![tools, web_clip("https://intranet.example.com/")]];
/// let layout = home_screen(pages, [app("com.apple.mobilesafari")]);
/// assert_eq!(layout.dock.unwrap().len(), 1);
/// ```
pub fn home_screen(
    pages: impl IntoIterator<Item = Vec<IconItem>>,
    dock: impl IntoIterator<Item = IconItem>,
) -> HomeScreenLayout {
    let dock: Vec<_> = dock.into_iter().collect();
    HomeScreenLayout::new(pages.into_iter().collect::<Vec<_>>())
        .with(|layout| layout.dock = (!dock.is_empty()).then_some(dock))
}

/// The icon of an app.
pub fn app(bundle_id: impl Into<String>) -> IconItem {
    IconItem::new(IconItemType::Application).with(|icon| icon.bundle_id = Some(bundle_id.into()))
}

/// The icon of a web clip that another payload sets up, found by its URL.
pub fn web_clip(url: impl Into<String>) -> IconItem {
    IconItem::new(IconItemType::WebClip).with(|icon| icon.url = Some(url.into()))
}

/// A folder with one page.
pub fn folder(name: impl Into<String>, icons: impl IntoIterator<Item = IconItem>) -> IconItem {
    IconItem::new(IconItemType::Folder).with(|icon| {
        icon.display_name = Some(name.into());
        icon.pages = Some(vec![icons.into_iter().collect()]);
    })
}
