//! Elements as JSON values.

use std::{borrow::Cow, collections::HashMap};

use lintel_kernel::json::{Mismatch, Read, number_length};
use smallvec::SmallVec;

use crate::{
    Element, Kind, Mapping, Names, XSI,
    document::local,
    name,
    paths::{Rule, Steps},
};

/// From how many names on they are looked up by hash.
const MANY: usize = 16;

/// The elements of one name in an element.
struct Group<'d, 'a> {
    name: Cow<'a, str>,
    members: SmallVec<[Element<'d, 'a>; 2]>,
}

impl Mapping {
    /// Writes an element as a JSON value: an object with one member, or where the name of the element is
    /// known, what that member holds.
    ///
    /// # Errors
    /// The element has another name, or a text that is not of the kind that it has to be.
    pub fn write_json(
        &self,
        element: Element<'_, '_>,
        root: Option<&str>,
        out: &mut Vec<u8>,
    ) -> Result<(), Box<Mismatch>> {
        let name = self.name(element.written(), element.namespace());
        let (step, rule) = self.paths.step(&self.paths.begin(), &name);
        match root {
            Some(root) if root == name => self.value(element, &step, rule, out),
            Some(root) => {
                let detail =
                    format!("the root element `{root}` is expected, and `{name}` is there");
                Err(Mismatch::at(0, detail))
            }
            None => {
                out.push(b'{');
                string(&name, out);
                out.push(b':');
                let held = self.value(element, &step, rule, out);
                held.map_err(|mismatch| mismatch.under(&name))?;
                out.push(b'}');
                Ok(())
            }
        }
    }

    /// Writes what an element holds as a JSON value, whatever its name.
    ///
    /// # Errors
    /// A text that is not of the kind that it has to be.
    pub fn write_held(
        &self,
        element: Element<'_, '_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Box<Mismatch>> {
        let name = self.name(element.written(), element.namespace());
        let (step, rule) = self.paths.step(&self.paths.begin(), &name);
        self.value(element, &step, rule, out)
    }

    /// The name of an element or an attribute in JSON.
    fn name<'a>(&self, written: &'a str, namespace: Option<&str>) -> Cow<'a, str> {
        match (&self.names, namespace) {
            (Names::Keep, _) => match written.split_once(':') {
                Some((prefix, local)) => prefixed(prefix, local, written),
                None => name::decode(written),
            },
            (Names::Known(known), Some(uri)) => {
                let found = known.iter().find(|(_, known)| **known == *uri);
                match found.map(|(prefix, _)| &**prefix) {
                    None | Some("") => name::decode(local(written)),
                    Some(prefix) => prefixed(prefix, local(written), ""),
                }
            }
            (Names::Known(_) | Names::Drop, _) => name::decode(local(written)),
        }
    }

    fn value<'p>(
        &'p self,
        element: Element<'_, '_>,
        step: &Steps<'p>,
        rule: Rule,
        out: &mut Vec<u8>,
    ) -> Read<()> {
        let begin = out.len();
        out.push(b'{');
        let nil = self.attributes(element, step, out)?;
        let groups = self.groups(element);
        for group in &groups {
            let (below, rule) = self.paths.step(step, &group.name);
            string(&group.name, out);
            out.push(b':');
            self.members(group, &below, rule, out)
                .map_err(|mismatch| mismatch.under(&group.name))?;
            out.push(b',');
        }
        let (is_plain, text) = (out.len() == begin + 1, element.text());
        if is_plain {
            out.truncate(begin);
            return match nil && text.is_empty() {
                true => {
                    out.extend_from_slice(b"null");
                    Ok(())
                }
                false => scalar(text, rule.kind, out),
            };
        }
        if nil || !text.is_empty() {
            out.extend_from_slice(b"\"#text\":");
            match nil && text.is_empty() {
                true => out.extend_from_slice(b"null"),
                false => scalar(text, rule.kind, out)?,
            }
        } else {
            out.pop();
        }
        out.push(b'}');
        Ok(())
    }

    fn members<'p>(
        &'p self,
        group: &Group<'_, '_>,
        step: &Steps<'p>,
        rule: Rule,
        out: &mut Vec<u8>,
    ) -> Read<()> {
        if let ([one], false) = (&*group.members, rule.array) {
            return self.value(*one, step, rule, out);
        }
        out.push(b'[');
        for (at, member) in group.members.iter().enumerate() {
            let held = self.value(*member, step, rule, out);
            held.map_err(|mismatch| mismatch.under(at))?;
            out.push(b',');
        }
        out.pop();
        out.push(b']');
        Ok(())
    }

    /// Writes the attributes as members, each with a comma; and tells whether the element is `nil`.
    fn attributes<'p>(
        &'p self,
        element: Element<'_, '_>,
        step: &Steps<'p>,
        out: &mut Vec<u8>,
    ) -> Read<bool> {
        let mut nil = false;
        let mut written: SmallVec<[Cow<'_, str>; 8]> = SmallVec::new();
        for (attribute, namespace) in element.attributes() {
            let is_xsi = namespace == Some(XSI);
            if is_xsi && local(attribute.name) == "nil" {
                nil = matches!(&*attribute.value, "true" | "1");
                continue;
            }
            let name = match (&self.names, attribute.declares()) {
                (Names::Keep, true) => Cow::Borrowed(attribute.name),
                (_, true) => continue,
                (Names::Keep, false) => self.name(attribute.name, namespace),
                // Two that are known to all.
                (_, false) if is_xsi => Cow::Owned(format!("xsi:{}", local(attribute.name))),
                (_, false) if attribute.name.starts_with("xml:") => Cow::Borrowed(attribute.name),
                (_, false) => self.name(attribute.name, namespace),
            };
            // Without their namespaces two may have one name.
            if written.contains(&name) {
                continue;
            }
            let name = {
                written.push(name);
                written.last().map_or("", |name| &**name)
            };
            let key = format!("@{name}");
            string(&key, out);
            out.push(b':');
            let (_, rule) = self.paths.step(step, &key);
            scalar(&attribute.value, rule.kind, out).map_err(|mismatch| mismatch.under(&key))?;
            out.push(b',');
        }
        Ok(nil)
    }

    /// The elements in an element by their names, in the order in which these come first.
    fn groups<'d, 'a>(&self, element: Element<'d, 'a>) -> Vec<Group<'d, 'a>> {
        let mut groups: Vec<Group<'d, 'a>> = Vec::new();
        let mut index: HashMap<Cow<'a, str>, usize> = HashMap::new();
        for child in element.children() {
            let name = self.name(child.written(), child.namespace());
            let found = match index.is_empty() {
                true => groups.iter().position(|group| group.name == name),
                false => index.get(&name).copied(),
            };
            if let Some(group) = found.and_then(|at| groups.get_mut(at)) {
                group.members.push(child);
                continue;
            }
            if !index.is_empty() {
                index.insert(name.clone(), groups.len());
            }
            groups.push(Group {
                name,
                members: SmallVec::from_iter([child]),
            });
            if index.is_empty() && groups.len() >= MANY {
                let all = groups.iter().enumerate();
                index = all.map(|(at, group)| (group.name.clone(), at)).collect();
            }
        }
        groups
    }
}

/// A name with a prefix, which it may be already.
fn prefixed<'a>(prefix: &str, local: &'a str, written: &'a str) -> Cow<'a, str> {
    match name::decode(local) {
        Cow::Borrowed(_) if !written.is_empty() => Cow::Borrowed(written),
        local => Cow::Owned(format!("{prefix}:{local}")),
    }
}

pub(crate) fn string(text: &str, out: &mut Vec<u8>) {
    // Writing to a Vec can't fail.
    let _ = serde_json::to_writer(out, text);
}

fn scalar(text: &str, kind: Option<Kind>, out: &mut Vec<u8>) -> Read<()> {
    let Some(kind) = kind.filter(|kind| *kind != Kind::String) else {
        string(text, out);
        return Ok(());
    };
    let text = text.trim_matches([' ', '\t', '\r', '\n']);
    if text.is_empty() {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    let (written, expected) = match kind {
        Kind::Boolean => (boolean(text), "a boolean"),
        Kind::Integer => (integer(text), "an integer"),
        Kind::Number | Kind::String => (number(text), "a number"),
    };
    let unfit = || {
        Mismatch::at(
            0,
            format!("{expected} is expected, and another text is there"),
        )
    };
    out.extend_from_slice(written.ok_or_else(unfit)?.as_bytes());
    Ok(())
}

/// XML Schema part 2 §3.2.2.
fn boolean(text: &str) -> Option<Cow<'_, str>> {
    match text {
        "true" | "1" => Some(Cow::Borrowed("true")),
        "false" | "0" => Some(Cow::Borrowed("false")),
        _ => None,
    }
}

/// XML Schema part 2 §3.3.13: signs and leading zeros that JSON does not have.
fn integer(text: &str) -> Option<Cow<'_, str>> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-'))
        .then(|| number(text))?
}

/// XML Schema part 2 §3.2.3 and §3.2.5, as RFC 8259 §6 has it. `INF` and `NaN` have no writing in JSON.
fn number(text: &str) -> Option<Cow<'_, str>> {
    if number_length(text) == Some(text.len()) {
        return Some(Cow::Borrowed(text));
    }
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (digits, exponent) = match rest.find(['e', 'E']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    let point = if fraction.is_empty() { "" } else { "." };
    let written = format!("{sign}{whole}{point}{fraction}{exponent}");
    (number_length(&written) == Some(written.len())).then_some(Cow::Owned(written))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_schemas_are_numbers_of_json() {
        for (text, read) in [
            ("7", Some("7")),
            ("+07", Some("7")),
            ("-007.50", Some("-7.50")),
            (".5", Some("0.5")),
            ("5.", Some("5")),
            ("1.E3", Some("1E3")),
            ("00", Some("0")),
            (
                "12345678901234567890123.45",
                Some("12345678901234567890123.45"),
            ),
            ("1e5", Some("1e5")),
            (".", None),
            ("", None),
            ("INF", None),
            ("--1", None),
            ("1e", None),
            ("0x1", None),
            ("1 2", None),
        ] {
            assert_eq!(number(text).as_deref(), read, "{text}");
        }
        assert_eq!(integer("+007").as_deref(), Some("7"));
        assert_eq!(integer("1.0"), None);
        assert_eq!(integer("1-"), None);
    }
}
