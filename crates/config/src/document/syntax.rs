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
    let place = place(text, source, offset);
    let rest = text.get(offset..).unwrap_or("");
    let before = line_before(text, offset);
    let found = Diagnostic::error(code::YAML_SYNTAX, "");
    match error.kind() {
        ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabNotAllowed => found
            .message("YAML can't be indented with tabs")
            .at(place, "a tab")
            .help("indent with two spaces"),
        ErrorKind::MissingAnchorOrAliasName if rest.starts_with('*') => found
            .message("a lone `*` is an alias to YAML")
            .at(place, "needs quotes")
            .help("write `\"*\"`"),
        ErrorKind::UnexpectedCharacter { character } => found
            .message(format!("a text can't begin with `{character}` unless it is quoted"))
            .at(place, "needs quotes")
            .help(format!("write `\"{}\"`", first_word(rest))),
        ErrorKind::MappingValueNotAllowed if before.contains(':') => found
            .message("a second `:` on one line")
            .at(place, "this colon begins another value")
            .help("quote the text if the colon belongs to it: `\"a: b\"`; else put the inner key on a line of its own, indented"),
        ErrorKind::BlockSequenceEntryNotAllowed => found
            .message("a list can't begin on the line of its key")
            .at(place, "this `-`")
            .help("put `- …` on the next line, or write the list as `[a, b]`"),
        ErrorKind::SimpleKeyExpected => missing_colon(found, text, source, offset),
        ErrorKind::MappingValueNotAllowed => match line_above(text, offset) {
            Some(above) => missing_colon(found, text, source, above),
            None => in_flow(found, error, text, place, flow),
        },
        ErrorKind::InvalidTrailingSingleQuotedScalar
        | ErrorKind::InvalidTrailingDoubleQuotedScalar => match opened_above(text, offset) {
            Some(at) => unclosed(found, Span::new(source, at..at + 1)),
            None => found
                .message("there is text after the closing quote")
                .at(place, "not part of the quoted text")
                .help("double a single quote inside single quotes (`'it''s'`), or use the other kind of quotes"),
        },
        ErrorKind::UnclosedQuotedScalar
        | ErrorKind::InvalidQuotedScalarIndent
        | ErrorKind::DocumentIndicatorInQuotedScalar => unclosed_quote(found, text, source, offset, place),
        ErrorKind::UnknownQuotedScalarEscape => found
            .message("an unknown `\\` escape in a double-quoted text")
            .at(place, "in this text")
            .help("use single quotes, where `\\` is a plain character: `'\\d+'`"),
        ErrorKind::RecursionLimitExceeded => Diagnostic::error(
            code::TOO_LARGE,
            "more than 64 levels of lists and maps",
        )
        .at(place, "too deep"),
        ErrorKind::MisplacedFlowCollectionEnd => found
            .message("a closing bracket without an opening one")
            .at(place, "")
            .help("remove it, or quote the text it belongs to"),
        ErrorKind::ExpectedBlockMappingKey if before.trim_end().ends_with(']') => found
            .message("there is text after the closing `]`")
            .at(place, "a text that begins with `[` needs quotes")
            .help(format!("write `\"{}\"`", value_on_line(text, offset))),
        ErrorKind::ExpectedBlockMappingKey | ErrorKind::InvalidIndentation => found
            .message("this line's indentation fits no level above")
            .at(place, "expected to start in the column of a key above")
            .help("indent it exactly like its siblings"),
        ErrorKind::ExpectedBlockSequenceEntry => found
            .message("a list and a map are mixed")
            .at(place, "expected another `- `")
            .help("indent this line to make it part of the last item, or begin it with `- `"),
        _ => in_flow(found, error, text, place, flow),
    }
}

/// Errors inside `{…}` and `[…]`: mostly `{` and `}` of a template or path parameter.
fn in_flow(
    found: Diagnostic,
    error: &ScanError,
    text: &str,
    place: Span,
    flow: Option<Span>,
) -> Diagnostic {
    let Some(open) = flow else {
        return found
            .message(format!("this is not YAML: {}", error.info()))
            .at(place, "");
    };
    let bracket = text.get(open.range()).unwrap_or("{");
    let close = if bracket == "[" { "]" } else { "}" };
    if text.get(place.range()).is_some_and(|t| t.starts_with('{')) {
        let word = word_around(text, place.range().start);
        return found
            .message(format!("`{{` inside `{bracket}…{close}` begins a map"))
            .at(place, "a text with `{` in it needs quotes here")
            .also(open, "inside of this")
            .help(format!("write `\"{word}\"`"));
    }
    found
        .message(format!("`{bracket}` is not closed where it should be"))
        .at(place, format!("expected `,` or `{close}` before this"))
        .also(open, "opened here")
        .help(format!(
            "add the missing `{close}` or `,`, or quote the text"
        ))
}

fn missing_colon(found: Diagnostic, text: &str, source: u32, offset: usize) -> Diagnostic {
    let line = text
        .get(offset..)
        .unwrap_or("")
        .lines()
        .next()
        .unwrap_or("");
    let key = line.trim();
    let span = Span::new(source, offset..offset + line.trim_end().len());
    let found = found
        .message(format!("expected `key: value`, found `{key}`"))
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
fn unclosed_quote(
    found: Diagnostic,
    text: &str,
    source: u32,
    offset: usize,
    place: Span,
) -> Diagnostic {
    let opened = text.get(..offset).and_then(|before| {
        let line = before.trim_end().rfind('\n').map_or(0, |at| at + 1);
        let quote = before.get(line..)?.find(['"', '\''])?;
        Some(line + quote)
    });
    let opened = match text.get(offset..).and_then(|rest| rest.chars().next()) {
        Some('"' | '\'') => Some(offset),
        _ => opened,
    };
    match opened {
        Some(at) => unclosed(found, Span::new(source, at..at + 1)),
        None => unclosed(found, place),
    }
}

fn unclosed(found: Diagnostic, place: Span) -> Diagnostic {
    found
        .message("a quote is not closed")
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
