//! How a method is reached over HTTP: from its annotation, or by hand.

use prost_reflect::{DynamicMessage, MethodDescriptor, Value};

/// One way to a method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The HTTP method; `*` stands for all.
    pub method: String,
    /// The path template.
    pub path: String,
    /// Where the body goes: nowhere, to all fields that the path does not take, or to one field.
    pub body: Option<String>,
    /// The field that is the answer's body. Without it the whole message is.
    pub response_body: Option<String>,
}

/// The annotation of methods.
const ANNOTATION: &str = "google.api.http";

impl Rule {
    /// The rules of a method's annotation `google.api.http`, with its `additional_bindings`.
    pub fn annotated(method: &MethodDescriptor) -> Vec<Self> {
        let pool = method.parent_pool();
        let Some(annotation) = pool.get_extension_by_name(ANNOTATION) else {
            return Vec::new();
        };
        let options = method.options();
        if !options.has_extension(&annotation) {
            return Vec::new();
        }
        let mut rules = Vec::new();
        if let Value::Message(rule) = &*options.get_extension(&annotation) {
            rules.extend(Self::read(rule));
            // They don't have further ones of their own (google/api/http.proto).
            if let Some(more) = rule.get_field_by_name("additional_bindings")
                && let Some(more) = more.as_list()
            {
                let more = more.iter().filter_map(Value::as_message);
                rules.extend(more.filter_map(Self::read));
            }
        }
        rules
    }

    fn read(rule: &DynamicMessage) -> Option<Self> {
        let text = |name: &str| {
            let value = rule.get_field_by_name(name)?;
            let text = value.as_str()?;
            (!text.is_empty()).then(|| text.to_owned())
        };
        let plain = ["get", "put", "post", "delete", "patch"];
        let (method, path) = plain
            .into_iter()
            .filter(|name| rule.has_field_by_name(name))
            .find_map(|name| Some((name.to_ascii_uppercase(), text(name)?)))
            .or_else(|| {
                let custom = rule.get_field_by_name("custom")?;
                let custom = custom.as_message()?;
                let text = |name: &str| Some(custom.get_field_by_name(name)?.as_str()?.to_owned());
                let path = text("path").filter(|path| !path.is_empty())?;
                Some((text("kind")?, path))
            })?;
        Some(Self {
            method,
            path,
            body: text("body"),
            response_body: text("response_body"),
        })
    }
}
