//! From YAML events to the tree.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, StructureStyle, options};

use super::{Entry, Node, Value, scalar, syntax};
use crate::{
    diagnostic::{Diagnostic, code},
    span::{Sources, Span},
};

/// Levels of lists and maps in a file. The deepest place of the language has ten.
const DEPTH: usize = 64;
/// Values in a file, aliases counted each time they are used.
const NODES: usize = 4_000_000;
/// Values that aliases may add to a file; bounds the "billion laughs" shape.
const ALIASED: usize = 200_000;

/// Reads one file. Adds what is wrong to `out`; the tree holds what could be read all the same.
pub(crate) fn parse(sources: &Sources, source: u32, out: &mut Vec<Diagnostic>) -> Option<Node> {
    let text = sources.get(source)?.text();
    let options = options! {
        emit_comments: false,
        emit_unresolved_aliases: true,
        flow_nesting_limit: DEPTH,
        block_nesting_limit: DEPTH,
    };
    let mut builder = Builder {
        text,
        source,
        out,
        frames: Vec::new(),
        anchors: HashMap::new(),
        nodes: 0,
        aliased: 0,
        documents: 0,
        root: None,
    };
    for event in Parser::new_from_str_with_options(text, options) {
        match event {
            Ok((event, span)) => {
                let range = span.byte_range().unwrap_or(0..0);
                let tag = span.tag_span().and_then(|tag| tag.byte_range());
                builder.event(event, Span::new(source, range), tag)?;
            }
            Err(error) => {
                let diagnostic = syntax::explain(text, source, &error, builder.open_flow());
                builder.out.push(diagnostic);
                return None;
            }
        }
    }
    builder.root
}

struct Builder<'a> {
    text: &'a str,
    source: u32,
    out: &'a mut Vec<Diagnostic>,
    frames: Vec<Frame>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    aliased: usize,
    documents: usize,
    root: Option<Node>,
}

/// A list or map that is still open.
struct Frame {
    start: Span,
    flow: bool,
    anchor: usize,
    kind: Kind,
}

enum Kind {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        key: Option<Key>,
        merges: Vec<Node>,
        /// Where each key is in `entries`, once there are many.
        index: HashMap<String, usize>,
    },
}

/// A key whose value comes next.
enum Key {
    Name(String, Span),
    /// `<<`.
    Merge,
}

/// Keys in a map from which on they are looked up by hash.
const MANY_KEYS: usize = 16;

impl Builder<'_> {
    /// Takes one event; `None` stops reading.
    fn event(
        &mut self,
        event: Event<'_>,
        span: Span,
        tag: Option<std::ops::Range<usize>>,
    ) -> Option<()> {
        if let Some(tag) = tag {
            self.refuse_tag(Span::new(self.source, tag));
        }
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    self.refuse_second_document(span);
                    return None;
                }
            }
            Event::Scalar(text, style, anchor, _) => {
                let span = self.trimmed(span, style);
                let value = match style {
                    ScalarStyle::Plain => scalar::resolve(&text),
                    _ => Value::Text(text.clone().into_owned()),
                };
                let merge = style == ScalarStyle::Plain && text == "<<";
                self.deliver(Node::new(span, value), anchor, merge)?;
            }
            Event::SequenceStart(style, anchor, _) => {
                self.open(span, style, anchor, Kind::List(Vec::new()));
            }
            Event::MappingStart(style, anchor, _) => {
                let kind = Kind::Map {
                    entries: Vec::new(),
                    key: None,
                    merges: Vec::new(),
                    index: HashMap::new(),
                };
                self.open(span, style, anchor, kind);
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span)?,
            Event::Alias(id) => self.alias(id, span)?,
            Event::UnresolvedAlias(name) => {
                self.out.push(syntax::unknown_anchor(&name, span));
                self.deliver(Node::new(span, Value::Broken), 0, false)?;
            }
            _ => {}
        }
        Some(())
    }

    fn open(&mut self, start: Span, style: StructureStyle, anchor: usize, kind: Kind) {
        self.frames.push(Frame {
            start,
            flow: matches!(style, StructureStyle::Flow),
            anchor,
            kind,
        });
    }

    fn close(&mut self, end: Span) -> Option<()> {
        let frame = self.frames.pop()?;
        let (value, last) = match frame.kind {
            Kind::List(mut items) => {
                // It is kept as long as it serves, and most lists and maps are short.
                items.shrink_to_fit();
                let last = items.last().map(|item| item.span);
                (Value::List(items), last)
            }
            Kind::Map {
                mut entries,
                merges,
                ..
            } => {
                let last = entries.last().map(|entry| {
                    let value = entry.value.span;
                    // The value of an alias stands elsewhere.
                    if value.start >= entry.key_span.end {
                        value
                    } else {
                        entry.key_span
                    }
                });
                self.merge(&mut entries, merges);
                entries.shrink_to_fit();
                (Value::Map(entries), last)
            }
        };
        // The parser ends a block where the next token begins; what belongs to it ends earlier.
        let end = if frame.flow {
            end
        } else {
            last.unwrap_or(frame.start)
        };
        let span = if end.start >= frame.start.start {
            frame.start.to(end)
        } else {
            frame.start
        };
        self.deliver(Node::new(span, value), frame.anchor, false)
    }

    /// Puts a finished node where it belongs.
    fn deliver(&mut self, node: Node, anchor: usize, merge_key: bool) -> Option<()> {
        self.nodes += 1;
        if self.nodes > NODES {
            let message = format!("the file has more than {NODES} values");
            self.out
                .push(Diagnostic::error(code::TOO_LARGE, message).at(node.span, ""));
            return None;
        }
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(frame) = self.frames.last_mut() else {
            self.root = Some(node);
            return Some(());
        };
        match &mut frame.kind {
            Kind::List(items) => items.push(node),
            Kind::Map {
                entries,
                key,
                merges,
                index,
            } => match key.take() {
                None if merge_key => *key = Some(Key::Merge),
                None => {
                    let (name, place) = key_of(node, self.text, self.out);
                    *key = Some(Key::Name(name, place));
                }
                Some(Key::Merge) => merges.push(node),
                Some(Key::Name(key, key_span)) => {
                    let entry = Entry {
                        key,
                        key_span,
                        value: node,
                    };
                    match position(entries, index, &entry.key).and_then(|at| entries.get(at)) {
                        Some(first) => self.out.push(duplicate(&entry, first)),
                        None => entries.push(entry),
                    }
                }
            },
        }
        Some(())
    }

    fn alias(&mut self, id: usize, span: Span) -> Option<()> {
        let Some(target) = self.anchors.get(&id) else {
            let name = self.text.get(span.range()).unwrap_or("").to_owned();
            let diagnostic = Diagnostic::error(
                code::YAML_ALIAS,
                format!("`{name}` is used inside the value it stands for"),
            );
            self.out
                .push(diagnostic.at(span, "a value can't contain itself"));
            return self.deliver(Node::new(span, Value::Broken), 0, false);
        };
        self.aliased += target.count();
        if self.aliased > ALIASED || self.frames.len() + target.depth() > DEPTH {
            let diagnostic = Diagnostic::error(code::TOO_LARGE, "the aliases of this file expand too far")
                .at(span, "this one goes over the limit")
                .help(format!(
                    "aliases may add {ALIASED} values and reach {DEPTH} levels deep; write the values out"
                ));
            self.out.push(diagnostic);
            return None;
        }
        self.nodes += target.count();
        let node = target.clone();
        self.deliver(node, 0, false)
    }

    /// `<<: *base`: the keys of the base that the map does not have itself (YAML merge key).
    fn merge(&mut self, entries: &mut Vec<Entry>, merges: Vec<Node>) {
        for merge in merges {
            let span = merge.span;
            let bases = match merge.value {
                Value::List(items) => items,
                _ => vec![merge],
            };
            for base in bases {
                let Value::Map(theirs) = base.value else {
                    self.out.push(
                        Diagnostic::error(code::YAML_ALIAS, "`<<` takes a map, or a list of maps")
                            .at(span, "expected an alias of a map")
                            .help("write `<<: *name` where `&name` marks a map"),
                    );
                    continue;
                };
                for entry in theirs {
                    if !entries.iter().any(|mine| mine.key == entry.key) {
                        entries.push(entry);
                    }
                }
            }
        }
    }

    fn refuse_tag(&mut self, span: Span) {
        let tag = self.text.get(span.range()).unwrap_or("").to_owned();
        self.out.push(
            Diagnostic::error(
                code::YAML_TAG,
                format!("tags such as `{tag}` are not used here"),
            )
            .at(span, "remove the tag")
            .help("for a text that looks like a number, use quotes: `\"1\"`"),
        );
    }

    fn refuse_second_document(&mut self, span: Span) {
        self.out.push(
            Diagnostic::error(code::YAML_DOCUMENTS, "a file holds one YAML document")
                .at(span, "a second document begins here")
                .help(
                    "remove `---`, or put the second part in a file of its own in the same folder",
                ),
        );
    }

    /// The parser lets plain and block scalars run on to the end of the line or block.
    fn trimmed(&self, span: Span, style: ScalarStyle) -> Span {
        if matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted) {
            return span;
        }
        let text = self.text.get(span.range()).unwrap_or("");
        let end = span.range().start + text.trim_end().len();
        Span::new(self.source, span.range().start..end)
    }

    /// Where the innermost open `{` or `[` is.
    fn open_flow(&self) -> Option<Span> {
        self.frames
            .iter()
            .rev()
            .find(|frame| frame.flow && frame.start.end > frame.start.start)
            .map(|frame| frame.start)
    }
}

fn position(entries: &[Entry], index: &mut HashMap<String, usize>, key: &str) -> Option<usize> {
    if entries.len() < MANY_KEYS {
        return entries.iter().position(|entry| entry.key == key);
    }
    for (at, entry) in entries.iter().enumerate().skip(index.len()) {
        index.insert(entry.key.clone(), at);
    }
    index.get(key).copied()
}

fn duplicate(second: &Entry, first: &Entry) -> Diagnostic {
    Diagnostic::error(
        code::DUPLICATE_KEY,
        format!("`{}` is written twice", second.key),
    )
    .at(second.key_span, "second time")
    .also(first.key_span, "first time")
    .help("keep one of the two; if both are meant, give one another name")
}

/// Every scalar is a key as it is written; lists and maps are none.
fn key_of(node: Node, text: &str, out: &mut Vec<Diagnostic>) -> (String, Span) {
    let key = match &node.value {
        Value::List(_) | Value::Map(_) => {
            out.push(
                Diagnostic::error(code::YAML_SYNTAX, "a key is a single word")
                    .at(node.span, "this is a list or a map")
                    .help("a text that begins with `{` or `[` must be quoted"),
            );
            String::new()
        }
        Value::Text(key) => key.clone(),
        _ => text.get(node.span.range()).unwrap_or("").to_owned(),
    };
    (key, node.span)
}
