//! The attributes of a map, each taken once; what is left over is an error.

use std::fmt;

use super::IGNORED;
use crate::failure::{Failure, Outcome};
use crate::yaml::{Content, NodeId, Scalar, Tree};

/// The attributes of one map.
pub(super) struct Fields<'a> {
    tree: &'a Tree,
    node: NodeId,
    /// What they belong to, for messages.
    of: String,
    left: Vec<(&'a str, NodeId)>,
}

impl<'a> Fields<'a> {
    pub(super) fn of(tree: &'a Tree, node: NodeId, of: impl Into<String>) -> Outcome<Self> {
        let of = of.into();
        let Content::Map(entries) = tree.content(node) else {
            return Err(tree.wrong(node, format!("{of} is not a map")));
        };
        let left = entries.iter().map(|(key, node)| (key.as_str(), *node));
        Ok(Self {
            tree,
            node,
            of,
            left: left.collect(),
        })
    }

    /// Says in messages what the attributes belong to, once that is known.
    pub(super) fn call(&mut self, of: impl Into<String>) {
        self.of = of.into();
    }

    pub(super) fn take(&mut self, name: &str) -> Option<NodeId> {
        let place = self.left.iter().position(|(known, _)| *known == name)?;
        Some(self.left.remove(place).1)
    }

    /// The attributes that are left, whatever they are called.
    pub(super) fn take_rest(&mut self) -> Vec<(&'a str, NodeId)> {
        std::mem::take(&mut self.left)
    }

    /// Fails where an attribute is left that this program does not know.
    pub(super) fn finish(self) -> Outcome {
        match self.left.iter().find(|(name, _)| !IGNORED.contains(name)) {
            Some((name, node)) => {
                Err(self.wrong(*node, format!("has an unknown attribute `{name}`")))
            }
            None => Ok(()),
        }
    }

    pub(super) fn wrong(&self, node: NodeId, what: impl fmt::Display) -> Failure {
        self.tree.wrong(node, format!("{} {what}", self.of))
    }

    fn scalar(&mut self, name: &str) -> Outcome<Option<(NodeId, &'a Scalar)>> {
        let Some(node) = self.take(name) else {
            return Ok(None);
        };
        match self.tree.content(node) {
            Content::Scalar(scalar) => Ok(Some((node, scalar))),
            _ => Err(self.wrong(node, format!("has a `{name}` that is not a single value"))),
        }
    }

    pub(super) fn text(&mut self, name: &str) -> Outcome<Option<String>> {
        Ok(self.scalar(name)?.map(|(_, scalar)| scalar.text.clone()))
    }

    pub(super) fn required(&mut self, name: &str) -> Outcome<String> {
        Ok(self.required_at(name)?.1)
    }

    pub(super) fn required_at(&mut self, name: &str) -> Outcome<(NodeId, String)> {
        match self.scalar(name)? {
            Some((node, scalar)) => Ok((node, scalar.text.clone())),
            None => Err(self.wrong(self.node, format!("has no `{name}`"))),
        }
    }

    /// A text that is one of these.
    pub(super) fn word(&mut self, name: &str, words: &[&str]) -> Outcome<Option<String>> {
        match self.scalar(name)? {
            Some((_, scalar)) if words.contains(&scalar.text.as_str()) => {
                Ok(Some(scalar.text.clone()))
            }
            Some((node, scalar)) => {
                let what = format!("has an unknown `{name}`: `{}`", scalar.text);
                Err(self.wrong(node, what))
            }
            None => Ok(None),
        }
    }

    pub(super) fn flag(&mut self, name: &str) -> Outcome<Option<bool>> {
        match self.scalar(name)? {
            Some((node, scalar)) => match (scalar.plain, scalar.text.as_str()) {
                (true, "true") => Ok(Some(true)),
                (true, "false") => Ok(Some(false)),
                _ => Err(self.wrong(node, format!("has a `{name}` that is not a boolean"))),
            },
            None => Ok(None),
        }
    }

    pub(super) fn number<T: std::str::FromStr>(&mut self, name: &str) -> Outcome<Option<T>> {
        match self.scalar(name)? {
            Some((node, scalar)) => match scalar.text.parse() {
                Ok(number) if scalar.plain => Ok(Some(number)),
                _ => Err(self.wrong(node, format!("has a `{name}` that is not such a number"))),
            },
            None => Ok(None),
        }
    }

    /// The nodes of a list; none where there is no such attribute.
    pub(super) fn items(&mut self, name: &str) -> Outcome<Vec<NodeId>> {
        match self.take(name) {
            Some(node) => Ok(list(self.tree, node, &format!("`{name}`"))?.to_vec()),
            None => Ok(Vec::new()),
        }
    }

    pub(super) fn texts(&mut self, name: &str) -> Outcome<Option<Vec<String>>> {
        let Some(node) = self.take(name) else {
            return Ok(None);
        };
        let mut texts = Vec::new();
        for item in list(self.tree, node, &format!("`{name}`"))? {
            match self.tree.content(*item) {
                Content::Scalar(scalar) => texts.push(scalar.text.clone()),
                _ => return Err(self.wrong(*item, format!("has a `{name}` of other than texts"))),
            }
        }
        Ok(Some(texts))
    }

    /// Texts that are each one of these.
    pub(super) fn words(&mut self, name: &str, words: &[&str]) -> Outcome<Option<Vec<String>>> {
        let texts = self.texts(name)?;
        let unknown = |text: &&String| !words.contains(&text.as_str());
        match texts.iter().flatten().find(unknown) {
            Some(text) => Err(self.wrong(
                self.node,
                format!("has an unknown value in `{name}`: `{text}`"),
            )),
            None => Ok(texts),
        }
    }
}

/// The nodes of a list.
pub(super) fn list<'a>(tree: &'a Tree, node: NodeId, what: &str) -> Outcome<&'a [NodeId]> {
    match tree.content(node) {
        Content::List(items) => Ok(items),
        _ => Err(tree.wrong(node, format!("{what} is not a list"))),
    }
}
