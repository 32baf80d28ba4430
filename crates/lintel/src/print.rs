//! The one place that prints.

use std::io::{self, IsTerminal, Write};

use lintel_config::Style;

/// Prints text and a line feed to standard output. A reader that has gone away is no error.
pub(crate) fn out(text: &str) {
    let _ = writeln!(io::stdout(), "{}", text.trim_end_matches('\n'));
}

/// Prints text and a line feed to standard error.
pub(crate) fn err(text: &str) {
    let _ = writeln!(io::stderr(), "{}", text.trim_end_matches('\n'));
}

/// How diagnostics look on standard error: in colour only on a terminal.
pub(crate) fn style() -> Style {
    let terminal = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    if terminal {
        Style::terminal(100, true)
    } else {
        Style::plain()
    }
}
