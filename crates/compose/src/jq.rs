//! jq filters, compiled once for all workers and run by jaq (<https://github.com/01mf02/jaq>).

use std::fmt::Write as _;

use jaq_core::{
    Ctx, Native, Vars,
    compile::Compiler,
    data::JustLut,
    load::{self, Arena, File, Loader},
    native::{self, Fun},
    unwrap_valr,
};
use jaq_json::{Num, Val};

use crate::body::FilterFault;

type Data = JustLut<Val>;

/// The variable that holds the status, the error and the body of each leg.
pub(crate) const LEGS: &str = "$legs";

/// The variable that holds the element that a leg is made for.
const ITEM: &str = "$item";

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

/// A compiled filter.
pub(crate) struct Jq(jaq_core::Filter<Data>);

const _: () = {
    const fn shared_by_threads<T: Send + Sync>() {}
    shared_by_threads::<Jq>();
};

impl Jq {
    /// Compiles a filter.
    pub(crate) fn compile(code: &str) -> Result<Self, FilterFault> {
        let defs = jaq_core::defs()
            .chain(jaq_std::defs())
            .chain(jaq_json::defs())
            .filter(|def| !OUTSIDE.contains(&def.name));
        let arena = Arena::default();
        let modules = Loader::new(defs)
            .load(&arena, File { code, path: () })
            .map_err(|errors| unreadable(code, &errors))?;
        let compiler = Compiler::<_, Native<Data>>::default()
            .with_funs(functions())
            .with_global_vars([LEGS, ITEM]);
        compiler.compile(modules).map(Self).map_err(|errors| {
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
        })
    }

    /// The one value that the filter makes of an input.
    ///
    /// # Errors
    /// It fails, or makes none or several; in words for the operator.
    pub(crate) fn run(&self, input: Val, variables: [Val; 2]) -> Result<Val, String> {
        let context = Ctx::<Data>::new(&self.0.lut, Vars::new(variables));
        let mut out = self.0.id.run((context, input)).map(unwrap_valr);
        let first = out.next().ok_or("the filter makes no value")?;
        let first = first.map_err(|error| error.to_string())?;
        match out.next() {
            None => Ok(first),
            Some(_) => Err("the filter makes several values".to_owned()),
        }
    }
}

/// What filters may call: all that stays within the filter.
fn functions() -> impl Iterator<Item = Fun<Data>> {
    let all = jaq_core::funs::<Data>()
        .chain(jaq_std::funs::<Data>())
        .chain(jaq_json::funs::<Data>())
        .filter(|(name, ..)| *name != "fromjson" && !OUTSIDE.contains(name));
    // jaq's own reader goes as deep as the text does, to the end of the stack.
    let from_json: native::Filter<jaq_core::RunPtr<Data>> =
        ("fromjson", Box::default(), |(_, value)| {
            native::bome(match &value {
                Val::TStr(text) => serde_json::from_slice(text)
                    .map_err(|error| jaq_core::Error::str(format_args!("fromjson: {error}"))),
                _ => Err(jaq_core::Error::str("fromjson: not a string")),
            })
        });
    all.chain([native::run::<Data>(from_json)])
}

fn unreadable(code: &str, errors: &load::Errors<&str, ()>) -> FilterFault {
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

/// The text of a JSON value as jq knows it.
///
/// # Errors
/// It is not JSON.
pub(crate) fn read(text: &[u8]) -> Result<Val, String> {
    serde_json::from_slice(text).map_err(|error| error.to_string())
}

/// Writes a value as JSON. What jq has beyond JSON becomes what jq makes of it: numbers that are none
/// become `null`, bytes a string.
///
/// # Errors
/// An object has a name that is no string.
pub(crate) fn write(value: &Val, out: &mut Vec<u8>) -> Result<(), String> {
    match value {
        Val::Null => out.extend_from_slice(b"null"),
        Val::Bool(true) => out.extend_from_slice(b"true"),
        Val::Bool(false) => out.extend_from_slice(b"false"),
        Val::Num(Num::Int(number)) => {
            out.extend_from_slice(itoa::Buffer::new().format(*number).as_bytes());
        }
        Val::Num(Num::Float(number)) if !number.is_finite() => out.extend_from_slice(b"null"),
        Val::Num(number) => {
            let mut text = String::new();
            // Writing to a String can't fail.
            let _ = write!(text, "{number}");
            out.extend_from_slice(text.as_bytes());
        }
        Val::BStr(text) | Val::TStr(text) => string(text, out),
        Val::Arr(items) => {
            out.push(b'[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                write(item, out)?;
            }
            out.push(b']');
        }
        Val::Obj(members) => {
            out.push(b'{');
            for (place, (name, value)) in members.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                match name {
                    Val::BStr(name) | Val::TStr(name) => string(name, out),
                    _ => return Err("the filter makes a name that is no string".to_owned()),
                }
                out.push(b':');
                write(value, out)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

/// Writes a string with its quotation marks.
pub(crate) fn string(text: &[u8], out: &mut Vec<u8>) {
    let text = String::from_utf8_lossy(text);
    // Writing to a Vec can't fail, and neither can a string.
    let _ = serde_json::to_writer(out, &*text);
}
