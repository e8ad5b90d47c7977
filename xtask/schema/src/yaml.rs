//! A YAML file as a graph of nodes: an alias is the node that it names, so that lists which lead back
//! to themselves need no special case. Quoted and plain scalars are told apart.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use saphyr_parser::{Event, Parser, ScalarStyle};

use crate::failure::{Failure, Outcome};

/// The largest file that is read; Apple's largest has 200 kB.
const MAX_BYTES: usize = 4 << 20;
/// The deepest nesting that is read; Apple's deepest is 30.
const MAX_DEPTH: usize = 128;

/// A file.
#[derive(Debug)]
pub(crate) struct Tree {
    name: String,
    nodes: Vec<Node>,
}

/// A node's place in its [`Tree`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId(usize);

#[derive(Debug)]
pub(crate) struct Node {
    line: usize,
    pub(crate) content: Content,
}

#[derive(Debug)]
pub(crate) enum Content {
    Scalar(Scalar),
    List(Vec<NodeId>),
    Map(Vec<(String, NodeId)>),
}

/// A text, and whether it stands there without quotes: only then it may be a number or a boolean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    pub(crate) plain: bool,
}

impl Tree {
    /// Reads `root/name`.
    pub(crate) fn open(root: &Path, name: &str) -> Outcome<Self> {
        let bytes = fs::read(root.join(name)).map_err(|error| format!("{name}: {error}"))?;
        let text = String::from_utf8(bytes).map_err(|_| format!("{name}: is not UTF-8"))?;
        Self::parse(name, &text)
    }

    /// Reads a text; `name` is for messages.
    pub(crate) fn parse(name: &str, text: &str) -> Outcome<Self> {
        if text.len() > MAX_BYTES {
            return Err(format!("{name}: has more than {MAX_BYTES} bytes").into());
        }
        let mut builder = Builder::new(name);
        let mut parser = Parser::new_from_str(text);
        while let Some(event) = parser.next_event() {
            let (event, span) = event.map_err(|error| {
                let line = error.marker().line();
                format!("{name}:{line}: {}", error.info())
            })?;
            builder.take(event, span.start.line())?;
        }
        builder.finish()
    }

    /// The outermost node.
    pub(crate) fn root(&self) -> NodeId {
        NodeId(0)
    }

    /// Every node, as often as it is written.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes.len()).map(NodeId)
    }

    pub(crate) fn content(&self, id: NodeId) -> &Content {
        &self.nodes[id.0].content
    }

    /// What is wrong with a node, with file and line.
    pub(crate) fn wrong(&self, id: NodeId, what: impl std::fmt::Display) -> Failure {
        format!("{}:{}: {what}", self.name, self.nodes[id.0].line).into()
    }
}

/// A list or map that is being filled.
struct Open {
    id: NodeId,
    /// The key that waits for its value.
    key: Option<String>,
}

struct Builder<'a> {
    name: &'a str,
    nodes: Vec<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, NodeId>,
    documents: usize,
}

impl<'a> Builder<'a> {
    fn new(name: &'a str) -> Self {
        Self {
            name,
            nodes: Vec::new(),
            open: Vec::new(),
            anchors: HashMap::new(),
            documents: 0,
        }
    }

    fn wrong<T>(&self, line: usize, what: &str) -> Outcome<T> {
        Err(format!("{}:{line}: {what}", self.name).into())
    }

    fn take(&mut self, event: Event<'_>, line: usize) -> Outcome {
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return self.wrong(line, "a second document begins");
                }
            }
            Event::Scalar(_, _, _, Some(_))
            | Event::SequenceStart(_, Some(_))
            | Event::MappingStart(_, Some(_)) => return self.wrong(line, "has a tag"),
            Event::Scalar(text, style, anchor, None) => {
                let plain = style == ScalarStyle::Plain;
                let text = text.into_owned();
                self.scalar(Scalar { text, plain }, anchor, line)?;
            }
            Event::SequenceStart(anchor, None) => {
                self.begin(Content::List(Vec::new()), anchor, line)?;
            }
            Event::MappingStart(anchor, None) => {
                self.begin(Content::Map(Vec::new()), anchor, line)?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.open.pop();
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(id) => self.put(*id, line)?,
                None => return self.wrong(line, "unknown anchor"),
            },
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn scalar(&mut self, scalar: Scalar, anchor: usize, line: usize) -> Outcome {
        if let Some(Open { id, key }) = self.open.last_mut()
            && key.is_none()
            && let Content::Map(entries) = &self.nodes[id.0].content
        {
            if entries.iter().any(|(known, _)| *known == scalar.text) {
                return self.wrong(line, &format!("`{}` stands there twice", scalar.text));
            }
            // What YAML 1.1 merges; neither the schema nor YAML 1.2 does.
            if scalar.plain && scalar.text == "<<" {
                return self.wrong(line, "merge keys are not supported");
            }
            *key = Some(scalar.text);
            return Ok(());
        }
        let id = self.add(Content::Scalar(scalar), anchor, line);
        self.put(id, line)
    }

    fn begin(&mut self, content: Content, anchor: usize, line: usize) -> Outcome {
        if self.open.len() >= MAX_DEPTH {
            return self.wrong(line, &format!("is nested deeper than {MAX_DEPTH}"));
        }
        let id = self.add(content, anchor, line);
        self.put(id, line)?;
        self.open.push(Open { id, key: None });
        Ok(())
    }

    /// A new node, known by its anchor before it is filled.
    fn add(&mut self, content: Content, anchor: usize, line: usize) -> NodeId {
        let id = NodeId(self.nodes.len());
        self.nodes.push(Node { line, content });
        if anchor > 0 {
            self.anchors.insert(anchor, id);
        }
        id
    }

    /// Puts a node into what is open.
    fn put(&mut self, id: NodeId, line: usize) -> Outcome {
        let Some(Open { id: outer, key }) = self.open.last_mut() else {
            return Ok(());
        };
        match (&mut self.nodes[outer.0].content, key.take()) {
            (Content::List(items), None) => items.push(id),
            (Content::Map(entries), Some(key)) => entries.push((key, id)),
            _ => return self.wrong(line, "a map's key is not a text"),
        }
        Ok(())
    }

    fn finish(self) -> Outcome<Tree> {
        if self.nodes.is_empty() {
            return self.wrong(1, "is empty");
        }
        Ok(Tree {
            name: self.name.to_owned(),
            nodes: self.nodes,
        })
    }
}
