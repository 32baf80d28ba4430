//! Routes that are written in groups, put among the others.

use std::collections::HashMap;

use crate::{
    diagnostic::{Diagnostic, code},
    document::{Entry, Node, Value},
    span::Span,
};

/// Moves `groups.mobile.routes.home` to `routes."mobile.home"`, with `group: mobile` in it. What
/// is no map stays where it is: that it should be one is told of that place.
pub(super) fn spread(tree: &mut Node, out: &mut Vec<Diagnostic>) {
    let Value::Map(sections) = &mut tree.value else {
        return;
    };
    let mut found = Vec::new();
    if let Some(groups) = section(sections, "groups") {
        for group in groups {
            take(group, &mut found, out);
        }
    }
    let Some(first) = found.first() else { return };
    if section(sections, "routes").is_none() {
        if sections.iter().any(|section| section.key == "routes") {
            return;
        }
        sections.push(Entry {
            key: "routes".to_owned(),
            key_span: first.key_span,
            value: Node::new(first.key_span, Value::Map(Vec::new())),
        });
    }
    let Some(routes) = section(sections, "routes") else {
        return;
    };
    let spans = routes
        .iter()
        .map(|known| (known.key.clone(), known.key_span));
    let mut known: HashMap<String, Span> = spans.collect();
    for route in found {
        match known.get(&route.key) {
            Some(first) => out.push(
                Diagnostic::error(
                    code::DEFINED_TWICE,
                    format!("route `{}` is defined twice", route.key),
                )
                .at(
                    route.key_span,
                    "in a group, whose name stands before its own",
                )
                .also(*first, "defined here as well")
                .help("give one of the two another name"),
            ),
            None => {
                known.insert(route.key.clone(), route.key_span);
                routes.push(route);
            }
        }
    }
}

/// The entries of a section that is a map.
fn section<'a>(sections: &'a mut [Entry], key: &str) -> Option<&'a mut Vec<Entry>> {
    let section = sections.iter_mut().find(|section| section.key == key)?;
    match &mut section.value.value {
        Value::Map(entries) => Some(entries),
        _ => None,
    }
}

/// Takes the routes out of a group.
fn take(group: &mut Entry, found: &mut Vec<Entry>, out: &mut Vec<Diagnostic>) {
    let (name, name_span) = (group.key.clone(), group.key_span);
    let Value::Map(settings) = &mut group.value.value else {
        return;
    };
    let Some(at) = settings.iter().position(|entry| entry.key == "routes") else {
        return;
    };
    if !matches!(settings.get(at), Some(entry) if matches!(entry.value.value, Value::Map(_))) {
        return;
    }
    let Value::Map(routes) = settings.remove(at).value.value else {
        return;
    };
    for mut route in routes {
        route.key = format!("{name}.{}", route.key);
        if let Value::Map(fields) = &mut route.value.value {
            fields.retain(|field| {
                let said = field.key == "group";
                if said {
                    out.push(belongs_already(field, &name));
                }
                !said
            });
            fields.push(Entry {
                key: "group".to_owned(),
                key_span: name_span,
                value: Node::new(name_span, Value::Text(name.clone())),
            });
        }
        found.push(route);
    }
}

fn belongs_already(field: &Entry, group: &str) -> Diagnostic {
    let message = format!("a route that is written in group `{group}` belongs to it already");
    Diagnostic::error(code::CONFLICT, message)
        .at(field.key_span, "")
        .help("remove `group`, or write the route under `routes` at the top")
}
