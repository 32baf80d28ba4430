//! The same for a configuration that is only known as the admin API shows it: with defaults filled
//! in, and without what is hidden.

use serde_json::{Map, Value as Json};

use super::{Change, ChangeKind, FieldChange, NAMED};
use crate::{
    loaded::Loaded,
    shape::{Step, owner},
};

/// What changes from the configuration that serves, as `GET /config` shows it as JSON, to another.
/// Hidden values are the same on both sides here, whatever they are.
pub fn diff_effective(serving: &Json, next: &Loaded) -> Vec<Change> {
    let empty = Map::new();
    let next = next.redacted();
    let (before, after) = (
        serving.as_object().unwrap_or(&empty),
        next.as_object().unwrap_or(&empty),
    );
    let mut changes = Vec::new();
    for (key, old, new) in pairs(before, after) {
        let maps = (old.and_then(Json::as_object), new.and_then(Json::as_object));
        if !NAMED.contains(&key) || maps == (None, None) {
            changes.extend(item(key.to_owned(), format!("`{key}`"), old, new));
            continue;
        }
        let (olds, news) = (maps.0.unwrap_or(&empty), maps.1.unwrap_or(&empty));
        for (name, old, new) in pairs(olds, news) {
            let called = owner(&[Step::Key(key), Step::Key(name)]);
            changes.extend(item(format!("{key}.{name}"), called, old, new));
        }
    }
    changes
}

fn item(path: String, item: String, old: Option<&Json>, new: Option<&Json>) -> Option<Change> {
    let mut found = Vec::new();
    let kind = match (old, new) {
        (Some(old), Some(new)) if old == new => return None,
        (Some(old), Some(new)) => {
            fields(old, new, "", &mut found);
            ChangeKind::Changed
        }
        (None, _) => ChangeKind::Added,
        (Some(_), None) => ChangeKind::Removed,
    };
    Some(Change {
        path,
        item,
        kind,
        fields: found,
    })
}

fn fields(old: &Json, new: &Json, path: &str, out: &mut Vec<FieldChange>) {
    let (Json::Object(before), Json::Object(after)) = (old, new) else {
        out.push(FieldChange {
            path: path.to_owned(),
            before: Some(old.clone()),
            after: Some(new.clone()),
        });
        return;
    };
    for (key, old, new) in pairs(before, after) {
        let path = match path {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        };
        match (old, new) {
            (Some(old), Some(new)) if old == new => {}
            (Some(old), Some(new)) => fields(old, new, &path, out),
            (old, new) => out.push(FieldChange {
                path,
                before: old.cloned(),
                after: new.cloned(),
            }),
        }
    }
}

fn pairs<'a>(
    old: &'a Map<String, Json>,
    new: &'a Map<String, Json>,
) -> impl Iterator<Item = (&'a str, Option<&'a Json>, Option<&'a Json>)> {
    let kept = old
        .iter()
        .map(|(key, value)| (key.as_str(), Some(value), new.get(key)));
    let added = new
        .iter()
        .filter(|(key, _)| !old.contains_key(*key))
        .map(|(key, value)| (key.as_str(), None, Some(value)));
    kept.chain(added)
}
