//! What is said of single elements and attributes: `/order/item/@id`, `/*/item`, `//item/@id`.

use std::collections::HashMap;

use smallvec::SmallVec;

/// What the text of an element or an attribute is in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    String,
    /// A number without a fraction, of any length.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
}

/// What is said of a place.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rule {
    pub(crate) array: bool,
    pub(crate) kind: Option<Kind>,
}

#[derive(Debug, Default)]
pub(crate) struct Step {
    rule: Rule,
    named: HashMap<Box<str>, Self>,
    any: Option<Box<Self>>,
}

/// The places in the paths that one in a document matches.
pub(crate) type Steps<'p> = SmallVec<[&'p Step; 2]>;

/// What is said of the places of a document, by paths from its root element on. A step is a name as JSON
/// has it, or `*`; what begins with `//` may begin anywhere. Where two paths say different things of a place,
/// the one that ends with a name counts, and of these the one that begins at the root.
#[derive(Debug, Default)]
pub struct Paths {
    root: Step,
    anywhere: Step,
}

impl Paths {
    /// Elements there are always in an array, however many there are.
    ///
    /// # Errors
    /// It is no path.
    pub fn array(&mut self, path: &str) -> Result<(), String> {
        self.rule(path)?.array = true;
        Ok(())
    }

    /// Text there is of a kind.
    ///
    /// # Errors
    /// It is no path.
    pub fn kind(&mut self, path: &str, kind: Kind) -> Result<(), String> {
        self.rule(path)?.kind = Some(kind);
        Ok(())
    }

    fn rule(&mut self, path: &str) -> Result<&mut Rule, String> {
        let unfit = || format!("`{path}` is not a path");
        let (mut step, steps) = match path.strip_prefix("//") {
            Some(steps) => (&mut self.anywhere, steps),
            None => (&mut self.root, path.strip_prefix('/').ok_or_else(unfit)?),
        };
        for name in steps.split('/') {
            step = match name {
                "" => return Err(unfit()),
                "*" => step.any.get_or_insert_default(),
                name => step.named.entry(name.into()).or_default(),
            };
        }
        Ok(&mut step.rule)
    }

    /// Where the ways to a root element begin.
    pub(crate) fn begin(&self) -> Steps<'_> {
        Steps::from_iter([&self.root])
    }

    /// The next steps of the ways, and what is said of the place that they lead to.
    pub(crate) fn step<'p>(&'p self, from: &Steps<'p>, name: &str) -> (Steps<'p>, Rule) {
        // From anywhere, a way begins at every place.
        let from = || from.iter().copied().chain([&self.anywhere]);
        let named = from().filter_map(|step| step.named.get(name));
        let any = from().filter_map(|step| step.any.as_deref());
        let steps: Steps<'_> = named.chain(any).collect();
        let rules = || steps.iter().map(|step| &step.rule);
        let rule = Rule {
            array: rules().any(|rule| rule.array),
            kind: rules().find_map(|rule| rule.kind),
        };
        (steps, rule)
    }
}
