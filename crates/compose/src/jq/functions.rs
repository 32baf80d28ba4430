//! What filters may call: all that stays within the filter, and is measured.

use jaq_core::{
    RunPtr,
    load::{self, parse::Def},
    native::{self, Filter, Fun, bome, unary, v},
};
use jaq_json::Num;

use super::{
    Data, budget, text,
    value::{Error, ValR, Value},
};

/// Filters that reach outside: the environment, the process, its output.
const OUTSIDE: [&str; 12] = [
    "env",
    "halt",
    "halt_error",
    "debug",
    "debug_empty",
    "stderr",
    "stderr_empty",
    "input",
    "inputs",
    "input_filename",
    "input_line_number",
    "repl",
];

/// Filters of regular expressions, which are made anew each time, and what they are called here.
const PATTERNS: [(&str, &str); 3] = [
    ("matches", "matches_unmeasured"),
    ("split_matches", "split_matches_unmeasured"),
    ("split_", "split_unmeasured"),
];

/// The same, measured.
const MEASURED: &str = "
def matches($re; $flags): measured | matches_unmeasured($re; $flags);
def split_matches($re; $flags): measured | split_matches_unmeasured($re; $flags);
def split_($re; $flags): measured | split_unmeasured($re; $flags);
";

/// What a regular expression costs, whatever the text.
const PATTERN: usize = 500;

/// What is defined in jq itself.
pub(super) fn definitions() -> impl Iterator<Item = Def<&'static str>> {
    let measured = load::parse(MEASURED, |parser| parser.defs()).unwrap_or_default();
    let all = jaq_core::defs().chain(measured);
    let all = all.chain(jaq_std::defs()).chain(jaq_json::defs());
    all.filter(|def| !OUTSIDE.contains(&def.name))
}

/// What is not.
pub(super) fn native() -> impl Iterator<Item = Fun<Data>> {
    let all = jaq_core::funs::<Data>().chain(jaq_std::funs::<Data>());
    let all = all.filter(|(name, ..)| !OUTSIDE.contains(name));
    let all = all.map(|(name, arguments, run)| {
        let other = PATTERNS.iter().find(|(known, _)| *known == name);
        (other.map_or(name, |(_, other)| other), arguments, run)
    });
    all.chain(own().map(native::run::<Data>))
}

fn own() -> impl Iterator<Item = Filter<RunPtr<Data>>> {
    let all: [Filter<RunPtr<Data>>; 8] = [
        ("measured", v(0), |(_, value)| {
            let length = value.chars().map_or(0, str::len);
            budget::spend(length / 16 + PATTERN);
            bome(Ok(value))
        }),
        ("fromjson", v(0), |(_, value)| bome(from_json(&value))),
        ("tojson", v(0), |(_, value)| bome(Ok(text::written(&value)))),
        ("length", v(0), |(_, value)| bome(length(value))),
        ("contains", v(1), |cv| {
            unary(cv, |value, part| Ok(contains(&value, &part).into()))
        }),
        ("has", v(1), |cv| {
            unary(cv, |value, name| Ok(value.find(&name)?.is_some().into()))
        }),
        ("indices", v(1), |cv| {
            unary(cv, |value, part| {
                let found = value.indices(&part)?;
                Ok(found.into_iter().map(Value::from).collect())
            })
        }),
        ("bsearch", v(1), |cv| {
            unary(cv, |value, wanted| search(&value, &wanted))
        }),
    ];
    all.into_iter()
}

fn from_json(value: &Value) -> ValR {
    let Some(chars) = value.chars() else {
        return Err(Error::str("fromjson: not a string"));
    };
    budget::spend(chars.len() / 16);
    let read = text::read(chars.as_bytes());
    read.map_err(|error| Error::str(format_args!("fromjson: {error}")))
}

fn length(value: Value) -> ValR {
    Ok(match &value {
        Value::Null => Value::from(0usize),
        Value::Text(_) => Value::from(value.chars().unwrap_or_default().chars().count()),
        Value::List(list) => Value::from(list.items().len()),
        Value::Object(object) => Value::from(object.members().len()),
        Value::Num(number) if *number < Num::Int(0) => return -value,
        Value::Num(_) => value,
        Value::Bool(_) => return Err(Error::str(format_args!("{value} has no length"))),
    })
}

/// Whether a part is in it, as jq's manual says (`contains`).
fn contains(value: &Value, part: &Value) -> bool {
    match (value, part) {
        (Value::Text(_), Value::Text(_)) => {
            let (value, part) = (value.chars(), part.chars());
            value
                .zip(part)
                .is_some_and(|(value, part)| value.contains(part))
        }
        (Value::List(value), Value::List(part)) => part.items().iter().all(|part| {
            value.items().iter().any(|value| {
                budget::spend(1);
                contains(value, part)
            })
        }),
        (Value::Object(value), Value::Object(part)) => part.members().iter().all(|(name, part)| {
            budget::spend(1);
            value.get(name).is_some_and(|value| contains(value, part))
        }),
        _ => value == part,
    }
}

fn search(value: &Value, wanted: &Value) -> ValR {
    let Value::List(list) = value else {
        return Err(Error::typ(value.clone(), "list"));
    };
    let found = list.items().binary_search(wanted);
    let place = found.map_or_else(|at| !(at as isize), |at| at as isize);
    Ok(place.into())
}
