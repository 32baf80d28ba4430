//! What cedar-policy says of mistakes, at their places.

use lintel_kernel::Fault;
use miette::Diagnostic;

/// Whether a text is meant as policies. One that is not may be anything, a secret even, and nothing of
/// it is told.
pub(super) fn is_policy(text: &str) -> bool {
    text.contains("permit") || text.contains("forbid")
}

pub(super) fn no_policy() -> Fault {
    let fault = Fault::new("this is no policy in Cedar: nothing is permitted or forbidden");
    let hint = "write the text of policies, or `${file.NAME}` for that of a file";
    fault.with_hint(hint).discreet()
}

/// A mistake in a text; `name` is what messages call it.
pub(super) fn located(name: &str, text: &str, error: &dyn Diagnostic) -> Fault {
    let offset = error
        .labels()
        .and_then(|mut labels| labels.next())
        .map(|label| label.offset());
    let place = offset.map_or_else(
        || name.to_owned(),
        |offset| {
            let before = text.get(..offset).unwrap_or(text);
            let line = before.matches('\n').count() + 1;
            let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
            format!("{name}:{line}:{column}")
        },
    );
    let fault = Fault::new(format!("{place}: {}", chain(error)));
    let help = error.help().map(|help| help.to_string());
    let hint =
        help.unwrap_or_else(|| "`cedar validate` and `cedar check-parse` tell more".to_owned());
    fault.at(offset).with_hint(hint).discreet()
}

/// An error and what is behind it, in one line.
fn chain(error: &dyn Diagnostic) -> String {
    let mut told = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        let more = error.to_string();
        if !told.contains(&more) {
            told = format!("{told}: {more}");
        }
        source = error.source();
    }
    told.replace('\n', " ")
}
