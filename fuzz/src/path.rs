//! Any text as a path: what is accepted is in canonical form, and stays so.

use lintel_http::path::{EncodedSlash, PathRules, canonical};

pub(crate) fn run(input: &[u8]) {
    let Some((choice, path)) = input.split_first() else {
        return;
    };
    let Ok(path) = std::str::from_utf8(path) else {
        return;
    };
    let path = format!("/{path}");
    let rules = PathRules {
        encoded_slash: match choice % 3 {
            0 => EncodedSlash::Keep,
            1 => EncodedSlash::Reject,
            _ => EncodedSlash::Decode,
        },
        merge_slashes: choice & 4 == 0,
        resolve_dots: choice & 8 == 0,
        require_utf8: choice & 16 == 0,
        observe: false,
    };
    let Ok(once) = canonical(&path, &rules) else {
        return;
    };
    let context = format!("{path:?} became {once:?} by {rules:?}");
    assert!(once.starts_with('/'), "{context}");
    assert!(
        once.bytes().all(|byte| byte.is_ascii_graphic()),
        "{context}"
    );
    assert!(!once.contains(['\\', '?', '#']), "{context}");
    assert!(
        once.split('/')
            .all(|segment| segment != "." && segment != ".."),
        "{context}"
    );
    if rules.merge_slashes {
        assert!(!once.contains("//"), "{context}");
    }
    if rules.encoded_slash != EncodedSlash::Keep {
        assert!(!once.to_ascii_lowercase().contains("%2f"), "{context}");
    }
    let twice = canonical(&once, &rules);
    assert_eq!(twice.as_deref(), Ok(&*once), "{context}");
}
