//! Documents, read whole.

use std::borrow::Cow;

use lintel_kernel::json::{Mismatch, Read};
use quick_xml::{
    Reader, XmlVersion,
    events::{BytesRef, BytesStart, Event, attributes::Attributes},
};

use crate::{MAX_DEPTH, XML, XMLNS, name};

/// How many attributes an element may have.
const MAX_ATTRIBUTES: usize = 256;

/// How many declarations of namespaces may be in force at a place.
const MAX_SCOPE: usize = 256;

/// Stands for no namespace.
const NOWHERE: u32 = u32::MAX;

/// Stands for no element: every document has a root, and it is nobody's child.
const NONE: u32 = 0;

/// A document: its elements with their attributes and texts. Comments, processing instructions and white
/// space between elements are gone.
#[derive(Debug)]
pub struct Document<'a> {
    nodes: Vec<Node<'a>>,
    attributes: Vec<Attribute<'a>>,
    namespaces: Vec<Cow<'a, str>>,
}

#[derive(Debug)]
struct Node<'a> {
    name: &'a str,
    text: Cow<'a, str>,
    attributes: (u32, u32),
    namespace: u32,
    first: u32,
    last: u32,
    next: u32,
}

#[derive(Debug)]
pub(crate) struct Attribute<'a> {
    /// As it is written.
    pub(crate) name: &'a str,
    pub(crate) value: Cow<'a, str>,
    namespace: u32,
}

impl Attribute<'_> {
    /// Whether it declares a namespace.
    pub(crate) fn declares(&self) -> bool {
        declared(self.name).is_some()
    }
}

/// An element of a document.
#[derive(Clone, Copy, Debug)]
pub struct Element<'d, 'a> {
    document: &'d Document<'a>,
    node: &'d Node<'a>,
}

impl<'a> Document<'a> {
    /// Reads a document whose elements lie at most `depth` deep in each other.
    ///
    /// # Errors
    /// It is not well-formed, has a document type, refers to entities of its own, or is too deep. The
    /// words may hold names of elements, but nothing else of it.
    pub fn read(text: &'a str, depth: u32) -> Result<Self, Box<Mismatch>> {
        if let Some((at, _)) = text.char_indices().find(|(_, c)| !name::allowed(*c)) {
            return Err(Mismatch::at(at, "this character is none of XML"));
        }
        let mut parser = Parser {
            text,
            document: Self {
                nodes: Vec::new(),
                attributes: Vec::new(),
                namespaces: Vec::new(),
            },
            open: Vec::new(),
            scope: Vec::new(),
            depth: depth.min(MAX_DEPTH),
        };
        parser.run()?;
        Ok(parser.document)
    }

    /// The outermost element.
    pub fn root(&self) -> Option<Element<'_, 'a>> {
        self.element(NONE)
    }

    fn element(&self, id: u32) -> Option<Element<'_, 'a>> {
        let node = self.nodes.get(id as usize)?;
        Some(Element {
            document: self,
            node,
        })
    }

    pub(crate) fn namespace(&self, id: u32) -> Option<&str> {
        self.namespaces.get(id as usize).map(|uri| &**uri)
    }
}

impl<'d, 'a> Element<'d, 'a> {
    /// Its name as it is written.
    pub fn written(self) -> &'a str {
        self.node.name
    }

    /// Its name without a prefix.
    pub fn local(self) -> &'a str {
        local(self.node.name)
    }

    /// Its namespace, if it is in one.
    pub fn namespace(self) -> Option<&'d str> {
        self.document.namespace(self.node.namespace)
    }

    /// The text in it, without that of the elements in it.
    pub fn text(self) -> &'d str {
        &self.node.text
    }

    /// The value of the attribute of this local name in a namespace, or in none.
    pub fn attribute(self, namespace: Option<&str>, name: &str) -> Option<&'d str> {
        self.attributes()
            .find(|(found, uri)| local(found.name) == name && *uri == namespace)
            .map(|(found, _)| &*found.value)
    }

    /// Its attributes with their namespaces, declarations among them.
    pub(crate) fn attributes(self) -> impl Iterator<Item = (&'d Attribute<'a>, Option<&'d str>)> {
        let (from, to) = self.node.attributes;
        let all = self.document.attributes.get(from as usize..to as usize);
        let document = self.document;
        all.unwrap_or_default()
            .iter()
            .map(move |attribute| (attribute, document.namespace(attribute.namespace)))
    }

    /// The elements in it.
    pub fn children(self) -> impl Iterator<Item = Self> {
        let document = self.document;
        let child = move |id: u32| (id != NONE).then(|| document.element(id)).flatten();
        std::iter::successors(child(self.node.first), move |last| child(last.node.next))
    }
}

/// A name without its prefix.
pub(crate) fn local(name: &str) -> &str {
    name.split_once(':').map_or(name, |(_, local)| local)
}

/// The prefix that an attribute of this name declares.
fn declared(name: &str) -> Option<&str> {
    match name {
        "xmlns" => Some(""),
        name => name.strip_prefix("xmlns:"),
    }
}

struct Parser<'a> {
    text: &'a str,
    document: Document<'a>,
    /// The elements that are not closed, and how many declarations were in force before each.
    open: Vec<(u32, usize)>,
    /// The declarations in force: prefixes, and where their namespaces are.
    scope: Vec<(&'a str, u32)>,
    depth: u32,
}

impl<'a> Parser<'a> {
    fn run(&mut self) -> Read<()> {
        let mut reader = Reader::from_str(self.text);
        loop {
            let at = place(reader.buffer_position());
            match reader.read_event() {
                Ok(Event::Start(tag)) => self.begin(&tag, at)?,
                Ok(Event::Empty(tag)) => {
                    self.begin(&tag, at)?;
                    self.end();
                }
                Ok(Event::End(_)) => self.end(),
                Ok(Event::Text(text)) => self.characters(text.xml10_content(), at)?,
                Ok(Event::CData(text)) => self.characters(text.xml10_content(), at)?,
                Ok(Event::GeneralRef(entity)) => {
                    let c = resolved(&entity, at)?;
                    self.characters(Cow::Owned(c.to_string()), at)?;
                }
                Ok(Event::DocType(_)) => {
                    return Err(Mismatch::at(at, "document types are not taken"));
                }
                Ok(Event::Decl(declaration)) => {
                    let version = declaration.version();
                    if at > 0 || version.is_ok_and(|version| version != "1.0") {
                        return Err(Mismatch::at(
                            at,
                            "XML 1.0 is expected from the first byte on",
                        ));
                    }
                }
                Ok(Event::Comment(_) | Event::PI(_)) => {}
                Ok(Event::Eof) => break,
                Err(error) => {
                    let at = place(reader.error_position());
                    return Err(Mismatch::at(at, error.to_string()));
                }
            }
        }
        match (self.open.is_empty(), self.document.nodes.is_empty()) {
            (true, false) => Ok(()),
            (true, true) => Err(Mismatch::at(self.text.len(), "there is no element")),
            (false, _) => Err(Mismatch::at(self.text.len(), "an element is not closed")),
        }
    }

    fn begin(&mut self, tag: &BytesStart<'_>, at: usize) -> Read<()> {
        let name = self.own(tag.name().as_ref(), at)?;
        if !name::is_qualified(name) {
            return Err(Mismatch::at(at, "this is not the name of an element"));
        }
        if self.open.len() >= self.depth as usize {
            let detail = format!("elements lie more than {} deep in each other", self.depth);
            return Err(Mismatch::at(at, detail));
        }
        let id = u32::try_from(self.document.nodes.len()).unwrap_or(u32::MAX);
        if id != NONE && self.open.is_empty() {
            return Err(Mismatch::at(at, "there is a second root element"));
        }
        let before = self.scope.len();
        let attributes = self.attributes(tag.attributes(), at)?;
        let namespace = self.resolved(name, true, at)?;
        self.document.nodes.push(Node {
            name,
            text: Cow::Borrowed(""),
            attributes,
            namespace,
            first: NONE,
            last: NONE,
            next: NONE,
        });
        self.link(id);
        self.open.push((id, before));
        Ok(())
    }

    /// Makes an element the last in the one that is open.
    fn link(&mut self, id: u32) {
        let Some((parent, _)) = self.open.last() else {
            return;
        };
        let Some(parent) = self.document.nodes.get_mut(*parent as usize) else {
            return;
        };
        let last = std::mem::replace(&mut parent.last, id);
        match last {
            NONE => parent.first = id,
            last => {
                if let Some(last) = self.document.nodes.get_mut(last as usize) {
                    last.next = id;
                }
            }
        }
    }

    /// Closes the element that is open. White space between elements says nothing.
    fn end(&mut self) {
        let Some((id, before)) = self.open.pop() else {
            return;
        };
        self.scope.truncate(before);
        if let Some(node) = self.document.nodes.get_mut(id as usize)
            && node.first != NONE
            && node.text.chars().all(is_space)
        {
            node.text = Cow::Borrowed("");
        }
    }

    fn characters(&mut self, more: Cow<'a, str>, at: usize) -> Read<()> {
        let node = self.open.last().map(|(id, _)| *id as usize);
        let Some(node) = node.and_then(|id| self.document.nodes.get_mut(id)) else {
            return match more.chars().all(is_space) {
                true => Ok(()),
                false => Err(Mismatch::at(
                    at,
                    "there is text outside of the root element",
                )),
            };
        };
        match node.text.is_empty() {
            true => node.text = more,
            false => node.text.to_mut().push_str(&more),
        }
        Ok(())
    }

    /// Reads the attributes of an element; the declarations among them are in force from here on.
    fn attributes(&mut self, mut all: Attributes<'_>, at: usize) -> Read<(u32, u32)> {
        let from = self.document.attributes.len();
        // Looked for here, where their number is bounded.
        for attribute in all.with_checks(false) {
            let attribute = attribute.map_err(|error| Mismatch::at(at, error.to_string()))?;
            let name = self.own(attribute.key.as_ref(), at)?;
            let own = self.document.attributes.get(from..).unwrap_or_default();
            if own.len() >= MAX_ATTRIBUTES {
                return Err(Mismatch::at(at, "the element has too many attributes"));
            }
            if !name::is_qualified(name) || own.iter().any(|other| other.name == name) {
                return Err(Mismatch::at(at, "this is not a name, or it is there twice"));
            }
            let value = self.value(&attribute, at)?;
            if let Some(prefix) = declared(name) {
                self.declare(prefix, value.clone(), at)?;
            }
            self.document.attributes.push(Attribute {
                name,
                value,
                namespace: NOWHERE,
            });
        }
        let to = self.document.attributes.len();
        for index in from..to {
            let name = self
                .document
                .attributes
                .get(index)
                .map_or("", |found| found.name);
            let namespace = match declared(name) {
                Some(_) => NOWHERE,
                None => self.resolved(name, false, at)?,
            };
            if let Some(attribute) = self.document.attributes.get_mut(index) {
                attribute.namespace = namespace;
            }
        }
        let short = |index| u32::try_from(index).unwrap_or(u32::MAX);
        Ok((short(from), short(to)))
    }

    fn value(
        &self,
        attribute: &quick_xml::events::attributes::Attribute<'_>,
        at: usize,
    ) -> Read<Cow<'a, str>> {
        if attribute.value.contains('<') {
            return Err(Mismatch::at(at, "`<` stands in the value of an attribute"));
        }
        let value = attribute.normalized_value(XmlVersion::Implicit1_0);
        let value = value.map_err(|_unknown| Mismatch::at(at, NO_ENTITY))?;
        if value.chars().any(|c| !name::allowed(c)) {
            return Err(Mismatch::at(at, "this character is none of XML"));
        }
        Ok(match within(self.text, &value) {
            Some(value) => Cow::Borrowed(value),
            None => Cow::Owned(value.into_owned()),
        })
    }

    fn declare(&mut self, prefix: &'a str, uri: Cow<'a, str>, at: usize) -> Read<()> {
        let reserved = prefix == "xmlns" || uri == XMLNS || (prefix == "xml") != (uri == XML);
        if reserved || (uri.is_empty() && !prefix.is_empty()) {
            return Err(Mismatch::at(at, "this prefix can't be declared so"));
        }
        if self.scope.len() >= MAX_SCOPE {
            return Err(Mismatch::at(at, "too many namespaces are declared"));
        }
        let id = match uri.is_empty() {
            true => NOWHERE,
            false => {
                self.document.namespaces.push(uri);
                u32::try_from(self.document.namespaces.len() - 1).unwrap_or(NOWHERE)
            }
        };
        self.scope.push((prefix, id));
        Ok(())
    }

    /// The namespace of a name. The default one is for elements alone.
    fn resolved(&mut self, name: &'a str, is_element: bool, at: usize) -> Read<u32> {
        let prefix = match name.split_once(':') {
            Some((prefix, _)) => prefix,
            None if is_element => "",
            None => return Ok(NOWHERE),
        };
        let found = self.scope.iter().rev().find(|(known, _)| *known == prefix);
        match (found, prefix) {
            (Some((_, id)), _) => Ok(*id),
            (None, "") => Ok(NOWHERE),
            (None, "xml") => {
                self.document.namespaces.push(Cow::Borrowed(XML));
                Ok(u32::try_from(self.document.namespaces.len() - 1).unwrap_or(NOWHERE))
            }
            (None, _) => Err(Mismatch::at(at, "the prefix of a name is not declared")),
        }
    }

    /// A part of the text as such, for as long as the text lasts.
    fn own(&self, part: &str, at: usize) -> Read<&'a str> {
        within(self.text, part).ok_or_else(|| Mismatch::at(at, "this is not a name"))
    }
}

const NO_ENTITY: &str = "there is no such entity";

/// The character that a reference stands for: one of those that XML knows itself, or one by number.
fn resolved(entity: &BytesRef<'_>, at: usize) -> Read<char> {
    let known = match &**entity {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "apos" => Some('\''),
        "quot" => Some('"'),
        _ => entity.resolve_char_ref().ok().flatten(),
    };
    known
        .filter(|c| name::allowed(*c))
        .ok_or_else(|| Mismatch::at(at, NO_ENTITY))
}

const fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn place(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

/// A part of a text as a slice of that text, if it is one.
fn within<'a>(text: &'a str, part: &str) -> Option<&'a str> {
    let from = (part.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    text.get(from..from.checked_add(part.len())?)
}
