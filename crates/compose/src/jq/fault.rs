//! What is wrong with the text of a filter.

use jaq_core::{compile, load};

use crate::body::FilterFault;

/// Something in it is not known.
pub(super) fn undefined(code: &str, errors: &compile::Errors<&str, ()>) -> FilterFault {
    let undefined = errors.iter().flat_map(|(_, all)| all).next();
    match undefined {
        Some((name, what)) => FilterFault {
            message: format!("there is no {} `{name}`", what.as_str()),
            offset: load::span(code, name).start,
        },
        None => FilterFault {
            message: "this is not a filter".to_owned(),
            offset: 0,
        },
    }
}

/// It is not written as filters are.
pub(super) fn unreadable(code: &str, errors: &load::Errors<&str, ()>) -> FilterFault {
    let fault = |part: &str, expected: &str| FilterFault {
        message: format!("{expected} is expected here"),
        offset: load::span(code, part).start,
    };
    match errors.first().map(|(_, error)| error) {
        Some(load::Error::Lex(errors)) => errors
            .first()
            .map(|(expected, part)| fault(part, expected.as_str())),
        Some(load::Error::Parse(errors)) => errors.first().map(|(expected, found)| {
            let part = if found.is_empty() {
                code.get(code.len()..).unwrap_or_default()
            } else {
                found
            };
            fault(part, expected.as_str())
        }),
        Some(load::Error::Io(errors)) => errors.first().map(|(part, _)| FilterFault {
            message: "modules can't be loaded".to_owned(),
            offset: load::span(code, part).start,
        }),
        None => None,
    }
    .unwrap_or_else(|| FilterFault {
        message: "this is not a filter".to_owned(),
        offset: 0,
    })
}
