//! What became of each setting: an array in what devices send, where the schema has one dictionary.

use mdm_plist::{Dictionary, Value};

use super::{ErrorChainItem, SettingsResponse, Status};

/// What became of one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SettingResult {
    /// `Item`: which setting; devices may leave it out, then the order tells.
    pub item: Option<String>,
    /// `Identifier`: the app that it is about.
    pub identifier: Option<String>,
    /// `Status`: whether it is done.
    pub status: Option<Status>,
    /// `ErrorChain`: why it is not, outermost first.
    pub error_chain: Vec<ErrorChainItem>,
}

impl SettingsResponse {
    /// What became of each setting, in the order of the command.
    ///
    /// ```
    /// use mdm_protocol::response::{Envelope, SettingsResponse, Status};
    ///
    /// let answer = Envelope::decode(br#"<plist version="1.0"><dict>
    ///   <key>CommandUUID</key><string>C-2</string>
    ///   <key>Status</key><string>Acknowledged</string>
    ///   <key>Settings</key><array>
    ///     <dict><key>Item</key><string>DeviceName</string>
    ///       <key>Status</key><string>Acknowledged</string></dict>
    ///   </array>
    /// </dict></plist>"#)?;
    /// let results = answer.body::<SettingsResponse>()?.results();
    /// assert_eq!(results[0].item.as_deref(), Some("DeviceName"));
    /// assert_eq!(results[0].status, Some(Status::Acknowledged));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn results(&self) -> Vec<SettingResult> {
        let one = |value: &Value| value.as_dictionary().map(SettingResult::read);
        match self.settings.as_deref() {
            Some(Value::Array(values)) => values.iter().filter_map(one).collect(),
            Some(value) => one(value).into_iter().collect(),
            None => Vec::new(),
        }
    }
}

impl SettingResult {
    /// Takes what is usable.
    fn read(keys: &Dictionary) -> Self {
        let text = |key| keys.get(key).and_then(Value::as_string);
        let chain = keys.get("ErrorChain").and_then(Value::as_array);
        Self {
            item: text("Item").map(str::to_owned),
            identifier: text("Identifier").map(str::to_owned),
            status: text("Status").map(Status::from),
            error_chain: chain
                .into_iter()
                .flatten()
                .filter_map(ErrorChainItem::from_value)
                .collect(),
        }
    }
}
