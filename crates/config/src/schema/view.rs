//! A JSON Schema as the shape check reads it.

use serde_json::{Map, Value};

/// One schema, with references resolved as it is asked.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    root: &'a Value,
    /// As it stands where it is used: its description comes before that of its target.
    node: &'a Value,
    /// What a variant is for, which its schema does not say itself.
    about: Option<&'a str>,
}

/// What a schema accepts.
pub(crate) enum Kind<'a> {
    /// A map with known keys.
    Record,
    /// A map whose keys the operator chooses.
    Map {
        keys: View<'a>,
        values: View<'a>,
        min: u64,
    },
    List {
        items: View<'a>,
        min: u64,
        unique: bool,
    },
    /// One of some words.
    Choice(Vec<View<'a>>),
    Text {
        format: &'a str,
    },
    Integer {
        min: i128,
        max: i128,
    },
    Bool,
    /// A map with exactly one of some keys.
    Tagged(Vec<(&'a str, View<'a>)>),
    OneOf(Vec<View<'a>>),
    /// Whatever it is.
    Any,
}

impl<'a> View<'a> {
    pub(crate) fn root(root: &'a Value) -> Self {
        Self {
            root,
            node: root,
            about: None,
        }
    }

    fn with(self, node: &'a Value) -> Self {
        Self {
            node,
            about: None,
            ..self
        }
    }

    /// The schema behind references.
    fn target(self) -> &'a Value {
        let mut node = self.node;
        while let Some(name) = node.get("$ref").and_then(Value::as_str) {
            let definition = name
                .strip_prefix("#/$defs/")
                .and_then(|name| self.root.get("$defs")?.get(name));
            match definition {
                Some(definition) => node = definition,
                None => break,
            }
        }
        node
    }

    /// A keyword, from where the schema is used or else from its target.
    pub(crate) fn keyword(self, key: &str) -> Option<&'a Value> {
        self.node.get(key).or_else(|| self.target().get(key))
    }

    /// What it is for.
    pub(crate) fn description(self) -> &'a str {
        let text = self.keyword("description").and_then(Value::as_str);
        self.about.or(text).unwrap_or("")
    }

    /// What it is for, as it stands where it is used.
    #[cfg(test)]
    pub(super) fn own_description(self) -> Option<&'a Value> {
        self.node.get("description")
    }

    /// What the type itself is for, when that says more than [`Self::description`].
    pub(crate) fn type_description(self) -> &'a str {
        let text = self.target().get("description").and_then(Value::as_str);
        text.unwrap_or("")
    }

    pub(crate) fn default(self) -> Option<&'a Value> {
        self.node.get("default")
    }

    /// The first example of what may be written.
    pub(crate) fn example(self) -> Option<&'a Value> {
        self.keyword("examples")?.as_array()?.first()
    }

    /// The word that a member of a choice stands for.
    pub(crate) fn word(self) -> &'a str {
        let word = self.target().get("const").or(Some(self.node));
        word.and_then(Value::as_str).unwrap_or("")
    }

    /// The known keys of a record.
    pub(crate) fn properties(self) -> impl Iterator<Item = (&'a str, View<'a>)> {
        self.property_map()
            .into_iter()
            .flatten()
            .map(move |(key, node)| (key.as_str(), self.with(node)))
    }

    /// One known key of a record.
    pub(crate) fn property(self, key: &str) -> Option<View<'a>> {
        Some(self.with(self.property_map()?.get(key)?))
    }

    fn property_map(self) -> Option<&'a Map<String, Value>> {
        self.target().get("properties")?.as_object()
    }

    /// The keys that a record must have.
    pub(crate) fn required(self) -> impl Iterator<Item = &'a str> {
        let keys = self.target().get("required").and_then(Value::as_array);
        keys.into_iter().flatten().filter_map(Value::as_str)
    }

    fn number(self, key: &str) -> Option<i128> {
        let number = self.keyword(key)?;
        let whole = number
            .as_u64()
            .map(i128::from)
            .or_else(|| number.as_i64().map(i128::from));
        #[expect(
            clippy::cast_possible_truncation,
            reason = "bounds in the model are whole numbers"
        )]
        whole.or_else(|| number.as_f64().map(|number| number as i128))
    }

    fn count(self, key: &str) -> u64 {
        self.keyword(key).and_then(Value::as_u64).unwrap_or(0)
    }

    /// What it accepts.
    pub(crate) fn kind(self) -> Kind<'a> {
        let target = self.target();
        let alternatives = target.get("anyOf").or_else(|| target.get("oneOf"));
        if let Some(Value::Array(alternatives)) = alternatives {
            return self.alternatives(alternatives);
        }
        if let Some(Value::Array(words)) = target.get("enum") {
            return Kind::Choice(words.iter().map(|word| self.with(word)).collect());
        }
        if target.get("const").is_some() {
            return Kind::Choice(vec![self.with(target)]);
        }
        match self.type_name() {
            "object" if target.get("properties").is_some() => match self.tag() {
                Some(tag) => Kind::Tagged(vec![tag]),
                None => Kind::Record,
            },
            "object" => Kind::Map {
                keys: self.with(target.get("propertyNames").unwrap_or(&Value::Null)),
                values: self.with(target.get("additionalProperties").unwrap_or(&Value::Null)),
                min: self.count("minProperties"),
            },
            "array" => Kind::List {
                items: self.with(target.get("items").unwrap_or(&Value::Null)),
                min: self.count("minItems"),
                unique: self.keyword("uniqueItems") == Some(&Value::Bool(true)),
            },
            "string" => Kind::Text {
                format: self.keyword("format").and_then(Value::as_str).unwrap_or(""),
            },
            "integer" => Kind::Integer {
                min: self.number("minimum").unwrap_or(i128::MIN),
                max: self.number("maximum").unwrap_or(i128::MAX),
            },
            "boolean" => Kind::Bool,
            _ => Kind::Any,
        }
    }

    /// The first type it names: `["string", "integer"]` is a text that may look like a number.
    fn type_name(self) -> &'a str {
        match self.target().get("type") {
            Some(Value::String(name)) => name,
            Some(Value::Array(names)) => names.first().and_then(Value::as_str).unwrap_or(""),
            _ => "",
        }
    }

    fn alternatives(self, alternatives: &'a [Value]) -> Kind<'a> {
        let views: Vec<View<'a>> = alternatives.iter().map(|node| self.with(node)).collect();
        let mut words = Vec::new();
        for view in &views {
            match view.target() {
                target if target.get("const").is_some() => words.push(view.with(target)),
                target => match target.get("enum") {
                    Some(Value::Array(many)) => {
                        words.extend(many.iter().map(|word| self.with(word)))
                    }
                    _ => break,
                },
            }
        }
        let all_words = views.iter().all(|view| {
            view.target().get("const").is_some() || view.target().get("enum").is_some()
        });
        if all_words {
            return Kind::Choice(words);
        }
        let tags: Option<Vec<_>> = views.iter().map(|view| view.tag()).collect();
        match tags {
            Some(tags) => Kind::Tagged(tags),
            None => Kind::OneOf(views),
        }
    }

    /// The one key of a variant of an enum: `{ respond: … }`. The variant's description is at the
    /// variant, not at the key.
    fn tag(self) -> Option<(&'a str, View<'a>)> {
        let target = self.target();
        let properties = target.get("properties")?.as_object()?;
        let required = target.get("required")?.as_array()?;
        // A variant is written in place; a record with one required key is a definition of its own.
        if properties.len() != 1 || required.len() != 1 || !std::ptr::eq(target, self.node) {
            return None;
        }
        let (key, node) = properties.iter().next()?;
        let about = target.get("description").and_then(Value::as_str);
        let view = self.with(node);
        Some((key, View { about, ..view }))
    }
}
