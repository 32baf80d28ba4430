//! What the YAML parser complains about, in the words of somebody who writes a config file.

use granit_parser::{ErrorKind, ScanError};

use crate::{
    diagnostic::{Diagnostic, code},
    span::Span,
};

/// `*.example.com` without quotes is an alias to YAML; nearly always a host was meant.
pub(super) fn unknown_anchor(name: &str, span: Span) -> Diagnostic {
    let diagnostic = Diagnostic::error(
        code::YAML_ALIAS,
        format!("there is no anchor `&{name}` for the alias `*{name}`"),
    );
    if name.starts_with('.') {
        diagnostic
            .message(format!("`*{name}` without quotes is an alias to YAML"))
            .at(span, "a text that begins with `*` needs quotes")
            .help(format!("write `\"*{name}\"`"))
    } else {
        diagnostic.at(span, "not defined above").help(format!(
            "mark the value that is meant with `&{name}`, or write `\"*{name}\"` for the text"
        ))
    }
}

/// Turns a syntax error into a diagnostic. `flow` is the innermost open `{` or `[`.
pub(super) fn explain(
    text: &str,
    source: u32,
    error: &ScanError,
    flow: Option<Span>,
) -> Diagnostic {
    let offset = error.marker().byte_offset().unwrap_or(0).min(text.len());
    let at = At {
        text,
        source,
        offset,
        place: place(text, source, offset),
    };
    let kind = error.kind();
    quoting(&at, kind)
        .or_else(|| layout(&at, kind))
        .unwrap_or_else(|| in_flow(error, &at, flow))
}

/// Where the parser gave up.
struct At<'t> {
    text: &'t str,
    source: u32,
    offset: usize,
    place: Span,
}

impl At<'_> {
    fn found(&self, message: impl Into<String>, label: &str) -> Diagnostic {
        Diagnostic::error(code::YAML_SYNTAX, message).at(self.place, label)
    }
}

/// Texts that need quotes, and quotes that went wrong.
fn quoting(at: &At<'_>, kind: &ErrorKind) -> Option<Diagnostic> {
    let rest = at.text.get(at.offset..).unwrap_or("");
    let before = line_before(at.text, at.offset);
    Some(match kind {
        ErrorKind::MissingAnchorOrAliasName if rest.starts_with('*') => at
            .found("a lone `*` is an alias to YAML", "needs quotes")
            .help("write `\"*\"`"),
        ErrorKind::UnexpectedCharacter { character } => at
            .found(
                format!("a text can't begin with `{character}` unless it is quoted"),
                "needs quotes",
            )
            .help(format!("write `\"{}\"`", first_word(rest))),
        ErrorKind::ExpectedBlockMappingKey if before.trim_end().ends_with(']') => at
            .found(
                "there is text after the closing `]`",
                "a text that begins with `[` needs quotes",
            )
            .help(format!("write `\"{}\"`", value_on_line(at.text, at.offset))),
        ErrorKind::InvalidTrailingSingleQuotedScalar
        | ErrorKind::InvalidTrailingDoubleQuotedScalar => match opened_above(at.text, at.offset) {
            Some(quote) => unclosed(Span::new(at.source, quote..quote + 1)),
            None => at
                .found("there is text after the closing quote", "not part of the quoted text")
                .help("double a single quote inside single quotes (`'it''s'`), or use the other kind of quotes"),
        },
        ErrorKind::UnclosedQuotedScalar
        | ErrorKind::InvalidQuotedScalarIndent
        | ErrorKind::DocumentIndicatorInQuotedScalar => unclosed_quote(at),
        ErrorKind::UnknownQuotedScalarEscape => at
            .found("an unknown `\\` escape in a double-quoted text", "in this text")
            .help("use single quotes, where `\\` is a plain character: `'\\d+'`"),
        _ => return None,
    })
}

/// Indentation, colons, brackets.
fn layout(at: &At<'_>, kind: &ErrorKind) -> Option<Diagnostic> {
    let before = line_before(at.text, at.offset);
    Some(match kind {
        ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabNotAllowed => at
            .found("YAML can't be indented with tabs", "a tab")
            .help("indent with two spaces"),
        ErrorKind::MappingValueNotAllowed if before.contains(':') => at
            .found("a second `:` on one line", "this colon begins another value")
            .help("quote the text if the colon belongs to it: `\"a: b\"`; else put the inner key on a line of its own, indented"),
        ErrorKind::MappingValueNotAllowed => missing_colon(at, line_above(at.text, at.offset)?),
        ErrorKind::SimpleKeyExpected => missing_colon(at, at.offset),
        ErrorKind::BlockSequenceEntryNotAllowed => at
            .found("a list can't begin on the line of its key", "this `-`")
            .help("put `- …` on the next line, or write the list as `[a, b]`"),
        ErrorKind::MisplacedFlowCollectionEnd => at
            .found("a closing bracket without an opening one", "")
            .help("remove it, or quote the text it belongs to"),
        ErrorKind::ExpectedBlockMappingKey | ErrorKind::InvalidIndentation => at
            .found(
                "this line's indentation fits no level above",
                "expected to start in the column of a key above",
            )
            .help("indent it exactly like its siblings"),
        ErrorKind::ExpectedBlockSequenceEntry => at
            .found("a list and a map are mixed", "expected another `- `")
            .help("indent this line to make it part of the last item, or begin it with `- `"),
        ErrorKind::RecursionLimitExceeded => {
            Diagnostic::error(code::TOO_LARGE, "more than 64 levels of lists and maps")
                .at(at.place, "too deep")
        }
        _ => return None,
    })
}

/// Errors inside `{…}` and `[…]`: mostly `{` and `}` of a template or path parameter.
fn in_flow(error: &ScanError, at: &At<'_>, flow: Option<Span>) -> Diagnostic {
    let Some(open) = flow else {
        return at.found(format!("this is not YAML: {}", error.info()), "");
    };
    let bracket = at.text.get(open.range()).unwrap_or("{");
    let close = if bracket == "[" { "]" } else { "}" };
    let here = at.text.get(at.place.range());
    if here.is_some_and(|text| text.starts_with('{')) {
        let word = word_around(at.text, at.place.range().start);
        return at
            .found(
                format!("`{{` inside `{bracket}…{close}` begins a map"),
                "a text with `{` in it needs quotes here",
            )
            .also(open, "inside of this")
            .help(format!("write `\"{word}\"`"));
    }
    at.found(
        format!("`{bracket}` is not closed where it should be"),
        &format!("expected `,` or `{close}` before this"),
    )
    .also(open, "opened here")
    .help(format!(
        "add the missing `{close}` or `,`, or quote the text"
    ))
}

/// A line, beginning at `start`, that should be a key and has no colon.
fn missing_colon(at: &At<'_>, start: usize) -> Diagnostic {
    let rest = at.text.get(start..).unwrap_or("");
    let line = rest.lines().next().unwrap_or("");
    let key = line.trim();
    let span = Span::new(at.source, start..start + line.trim_end().len());
    let found = Diagnostic::error(
        code::YAML_SYNTAX,
        format!("expected `key: value`, found `{key}`"),
    )
    .at(span, "no `:` here");
    match key.split_once(':') {
        Some((name, value)) => {
            found.help(format!("put a space after the colon: `{name}: {value}`"))
        }
        None => found.help(format!(
            "write `{key}:`, or indent the line if it continues the text above"
        )),
    }
}

/// A quote that is not closed shows only further down; point at where it began.
fn unclosed_quote(at: &At<'_>) -> Diagnostic {
    let opened = at.text.get(..at.offset).and_then(|before| {
        let line = before.trim_end().rfind('\n').map_or(0, |at| at + 1);
        let quote = before.get(line..)?.find(['"', '\''])?;
        Some(line + quote)
    });
    let here = at
        .text
        .get(at.offset..)
        .and_then(|rest| rest.chars().next());
    let opened = match here {
        Some('"' | '\'') => Some(at.offset),
        _ => opened,
    };
    unclosed(opened.map_or(at.place, |quote| Span::new(at.source, quote..quote + 1)))
}

fn unclosed(place: Span) -> Diagnostic {
    Diagnostic::error(code::YAML_SYNTAX, "a quote is not closed")
        .at(place, "opened here")
        .help("add the closing quote at the end of the text")
}

/// Where a quoted text began on a line above, if the quote before the offset closed it.
fn opened_above(text: &str, offset: usize) -> Option<usize> {
    let quote = text.get(..offset)?.chars().next_back()?;
    let odd = |line: &str| line.matches(quote).count() % 2 == 1;
    if !odd(line_before(text, offset)) {
        return None;
    }
    let mut end = offset - line_before(text, offset).len();
    while end > 0 {
        let above = text.get(..end - 1)?;
        let start = above.rfind('\n').map_or(0, |at| at + 1);
        let line = above.get(start..)?;
        if odd(line) {
            return line.rfind(quote).map(|at| start + at);
        }
        end = start;
    }
    None
}

/// One character at the offset, or nothing at the end of the file.
fn place(text: &str, source: u32, offset: usize) -> Span {
    let mut start = offset;
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let len = text
        .get(start..)
        .and_then(|rest| rest.chars().next())
        .filter(|c| *c != '\n')
        .map_or(0, char::len_utf8);
    Span::new(source, start..start + len)
}

fn line_before(text: &str, offset: usize) -> &str {
    let before = text.get(..offset).unwrap_or("");
    before.rsplit('\n').next().unwrap_or("")
}

/// Where the line above begins, if there is no colon in it.
fn line_above(text: &str, offset: usize) -> Option<usize> {
    let start = offset - line_before(text, offset).len();
    let above = text.get(..start)?.trim_end();
    let begin = above.rfind('\n').map_or(0, |at| at + 1);
    let line = above.get(begin..)?;
    let indent = line.len() - line.trim_start().len();
    (!line.contains(':') && !line.trim_start().starts_with('#')).then_some(begin + indent)
}

fn first_word(text: &str) -> &str {
    text.split([' ', '\n', ',', ']', '}']).next().unwrap_or("")
}

/// The text between white space, or a comma, around an offset.
fn word_around(text: &str, offset: usize) -> &str {
    let stop = |c: char| c.is_whitespace() || matches!(c, ',' | '[');
    let start = text
        .get(..offset)
        .and_then(|before| before.rfind(stop))
        .map_or(0, |at| at + 1);
    let len = text
        .get(start..)
        .and_then(|rest| rest.find(|c: char| c.is_whitespace() || c == ','))
        .unwrap_or(0);
    text.get(start..start + len).unwrap_or("")
}

/// What stands after the colon on the line of an offset.
fn value_on_line(text: &str, offset: usize) -> &str {
    let start = offset - line_before(text, offset).len();
    let line = text.get(start..).unwrap_or("").lines().next().unwrap_or("");
    line.split_once(": ")
        .map_or(line, |(_, value)| value)
        .trim()
}
