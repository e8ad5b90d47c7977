//! The answer to `declaration-items`: the manifest of what there is.

use serde::{Deserialize, Serialize};

use super::DeclarationKind;

/// Every declaration that the device should have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct DeclarationItemsResponse {
    /// `Declarations`, by kind.
    pub declarations: Declarations,
    /// `DeclarationsToken`: the same as `tokens` answers.
    pub declarations_token: String,
}

impl DeclarationItemsResponse {
    /// A manifest with this token.
    pub fn new(declarations_token: impl Into<String>, declarations: Declarations) -> Self {
        Self {
            declarations,
            declarations_token: declarations_token.into(),
        }
    }
}

/// The manifest's four lists; all four are written even where they are empty (Q23).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct Declarations {
    /// `Activations`.
    #[serde(default)]
    pub activations: Vec<DeclarationItem>,
    /// `Assets`.
    #[serde(default)]
    pub assets: Vec<DeclarationItem>,
    /// `Configurations`.
    #[serde(default)]
    pub configurations: Vec<DeclarationItem>,
    /// `Management`.
    #[serde(default)]
    pub management: Vec<DeclarationItem>,
}

impl Declarations {
    /// The list of one kind.
    pub fn of(&self, kind: DeclarationKind) -> &[DeclarationItem] {
        match kind {
            DeclarationKind::Activation => &self.activations,
            DeclarationKind::Asset => &self.assets,
            DeclarationKind::Configuration => &self.configurations,
            DeclarationKind::Management => &self.management,
        }
    }

    /// The list of one kind, to add to.
    pub fn of_mut(&mut self, kind: DeclarationKind) -> &mut Vec<DeclarationItem> {
        match kind {
            DeclarationKind::Activation => &mut self.activations,
            DeclarationKind::Asset => &mut self.assets,
            DeclarationKind::Configuration => &mut self.configurations,
            DeclarationKind::Management => &mut self.management,
        }
    }
}

/// One declaration in the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct DeclarationItem {
    /// `Identifier`.
    pub identifier: String,
    /// `ServerToken`: changes with any change of the declaration.
    pub server_token: String,
}

impl DeclarationItem {
    /// A declaration at this state.
    pub fn new(identifier: impl Into<String>, server_token: impl Into<String>) -> Self {
        Self {
            identifier: identifier.into(),
            server_token: server_token.into(),
        }
    }
}
