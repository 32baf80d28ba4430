//! Any text as what a leg brought, and any as a filter: what is found in it is what is there, and a filter
//! that is taken for one is one.

use lintel_compose::{
    Body,
    value::{Member, check, member},
};
use serde_json::Value;

pub(crate) fn run(input: &[u8]) {
    let Some((path, text)) = crate::two_texts(input) else {
        return;
    };
    let _ = Body::check(path);
    if let Ok(body) = Body::parse(path, &["a", "b_1", "c"]) {
        assert!(Body::check(path).is_ok(), "{path}");
        assert_eq!(body.source(), Some(path));
    }
    let whole: Result<Value, _> = serde_json::from_str(text);
    let checked = check(text.as_bytes());
    assert_eq!(checked.is_ok(), whole.is_ok(), "{checked:?}");
    let Ok(whole) = whole else {
        return;
    };
    let path: Vec<String> = path.split('.').map(str::to_owned).collect();
    assert_eq!(member(text.as_bytes(), &path), found(&whole, &path), "{path:?}");
}

fn found(whole: &Value, path: &[String]) -> Member {
    let mut at = whole;
    for name in path {
        at = match at {
            Value::Null => return Member::Absent,
            Value::Object(members) => match members.get(name) {
                None => return Member::Absent,
                Some(member) => member,
            },
            _ => return Member::Unfit,
        };
    }
    Member::There(at.clone())
}
