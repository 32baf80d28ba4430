//! What upstreams are told of who is calling.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use lintel_kernel::{
    Exchange, Fault,
    expr::{Expr, Scope},
};

use crate::Context;

/// Header fields that say who is calling. Only the gateway may set them: whatever the client sent
/// under such a name is removed first.
#[derive(Debug, Default)]
pub(crate) struct Forward {
    fields: Vec<(HeaderName, Expr)>,
}

impl Forward {
    /// Compiles names and the expressions that give their values.
    pub(crate) fn build(
        fields: &BTreeMap<String, String>,
        context: &Context,
    ) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut built = Vec::with_capacity(fields.len());
        for (name, value) in fields {
            match field(name, value, context) {
                Ok(field) => built.push(field),
                Err(fault) => faults.push(fault.under(name).under("forward")),
            }
        }
        if faults.is_empty() {
            Ok(Self { fields: built })
        } else {
            Err(faults)
        }
    }

    /// Removes what the client sent under these names.
    pub(crate) fn remove_forged(&self, headers: &mut HeaderMap) {
        remove_alike(headers, || self.fields.iter().map(|(name, _)| name));
    }

    /// Sets the fields. One without a value, or with one that is no field value, is left out.
    pub(crate) fn set(&self, exchange: &mut Exchange) {
        for (name, expr) in &self.fields {
            let value = expr
                .text(Scope::request(exchange))
                .and_then(|text| HeaderValue::from_str(&text).ok());
            if let Some(value) = value {
                exchange.request.headers.insert(name, value);
            }
        }
    }
}

/// Removes fields of these names, in whatever spelling: CGI and its heirs read `X_User_Id` and
/// `X-User-Id` as one name.
pub(crate) fn remove_alike<'a, I: Iterator<Item = &'a HeaderName>>(
    headers: &mut HeaderMap,
    names: impl Fn() -> I,
) {
    if names().next().is_none() {
        return;
    }
    for name in names() {
        headers.remove(name);
    }
    let alike = |own: &HeaderName, other: &HeaderName| {
        let same =
            |(a, b): (u8, u8)| a == b || (matches!(a, b'-' | b'_') && matches!(b, b'-' | b'_'));
        own.as_str().len() == other.as_str().len()
            && own.as_str().bytes().zip(other.as_str().bytes()).all(same)
    };
    let forged: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().contains('_'))
        .filter(|name| names().any(|own| alike(own, name)))
        .cloned()
        .collect();
    for name in forged {
        headers.remove(name);
    }
}

fn field(name: &str, value: &str, context: &Context) -> Result<(HeaderName, Expr), Fault> {
    let name = name.parse().map_err(|_| {
        Fault::new(format!("`{name}` is not a header name"))
            .with_hint("use letters, digits and dashes, such as `X-User-Id`")
    })?;
    Ok((name, context.request_expression(value)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn forged_fields_are_removed_in_whatever_spelling() {
        let fields = [("X-User-Id".to_owned(), "claims.sub".to_owned())].into();
        let forward = Forward::build(&fields, &Context::default()).unwrap();
        let mut headers = HeaderMap::new();
        for name in [
            "X-User-Id",
            "x-user-id",
            "X_User_Id",
            "x-user_id",
            "X-User-Ids",
            "XUserId",
        ] {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_static("root"));
        }
        forward.remove_forged(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["x-user-ids", "xuserid"]);
    }
}
