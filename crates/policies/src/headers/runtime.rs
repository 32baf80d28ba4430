use http::{HeaderMap, HeaderName, HeaderValue};
use lintel_kernel::expr::{Scope, Template};

/// Edits to one set of header fields.
#[derive(Default)]
pub(super) struct Edits {
    pub(super) remove: Vec<HeaderName>,
    pub(super) remove_prefixes: Vec<String>,
    pub(super) set: Vec<(HeaderName, Value)>,
    pub(super) add: Vec<(HeaderName, Value)>,
}

/// A field value, ready made where it never changes.
pub(super) enum Value {
    Fixed(HeaderValue),
    Template(Template),
}

/// The values of `set` and `add` for one request, computed before anything is changed so that an
/// expression sees the fields as they came.
pub(super) struct Computed<'a> {
    edits: &'a Edits,
    set: Vec<Option<HeaderValue>>,
    add: Vec<Option<HeaderValue>>,
}

impl Edits {
    pub(super) fn is_empty(&self) -> bool {
        self.remove.is_empty()
            && self.remove_prefixes.is_empty()
            && self.set.is_empty()
            && self.add.is_empty()
    }

    pub(super) fn compute(&self, scope: Scope<'_>) -> Computed<'_> {
        let values = |fields: &[(HeaderName, Value)]| {
            fields
                .iter()
                .map(|(_, value)| value.render(scope))
                .collect()
        };
        Computed {
            edits: self,
            set: values(&self.set),
            add: values(&self.add),
        }
    }
}

impl Computed<'_> {
    pub(super) fn apply(self, headers: &mut HeaderMap) {
        for name in &self.edits.remove {
            headers.remove(name);
        }
        if !self.edits.remove_prefixes.is_empty() {
            remove_prefixes(headers, &self.edits.remove_prefixes);
        }
        for ((name, _), value) in self.edits.set.iter().zip(self.set) {
            match value {
                Some(value) => drop(headers.insert(name, value)),
                None => drop(headers.remove(name)),
            }
        }
        for ((name, _), value) in self.edits.add.iter().zip(self.add) {
            if let Some(value) = value {
                headers.append(name, value);
            }
        }
    }
}

impl Value {
    /// A rendered text that is no valid field value (it holds a control character) counts as
    /// absent: it never reaches the wire.
    fn render(&self, scope: Scope<'_>) -> Option<HeaderValue> {
        match self {
            Self::Fixed(value) => Some(value.clone()),
            Self::Template(template) => HeaderValue::from_str(&template.render(scope)?).ok(),
        }
    }
}

fn remove_prefixes(headers: &mut HeaderMap, prefixes: &[String]) {
    let doomed: Vec<HeaderName> = headers
        .keys()
        .filter(|name| {
            prefixes
                .iter()
                .any(|prefix| name.as_str().starts_with(prefix.as_str()))
        })
        .cloned()
        .collect();
    for name in doomed {
        headers.remove(name);
    }
}
