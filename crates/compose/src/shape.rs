//! Filters that need no interpreter: objects and arrays of legs, of members of legs and of fixed
//! values. They are the part of jq that most answers are written in; what else there is goes to jaq.

use super::{
    body::FilterFault,
    jq,
    value::{self, Member},
};

/// A plain filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The value of a leg, as it came.
    Leg(usize),
    /// Something within the value of a leg.
    Member(usize, Vec<String>),
    /// The body that the client sent, or something within it.
    Sent(Vec<String>),
    /// The same in every answer: JSON text.
    Fixed(String),
    /// An object: each name as JSON text, and its value.
    Object(Vec<(String, Shape)>),
    /// An array.
    Array(Vec<Shape>),
}

/// Deepest nesting that is read; deeper ones are left to jq.
const MAX_DEPTH: u32 = 32;

impl Shape {
    /// Reads a filter, if it is a plain one. `leg` has the index of a leg.
    ///
    /// # Errors
    /// It is a plain one, and reads a leg that does not exist.
    pub(crate) fn parse(
        source: &str,
        leg: impl Fn(&str) -> Option<usize>,
    ) -> Option<Result<Self, FilterFault>> {
        let mut reader = Reader {
            source,
            at: 0,
            leg: &leg,
            unknown: None,
        };
        let shape = reader.value(0)?;
        reader.space();
        if reader.at < source.len() {
            return None;
        }
        Some(match reader.unknown {
            None => Ok(shape),
            Some(fault) => Err(fault),
        })
    }

    /// The object of all legs.
    pub(crate) fn all<'n>(names: impl Iterator<Item = &'n str>) -> Self {
        Self::Object(
            names
                .enumerate()
                .map(|(leg, name)| (quoted(name), Self::Leg(leg)))
                .collect(),
        )
    }

    /// Whether it reads a leg.
    pub(crate) fn reads(&self, leg: usize) -> bool {
        match self {
            Self::Leg(own) | Self::Member(own, _) => *own == leg,
            Self::Object(members) => members.iter().any(|(_, member)| member.reads(leg)),
            Self::Array(items) => items.iter().any(|item| item.reads(leg)),
            Self::Sent(_) | Self::Fixed(_) => false,
        }
    }

    /// Whether it reads what the client sent.
    pub(crate) fn reads_sent(&self) -> bool {
        match self {
            Self::Sent(_) => true,
            Self::Object(members) => members.iter().any(|(_, member)| member.reads_sent()),
            Self::Array(items) => items.iter().any(Self::reads_sent),
            Self::Leg(_) | Self::Member(..) | Self::Fixed(_) => false,
        }
    }

    /// Writes what comes of the values of legs, and of what the client sent.
    ///
    /// # Errors
    /// Something that has no members was asked for one.
    pub(crate) fn write<'v>(
        &self,
        text: &impl Fn(usize) -> &'v [u8],
        sent: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        match self {
            Self::Leg(leg) => out.extend_from_slice(text(*leg)),
            Self::Fixed(fixed) => out.extend_from_slice(fixed.as_bytes()),
            Self::Member(leg, path) => within(text(*leg), path, out)?,
            Self::Sent(path) if path.is_empty() => out.extend_from_slice(sent),
            Self::Sent(path) => within(sent, path, out)?,
            Self::Object(members) => {
                out.push(b'{');
                for (place, (name, member)) in members.iter().enumerate() {
                    if place > 0 {
                        out.push(b',');
                    }
                    out.extend_from_slice(name.as_bytes());
                    out.push(b':');
                    member.write(text, sent, out)?;
                }
                out.push(b'}');
            }
            Self::Array(items) => {
                out.push(b'[');
                for (place, item) in items.iter().enumerate() {
                    if place > 0 {
                        out.push(b',');
                    }
                    item.write(text, sent, out)?;
                }
                out.push(b']');
            }
        }
        Ok(())
    }
}

/// Writes what stands at a place in a value.
fn within(text: &[u8], path: &[String], out: &mut Vec<u8>) -> Result<(), String> {
    match value::member(text, path) {
        // A value that was just read can be written.
        Member::There(found) => drop(serde_json::to_writer(out, &found)),
        Member::Absent => out.extend_from_slice(value::NULL),
        Member::Unfit => return Err(format!("there is no `.{}` in it", path.join("."))),
    }
    Ok(())
}

fn quoted(name: &str) -> String {
    let mut text = Vec::with_capacity(name.len() + 2);
    jq::string(name.as_bytes(), &mut text);
    String::from_utf8(text).unwrap_or_default()
}

struct Reader<'a, F> {
    source: &'a str,
    at: usize,
    leg: &'a F,
    unknown: Option<FilterFault>,
}

impl<'a, F: Fn(&str) -> Option<usize>> Reader<'a, F> {
    fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn space(&mut self) {
        let rest = self.rest();
        let trimmed = rest.trim_start_matches([' ', '\t', '\n', '\r']);
        self.at += rest.len() - trimmed.len();
    }

    fn take(&mut self, mark: &str) -> bool {
        self.space();
        let there = self.rest().starts_with(mark);
        self.at += if there { mark.len() } else { 0 };
        there
    }

    fn word(&mut self) -> Option<&'a str> {
        let rest = self.rest();
        let fit = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = rest.find(|c| !fit(c)).unwrap_or(rest.len());
        let word = rest.get(..end)?;
        if word.is_empty() || word.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        self.at += end;
        Some(word)
    }

    /// A string without escapes and interpolation.
    fn string(&mut self) -> Option<&'a str> {
        let rest = self.rest().strip_prefix('"')?;
        let (text, _) = rest.split_once('"')?;
        if text.contains(|c: char| c == '\\' || c.is_control()) {
            return None;
        }
        self.at += text.len() + 2;
        Some(text)
    }

    fn value(&mut self, depth: u32) -> Option<Shape> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.space();
        match self.rest().chars().next()? {
            '{' => self.object(depth),
            '[' => self.array(depth),
            '.' => self.path(),
            '$' => self.sent(),
            '"' => Some(Shape::Fixed(quoted(self.string()?))),
            '0'..='9' => self.number(),
            _ => match self.word()? {
                word @ ("null" | "true" | "false") => Some(Shape::Fixed(word.to_owned())),
                _ => None,
            },
        }
    }

    /// A whole number of a size that every reader of JSON keeps.
    fn number(&mut self) -> Option<Shape> {
        let rest = self.rest();
        let end = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let digits = rest.get(..end)?;
        let next = rest.get(end..)?.chars().next();
        let fraction = matches!(next, Some('.' | 'e' | 'E' | '_'));
        if fraction || digits.len() > 15 || (digits.len() > 1 && digits.starts_with('0')) {
            return None;
        }
        self.at += end;
        Some(Shape::Fixed(digits.to_owned()))
    }

    /// `.leg.member.member`
    fn path(&mut self) -> Option<Shape> {
        let begin = self.at;
        let mut names = Vec::new();
        while self.rest().starts_with('.') {
            self.at += 1;
            names.push(self.word()?);
        }
        self.read(begin, &names)
    }

    /// `$request.body.member`
    fn sent(&mut self) -> Option<Shape> {
        if !self.take("$request.body") {
            return None;
        }
        let mut path = Vec::new();
        while self.rest().starts_with('.') {
            self.at += 1;
            path.push(self.word()?.to_owned());
        }
        // `$request.bodyguard` is something else.
        let more = |c: char| c.is_ascii_alphanumeric() || c == '_';
        (!self.rest().starts_with(more)).then_some(Shape::Sent(path))
    }

    fn read(&mut self, begin: usize, names: &[&str]) -> Option<Shape> {
        let (name, path) = names.split_first()?;
        let Some(leg) = (self.leg)(name) else {
            self.unknown.get_or_insert_with(|| FilterFault {
                message: format!("there is no leg `{name}`"),
                offset: begin,
            });
            return Some(Shape::Fixed("null".to_owned()));
        };
        Some(match path {
            [] => Shape::Leg(leg),
            path => Shape::Member(leg, path.iter().map(|name| (*name).to_owned()).collect()),
        })
    }

    fn object(&mut self, depth: u32) -> Option<Shape> {
        let mut members: Vec<(String, Shape)> = Vec::new();
        self.take("{");
        if self.take("}") {
            return Some(Shape::Object(members));
        }
        loop {
            self.space();
            let begin = self.at;
            let (name, short) = match self.rest().starts_with('"') {
                true => (self.string()?, None),
                false => {
                    let word = self.word()?;
                    (word, Some(word))
                }
            };
            let member = match (self.take(":"), short) {
                (true, _) => self.value(depth + 1)?,
                // `{a}` is `{a: .a}`.
                (false, Some(word)) => self.read(begin, &[word])?,
                (false, None) => return None,
            };
            let name = quoted(name);
            if members.iter().any(|(known, _)| *known == name) {
                return None;
            }
            members.push((name, member));
            if self.take("}") {
                return Some(Shape::Object(members));
            }
            if !self.take(",") {
                return None;
            }
        }
    }

    fn array(&mut self, depth: u32) -> Option<Shape> {
        let mut items = Vec::new();
        self.take("[");
        if self.take("]") {
            return Some(Shape::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.take("]") {
                return Some(Shape::Array(items));
            }
            if !self.take(",") {
                return None;
            }
        }
    }
}
