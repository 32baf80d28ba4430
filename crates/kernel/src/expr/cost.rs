//! How long an expression may take. It runs on the worker that serves others meanwhile, and what it goes
//! through may be as long as a client likes.

use cel::{
    IdedExpr, Value,
    common::ast::{EntryExpr, Expr as Ast, operators},
};

/// Steps that an expression may take: about a tenth of a second.
const STEPS: u64 = 1_000_000;

/// So many elements, or bytes of text, are looked through in the time of a step.
const AT_ONCE: u64 = 16;

/// How the time grows with the values that are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cost {
    /// How many lists are gone through for each element of the one before.
    lists: u32,
    /// How many of them are only looked through, by the interpreter itself.
    scans: u32,
}

impl Cost {
    pub(super) fn of(expr: &IdedExpr) -> Self {
        Self::within(expr, &mut Vec::new())
    }

    /// Whether it grows at all.
    pub(super) const fn grows(self) -> bool {
        self.lists > 0
    }

    /// Whether values of this size are gone through in time.
    pub(super) fn bears(self, size: u64) -> bool {
        let steps = (0..self.lists).try_fold(1_u64, |steps, list| {
            let each = match list < self.scans {
                true => size.div_ceil(AT_ONCE),
                false => size,
            };
            steps.checked_mul(each.max(1))
        });
        steps.is_some_and(|steps| steps <= STEPS)
    }

    /// `bound` holds the variables of the comprehensions around it.
    fn within<'e>(expr: &'e IdedExpr, bound: &mut Vec<&'e str>) -> Self {
        match &expr.expr {
            Ast::Comprehension(all) => {
                let range = Self::within(&all.iter_range, bound);
                // What is within an element is gone through once, with the element.
                let more = u32::from(bound.is_empty() || !mentions(&all.iter_range, bound));
                let before = bound.len();
                bound.extend([all.iter_var.as_str(), all.accu_var.as_str()]);
                bound.extend(all.iter_var2.as_deref());
                let parts = [&all.loop_cond, &all.loop_step, &all.result];
                let mut inside = Self::most(parts.into_iter(), bound);
                bound.truncate(before);
                inside.lists += more;
                inside.max(range)
            }
            Ast::Call(call) => {
                let operands = || call.target.iter().map(|target| &**target).chain(&call.args);
                let mut cost = Self::most(operands(), bound);
                let scans = matches!(
                    call.func_name.as_str(),
                    operators::IN | "contains" | "matches"
                );
                let fixed = |one: &IdedExpr| !mentions(one, bound) && !is_literal(one);
                if scans && !bound.is_empty() && operands().any(fixed) {
                    cost.lists += 1;
                    cost.scans += 1;
                }
                cost
            }
            Ast::List(list) => Self::most(list.elements.iter(), bound),
            Ast::Map(map) => {
                let entries = map.entries.iter().filter_map(|entry| match &entry.expr {
                    EntryExpr::MapEntry(entry) => Some([&entry.key, &entry.value]),
                    EntryExpr::StructField(_) => None,
                });
                Self::most(entries.flatten(), bound)
            }
            Ast::Select(select) => Self::within(&select.operand, bound),
            Ast::Ident(_) | Ast::Literal(_) | Ast::Struct(_) | Ast::Unspecified => Self::default(),
        }
    }

    fn most<'e>(exprs: impl Iterator<Item = &'e IdedExpr>, bound: &mut Vec<&'e str>) -> Self {
        exprs
            .map(|expr| Self::within(expr, bound))
            .max()
            .unwrap_or_default()
    }
}

fn is_literal(expr: &IdedExpr) -> bool {
    match &expr.expr {
        Ast::Literal(_) => true,
        Ast::List(list) => list.elements.iter().all(is_literal),
        _ => false,
    }
}

/// Whether one of these variables is read.
fn mentions(expr: &IdedExpr, names: &[&str]) -> bool {
    let any = |exprs: &[&IdedExpr]| exprs.iter().any(|expr| mentions(expr, names));
    match &expr.expr {
        Ast::Ident(name) => names.contains(&name.as_str()),
        Ast::Select(select) => mentions(&select.operand, names),
        Ast::Call(call) => {
            let mut operands = call.target.iter().map(|target| &**target).chain(&call.args);
            operands.any(|one| mentions(one, names))
        }
        Ast::List(list) => list.elements.iter().any(|one| mentions(one, names)),
        Ast::Comprehension(all) => any(&[&all.iter_range, &all.loop_cond, &all.loop_step]),
        Ast::Map(map) => map.entries.iter().any(|entry| match &entry.expr {
            EntryExpr::MapEntry(entry) => any(&[&entry.key, &entry.value]),
            EntryExpr::StructField(_) => false,
        }),
        Ast::Literal(_) | Ast::Struct(_) | Ast::Unspecified => false,
    }
}

/// How much there is to go through in a value: its elements and members, and its text.
pub(super) fn size(value: &Value) -> u64 {
    let text = |bytes: usize| bytes as u64 / AT_ONCE;
    match value {
        Value::List(values) => 1 + values.iter().map(size).sum::<u64>(),
        Value::Map(members) => 1 + members.map.values().map(size).sum::<u64>(),
        Value::String(value) => 1 + text(value.len()),
        Value::Bytes(value) => 1 + text(value.len()),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn lists_in_lists_are_counted() {
        let whole = |lists| Cost { lists, scans: 0 };
        let scanned = Cost { lists: 2, scans: 1 };
        for (source, cost) in [
            ("a.b == 1 && c in d", whole(0)),
            ("a.all(x, x > 1)", whole(1)),
            ("a.filter(x, x > 1).map(x, x + 1).size() > 1", whole(1)),
            ("a.all(x, b.exists(y, x == y))", whole(2)),
            ("a.all(x, b.map(y, c.filter(z, z > x + y)) != [])", whole(3)),
            // What is within an element is gone through with it.
            ("a.all(x, x.tags.exists(t, t == 1))", whole(1)),
            ("a.all(x, x.tags.exists(t, b.exists(y, y == t)))", whole(2)),
            ("a.all(x, x in b)", scanned),
            ("a.all(x, b.contains(x))", scanned),
            ("a.all(x, x in [1, 2] && x.contains(\"y\"))", whole(1)),
            ("[{\"k\": a.all(x, b.all(y, x == y))}]", whole(2)),
        ] {
            let program = cel::Program::compile(source).unwrap();
            assert_eq!(Cost::of(program.expression()), cost, "{source}");
        }
    }

    #[test]
    fn what_takes_too_long_is_known_beforehand() {
        let bears = |lists, scans, size| Cost { lists, scans }.bears(size);
        assert!(bears(0, 0, u64::MAX));
        assert!(bears(1, 0, 1_000_000) && !bears(1, 0, 1_000_001));
        assert!(bears(2, 0, 1_000) && !bears(2, 0, 1_001));
        assert!(bears(2, 1, 4_000) && !bears(2, 1, 4_100));
        assert!(bears(3, 0, 100) && !bears(3, 0, u64::MAX));
        assert!(bears(2, 0, 0));
        let value = Value::from(vec![Value::from("x".repeat(160)), Value::Null]);
        assert_eq!(size(&value), 1 + 11 + 1);
    }
}
