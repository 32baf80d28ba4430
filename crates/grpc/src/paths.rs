//! Which template a path matches: a tree over the segments of all templates. A literal goes before
//! `*`, and that before `**`.

use rustc_hash::FxHashMap;

use crate::template::{Segment, Template};

/// Templates with what they lead to.
#[derive(Debug)]
pub(crate) struct Paths<T> {
    root: Node<T>,
}

#[derive(Debug)]
struct Node<T> {
    literals: FxHashMap<Box<str>, Node<T>>,
    any: Option<Box<Node<T>>>,
    /// What ends here, by verb; the empty one is none.
    here: Ends<T>,
    /// What takes all the rest from here.
    rest: Ends<T>,
}

#[derive(Debug)]
struct Ends<T>(Vec<(Box<str>, T)>);

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self {
            literals: FxHashMap::default(),
            any: None,
            here: Ends(Vec::new()),
            rest: Ends(Vec::new()),
        }
    }
}

impl<T> Default for Paths<T> {
    fn default() -> Self {
        Self {
            root: Node::default(),
        }
    }
}

impl<T: Default> Paths<T> {
    /// What a template leads to, made if it is new.
    pub(crate) fn entry(&mut self, template: &Template) -> &mut T {
        let verb = template.verb.as_deref().unwrap_or_default();
        let mut node = &mut self.root;
        for segment in &template.segments {
            node = match segment {
                Segment::Literal(text) => node.literals.entry(text.as_str().into()).or_default(),
                Segment::Any => node.any.get_or_insert_default(),
                Segment::Rest => return node.rest.entry(verb),
            };
        }
        node.here.entry(verb)
    }
}

impl<T> Paths<T> {
    /// What the path leads to; `fits` may turn one down for the next best.
    pub(crate) fn find<'a>(
        &'a self,
        path: &str,
        fits: &mut dyn FnMut(&T) -> bool,
    ) -> Option<&'a T> {
        let path = path.strip_prefix('/')?;
        let tail = path.rsplit('/').next().unwrap_or_default();
        // Where the last segment ends with a verb that templates have; elsewhere a colon is a
        // character like any other.
        let split = tail.rfind(':').map(|at| path.len() - tail.len() + at);
        if let Some((before, verb)) = split.and_then(|at| path.split_at_checked(at)) {
            let verb = verb.get(1..).unwrap_or_default();
            if !verb.is_empty()
                && let Some(found) = self.root.find(Some(before), verb, fits)
            {
                return Some(found);
            }
        }
        self.root.find(Some(path), "", fits)
    }
}

impl<T> Node<T> {
    fn find<'a>(
        &'a self,
        path: Option<&str>,
        verb: &str,
        fits: &mut dyn FnMut(&T) -> bool,
    ) -> Option<&'a T> {
        let Some(path) = path else {
            // `**` takes no segment as well.
            return self
                .here
                .get(verb, fits)
                .or_else(|| self.rest.get(verb, fits));
        };
        let (segment, rest) = match path.split_once('/') {
            Some((segment, rest)) => (segment, Some(rest)),
            None => (path, None),
        };
        let literal = self.literals.get(segment);
        if let Some(found) = literal.and_then(|node| node.find(rest, verb, fits)) {
            return Some(found);
        }
        let any = self.any.as_ref().filter(|_| !segment.is_empty());
        if let Some(found) = any.and_then(|node| node.find(rest, verb, fits)) {
            return Some(found);
        }
        self.rest.get(verb, fits)
    }
}

impl<T: Default> Ends<T> {
    fn entry(&mut self, verb: &str) -> &mut T {
        let at = match self.0.iter().position(|(known, _)| &**known == verb) {
            Some(at) => at,
            None => {
                self.0.push((verb.into(), T::default()));
                self.0.len() - 1
            }
        };
        // There, or just pushed.
        #[expect(clippy::indexing_slicing, reason = "there, or just pushed")]
        &mut self.0[at].1
    }
}

impl<T> Ends<T> {
    fn get(&self, verb: &str, fits: &mut dyn FnMut(&T) -> bool) -> Option<&T> {
        let mut known = self.0.iter();
        let (_, value) = known.find(|(known, _)| &**known == verb)?;
        fits(value).then_some(value)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn find<'a>(templates: &[&'a str], path: &str) -> Option<&'a str> {
        let mut paths: Paths<Option<&str>> = Paths::default();
        for template in templates {
            *paths.entry(&Template::parse(template).unwrap()) = Some(template);
        }
        *paths.find(path, &mut |_| true)?
    }

    #[test]
    fn the_most_exact_goes_first() {
        let templates = [
            "/v1/**",
            "/v1/{id}",
            "/v1/me",
            "/v1/{id}/x",
            "/v1/{id}:cancel",
            "/v1/me/{name=a/**}",
        ];
        for (path, expected) in [
            ("/v1/me", Some("/v1/me")),
            ("/v1/7", Some("/v1/{id}")),
            ("/v1/7/x", Some("/v1/{id}/x")),
            ("/v1/me/x", Some("/v1/{id}/x")),
            ("/v1/7/y", Some("/v1/**")),
            ("/v1", Some("/v1/**")),
            ("/v1/", Some("/v1/**")),
            ("/v1/7:cancel", Some("/v1/{id}:cancel")),
            ("/v1/7:other", Some("/v1/{id}")),
            ("/v1/a:b/7:cancel", Some("/v1/**")),
            ("/v1/me/a", Some("/v1/me/{name=a/**}")),
            ("/v1/me/a/b/c", Some("/v1/me/{name=a/**}")),
            ("/v2", None),
            ("/", None),
            ("", None),
        ] {
            assert_eq!(find(&templates, path), expected, "{path}");
        }
        assert_eq!(find(&["/v1/{id}"], "/v1/"), None);
    }
}
