//! Names of header fields that a verdict may set.

use http::HeaderName;
use lintel_kernel::Fault;

use super::changeable;

/// Names of fields that a verdict may set, as an operator lists them under a key.
pub(crate) fn settable(texts: &[String], key: &'static str) -> Result<Vec<HeaderName>, Vec<Fault>> {
    let (mut names, mut faults) = (Vec::new(), Vec::new());
    for (index, text) in texts.iter().enumerate() {
        let at = |fault: Fault| fault.under(index.to_string()).under(key);
        match (changeable(text), text.parse::<HeaderName>()) {
            (Some(name), _) => names.push(name),
            (None, Ok(name)) => faults.push(at(Fault::new(format!("`{name}` may not be changed"))
                .with_hint("remove it; it belongs to the connection or frames the message"))),
            (None, Err(_)) => faults.push(at(no_name(text))),
        }
    }
    if faults.is_empty() {
        Ok(names)
    } else {
        Err(faults)
    }
}

/// The mistake of a text that is no name of a field.
pub(crate) fn no_name(text: &str) -> Fault {
    Fault::new(format!("`{text}` is not a header name"))
        .with_hint("use letters, digits and dashes, such as `X-User-Id`")
}
