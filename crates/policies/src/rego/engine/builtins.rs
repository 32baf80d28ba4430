//! Functions that policies can't have here, and those that are bounded.

use std::io;

use lintel_kernel::Fault;
use regorus::Value;

/// Functions of OPA's that ask others, read the process, or are not there, by how their names begin.
const MISSING: [&str; 12] = [
    "http.send",
    "io.jwt.",
    "crypto.",
    "opa.runtime",
    "net.lookup_ip_addr",
    "rego.",
    "uuid.",
    "yaml.",
    "json.match_schema",
    "json.verify_schema",
    "graphql.",
    "providers.",
];

/// The longest list of numbers that a policy makes: a longer one takes memory without ever looking
/// at the clock.
const NUMBERS: i64 = 100_000;

/// Puts functions in place of those that a number makes take any amount of memory.
pub(super) fn bound(engine: &mut regorus::Engine) {
    let range = |arguments: Vec<Value>| {
        let [from, to] = arguments.as_slice() else {
            return Err(io::Error::other("numbers.range takes two numbers").into());
        };
        Ok(numbers(from, to, 1)?)
    };
    let stepped = |arguments: Vec<Value>| {
        let [from, to, step] = arguments.as_slice() else {
            return Err(io::Error::other("numbers.range_step takes three numbers").into());
        };
        match step.as_i64() {
            Ok(step) if step > 0 => Ok(numbers(from, to, step)?),
            _ => Ok(Value::Undefined),
        }
    };
    // Never: they are added once.
    let _ = engine.add_extension("numbers.range".to_owned(), 2, Box::new(range));
    let _ = engine.add_extension("numbers.range_step".to_owned(), 3, Box::new(stepped));
}

/// The numbers between two, both among them, up or down.
fn numbers(from: &Value, to: &Value, step: i64) -> io::Result<Value> {
    let (Ok(from), Ok(to)) = (from.as_i64(), to.as_i64()) else {
        return Ok(Value::Undefined);
    };
    let apart = from.abs_diff(to) / step.unsigned_abs();
    let count = i64::try_from(apart).ok().filter(|count| *count < NUMBERS);
    let count =
        count.ok_or_else(|| io::Error::other(format!("a list of more than {NUMBERS} numbers")))?;
    let step = if from <= to { step } else { -step };
    // Wrapping is right here: every number is between the two.
    let all = (0..=count).map(|at| Value::from(from.wrapping_add(at.wrapping_mul(step))));
    Ok(Value::from(all.collect::<Vec<_>>()))
}

/// The mistake of a policy that calls a function which is not there.
pub(super) fn missing(name: &str, text: &str) -> Option<Fault> {
    let mut before = 0;
    for (line, whole) in text.split_inclusive('\n').enumerate() {
        let code = whole.split('#').next().unwrap_or_default();
        let calls = MISSING
            .iter()
            .filter_map(|function| Some((called(code, function)?, *function)));
        if let Some((at, function)) = calls.min() {
            let function = function.trim_end_matches('.');
            let message = format!(
                "{name}:{}:{}: `{function}` can't be called here",
                line + 1,
                at + 1
            );
            return Some(not_here(message).at(Some(before + at)));
        }
        before += whole.len();
    }
    None
}

fn not_here(message: String) -> Fault {
    Fault::new(message).discreet().with_hint(
        "policies decide by the request and `data` alone: tokens are checked by `jwt` before, and services asked by `ext_authz`",
    )
}

/// Where a function is called; not where a longer name ends or begins with its name.
fn called(code: &str, function: &str) -> Option<usize> {
    code.match_indices(function).map(|(at, _)| at).find(|at| {
        let before = code.get(..*at).and_then(|text| text.chars().next_back());
        let after = code.get(at + function.len()..).unwrap_or_default();
        let name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '"');
        let called =
            after.trim_start_matches(|c: char| c.is_alphanumeric() || matches!(c, '_' | '.'));
        !before.is_some_and(name)
            && (function.ends_with('.') || after.len() == called.len())
            && called.trim_start().starts_with('(')
    })
}
