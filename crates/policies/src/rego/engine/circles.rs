//! Rules that come back to themselves. OPA takes none of them; regorus finds them only as they run, and
//! functions not even then: they would take the stack of the worker, and the process with it.

use std::collections::BTreeMap;

use lintel_kernel::Fault;
use regorus::unstable::{
    AssignOp, Expr, Literal, LiteralStmt, Module, Query, Rule, RuleAssign, RuleHead, Span,
};

use super::faults;

/// How many rules may lie in each other. Each takes some ten kilobytes of the stack of a worker, which
/// has two megabytes.
const DEEPEST: usize = 64;

/// A rule, by its place under `data`.
type Path = Vec<String>;

/// The first mistake there is in how rules read each other.
pub(super) fn find(
    engine: &mut regorus::Engine,
    policies: &BTreeMap<String, String>,
) -> Option<Fault> {
    let rules = Rules::of(engine.get_modules().iter().map(|module| &**module));
    let (rule, message) = rules.circle()?;
    let place = format!(
        "--> {}:{}:{}\nerror: {message}",
        rule.span.source.get_path(),
        rule.span.line,
        rule.span.col,
    );
    let hint = "rules go down into what they are given, and end: `walk` and `graph.reachable` go through trees and graphs";
    let fault = faults::located(policies, &place).unwrap_or_else(|| faults::whole(&place));
    Some(fault.with_hint(hint))
}

/// A rule, all that is written of it together.
struct Known {
    /// Where it is written first.
    span: Span,
    /// What it reads, and may be rules.
    reads: Vec<Path>,
}

#[derive(Default)]
struct Rules(BTreeMap<Path, Known>);

impl Rules {
    fn of<'m>(modules: impl Iterator<Item = &'m Module>) -> Self {
        let mut rules = Self::default();
        for module in modules {
            let package = path(&module.package.refr).unwrap_or_default();
            let names = Names::of(module, &package);
            for rule in &module.policy {
                let mut reader = Reader {
                    names: &names,
                    own: Vec::new(),
                    reads: Vec::new(),
                };
                let head = reader.rule(rule);
                let place = [package.clone(), path(head).unwrap_or_default()].concat();
                let known = rules.0.entry(place).or_insert_with(|| Known {
                    span: rule.span().clone(),
                    reads: Vec::new(),
                });
                known.reads.append(&mut reader.reads);
            }
        }
        rules
    }

    /// The rules that are read where a place is: it, those within it, and the one that it is within.
    fn at<'r>(&'r self, place: &'r Path) -> impl Iterator<Item = (&'r Path, &'r Known)> {
        let within = self
            .0
            .range(place.clone()..)
            .take_while(|(path, _)| path.starts_with(place));
        let around =
            (1..place.len()).filter_map(|length| self.0.get_key_value(place.get(..length)?));
        within.chain(around)
    }

    /// A rule that comes back to itself, or leads too deep, and what is wrong with it.
    fn circle(&self) -> Option<(&Known, String)> {
        let mut depths = BTreeMap::new();
        self.0
            .keys()
            .find_map(|path| self.depth(path, &mut Vec::new(), &mut depths).err())
    }

    /// How many rules lie in each other from this one on.
    fn depth<'r>(
        &'r self,
        path: &'r Path,
        open: &mut Vec<&'r Path>,
        depths: &mut BTreeMap<&'r Path, usize>,
    ) -> Result<usize, (&'r Known, String)> {
        if let Some(depth) = depths.get(path) {
            return Ok(*depth);
        }
        let Some(known) = self.0.get(path) else {
            return Ok(0);
        };
        if let Some(first) = open.iter().position(|other| *other == path) {
            let round = open.get(first..).unwrap_or_default();
            return Err((known, circle(round)));
        }
        let mut deepest = 0;
        open.push(path);
        for (next, _) in known.reads.iter().flat_map(|place| self.at(place)) {
            if open.len() > DEEPEST {
                break;
            }
            deepest = deepest.max(self.depth(next, open, depths)?);
        }
        open.pop();
        if open.len() + deepest >= DEEPEST {
            return Err((
                known,
                format!("`{}` leads through more than {DEEPEST} rules", shown(path)),
            ));
        }
        depths.insert(path, deepest + 1);
        Ok(deepest + 1)
    }
}

fn circle(round: &[&Path]) -> String {
    let mut names = round.iter().map(|path| shown(path));
    let own = names.next().unwrap_or_default();
    let others: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    match others.is_empty() {
        true => format!("`{own}` comes back to itself"),
        false => format!("`{own}` comes back to itself by {}", others.join(", ")),
    }
}

fn shown(path: &[String]) -> String {
    format!("data.{}", path.join("."))
}

/// What names of a module stand for.
struct Names<'p> {
    package: &'p Path,
    /// What is imported, by the name that it has here.
    imports: BTreeMap<String, Path>,
}

impl<'p> Names<'p> {
    fn of(module: &Module, package: &'p Path) -> Self {
        let imports = module.imports.iter().filter_map(|import| {
            let mut path = path(&import.refr)?;
            let last = path.last()?.clone();
            let name = import.r#as.as_ref().map(|name| name.text().to_owned());
            // What is under `input` is no rule.
            (path.first()? == "data").then(|| {
                path.remove(0);
                (name.unwrap_or(last), path)
            })
        });
        Self {
            package,
            imports: imports.collect(),
        }
    }

    /// The place under `data` that a reference leads to.
    fn place(&self, mut path: Path) -> Path {
        let rest = path.split_off(1);
        let root = path.pop().unwrap_or_default();
        match (root.as_str(), self.imports.get(&root)) {
            ("data", _) => rest,
            (_, Some(imported)) => [imported.clone(), rest].concat(),
            _ => [self.package.clone(), vec![root], rest].concat(),
        }
    }
}

/// The names that a reference is made of, as far as they are written down.
fn path(expr: &Expr) -> Option<Path> {
    match expr {
        Expr::Var { span, .. } => Some(vec![span.text().to_owned()]),
        Expr::RefDot { refr, field, .. } => extended(refr, field.0.text()),
        Expr::RefBrack { refr, index, .. } => match &**index {
            Expr::String { value, .. } | Expr::RawString { value, .. } => {
                extended(refr, value.as_string().ok()?)
            }
            _ => path(refr),
        },
        _ => None,
    }
}

/// Behind what is not written down, nothing is known.
fn extended(refr: &Expr, name: &str) -> Option<Path> {
    let mut names = path(refr)?;
    if is_written(refr) {
        names.push(name.to_owned());
    }
    Some(names)
}

fn is_written(expr: &Expr) -> bool {
    match expr {
        Expr::RefDot { refr, .. } => is_written(refr),
        Expr::RefBrack { refr, index, .. } => {
            let fixed = matches!(&**index, Expr::String { .. } | Expr::RawString { .. });
            fixed && is_written(refr)
        }
        _ => true,
    }
}

/// Looks for what a rule reads.
struct Reader<'n> {
    names: &'n Names<'n>,
    /// Variables of its own, the innermost last.
    own: Vec<String>,
    reads: Vec<Path>,
}

impl Reader<'_> {
    /// Reads a rule, and gives what it is called.
    fn rule<'r>(&mut self, rule: &'r Rule) -> &'r Expr {
        let (head, bodies) = match rule {
            Rule::Default { refr, .. } => return refr,
            Rule::Spec { head, bodies, .. } => (head, bodies),
        };
        let none: &[_] = &[];
        let (refr, key, args, assign) = match head {
            RuleHead::Compr { refr, assign, .. } => (refr, None, none, assign.as_ref()),
            RuleHead::Set { refr, key, .. } => (refr, key.as_ref(), none, None),
            RuleHead::Func {
                refr, args, assign, ..
            } => (refr, None, args.as_slice(), assign.as_ref()),
        };
        for arg in args {
            self.declare(arg);
        }
        let begin = self.own.len();
        for body in bodies {
            self.query(&body.query, |reader| {
                reader.assigned(body.assign.as_ref());
                reader.assigned(assign);
                key.into_iter().for_each(|key| reader.expr(key));
                reader.indexes(refr);
            });
        }
        if bodies.is_empty() {
            self.assigned(assign);
            key.into_iter().for_each(|key| self.expr(key));
        }
        self.own.truncate(begin);
        refr
    }

    fn assigned(&mut self, assign: Option<&RuleAssign>) {
        if let Some(assign) = assign {
            self.expr(&assign.value);
        }
    }

    /// The variables of a pattern.
    fn declare(&mut self, pattern: &Expr) {
        match pattern {
            Expr::Var { span, .. } => self.own.push(span.text().to_owned()),
            Expr::Array { items, .. } => items.iter().for_each(|item| self.declare(item)),
            Expr::Object { fields, .. } => {
                fields.iter().for_each(|(_, _, value)| self.declare(value));
            }
            _ => {}
        }
    }

    /// Reads a query, and what is made of it: its variables hold for both.
    fn query(&mut self, query: &Query, made: impl FnOnce(&mut Self)) {
        let before = self.own.len();
        for stmt in &query.stmts {
            match &stmt.literal {
                Literal::SomeVars { vars, .. } => {
                    self.own
                        .extend(vars.iter().map(|var| var.text().to_owned()));
                }
                Literal::SomeIn { key, value, .. } => {
                    key.iter().chain([value]).for_each(|one| self.declare(one));
                }
                Literal::Expr { expr, .. } => {
                    if let Expr::AssignExpr {
                        op: AssignOp::ColEq,
                        lhs,
                        ..
                    } = &**expr
                    {
                        self.declare(lhs);
                    }
                }
                Literal::NotExpr { .. } | Literal::Every { .. } => {}
            }
        }
        for stmt in &query.stmts {
            self.statement(stmt);
        }
        made(self);
        self.own.truncate(before);
    }

    fn statement(&mut self, stmt: &LiteralStmt) {
        match &stmt.literal {
            Literal::SomeVars { .. } => {}
            Literal::SomeIn {
                key,
                value,
                collection,
                ..
            } => {
                let all = key.iter().chain([value, collection]);
                all.for_each(|expr| self.expr(expr));
            }
            Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => self.expr(expr),
            Literal::Every {
                key,
                value,
                domain,
                query,
                ..
            } => {
                self.expr(domain);
                let before = self.own.len();
                let names = key.iter().chain([value]);
                self.own.extend(names.map(|name| name.text().to_owned()));
                self.query(query, |_| {});
                self.own.truncate(before);
            }
        }
        for with in &stmt.with_mods {
            self.expr(&with.r#as);
        }
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. } => self.reference(expr),
            Expr::Array { items, .. } | Expr::Set { items, .. } => {
                items.iter().for_each(|item| self.expr(item));
            }
            Expr::Object { fields, .. } => {
                for (_, name, value) in fields {
                    self.expr(name);
                    self.expr(value);
                }
            }
            Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
                self.query(query, |reader| reader.expr(term));
            }
            Expr::ObjectCompr {
                key, value, query, ..
            } => self.query(query, |reader| {
                reader.expr(key);
                reader.expr(value);
            }),
            Expr::Call { fcn, params, .. } => {
                self.expr(fcn);
                params.iter().for_each(|param| self.expr(param));
            }
            Expr::UnaryExpr { expr, .. } => self.expr(expr),
            Expr::BinExpr { lhs, rhs, .. }
            | Expr::BoolExpr { lhs, rhs, .. }
            | Expr::ArithExpr { lhs, rhs, .. }
            | Expr::AssignExpr { lhs, rhs, .. } => {
                self.expr(lhs);
                self.expr(rhs);
            }
            Expr::Membership {
                key,
                value,
                collection,
                ..
            } => {
                let all = key.iter().chain([value, collection]);
                all.for_each(|expr| self.expr(expr));
            }
            Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. } => {}
        }
    }

    fn reference(&mut self, expr: &Expr) {
        self.indexes(expr);
        if let Some(path) = path(expr)
            && path.first().is_some_and(|root| !self.own.contains(root))
        {
            let place = self.names.place(path);
            self.reads.push(place);
        }
    }

    /// What stands in the brackets of a reference, and what it begins with where that is no name.
    fn indexes(&mut self, expr: &Expr) {
        match expr {
            Expr::RefDot { refr, .. } => self.indexes(refr),
            Expr::RefBrack { refr, index, .. } => {
                self.expr(index);
                self.indexes(refr);
            }
            Expr::Var { .. } => {}
            other => self.expr(other),
        }
    }
}
